"""The verdict on a run: journal, bills and what clients were told, held against each other when all is quiet.

Zeros are promises. What is not a breach and yet not the same on both sides is listed by kind with its count.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.torture.bills import Bills
from tests.torture.books import Books, Life

PAGE = 1000
"""Journal entries read at once."""
SAMPLES = 5
"""Cases named for each kind of breach."""
EVER_MS = 1 << 47
"""The end of all days."""
LATEST_MS = 60_000
"""Time may take so much longer than deadline and grace."""


@dataclass(eq=False)
class Verdict:
    """Counts by name: `zeros` must all be zero."""

    holds: int = 0
    zeros: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def breach(self, name: str, what: str) -> None:
        """One more of a kind that must not be."""
        self.zeros[name] += 1
        if self.zeros[name] <= SAMPLES:
            self.samples.append(f"{name}: {what}")


ZEROS = (
    "authorised beyond a limit", "charged twice", "acknowledged settles lost", "kept settles lost",
    "holds not terminal", "ended too late", "charged is not billed", "billed without a hold", "asked twice",
    "journal out of order", "verify differences", "usage is not what ended", "left in an outbox", "set aside",
    "broken snapshots",
    "requests without an end", "lines of what is not booked", "errors that nobody took", "processes that did not end",
)  # fmt: skip


async def books_of(ledger: Ledger, team: TeamRecord, call_field: str) -> Books:
    """The team's books, from its whole journal."""
    books = Books(team, call_field)
    while page := await ledger.journal(team.id, after=books.seq, count=PAGE):
        books.add(page)
    return books


async def judge(ledger: Ledger, teams: Iterable[TeamRecord], bills: Bills, *, life_ms: int, call_field: str) -> Verdict:
    """Everything that can be said once nothing moves any more. `life_ms` is the longest ttl and grace."""
    verdict = Verdict(zeros=Counter(dict.fromkeys(ZEROS, 0)))
    by_call: dict[str, list[Life]] = {}
    for team in teams:
        books = await books_of(ledger, team, call_field)
        _judge_books(verdict, books, life_ms)
        for hold_id, life in books.lives.items():
            by_call.setdefault(life.call, []).append(life)
            if hold_id in bills.kept_holds:
                bills.kept[life.call] = bills.kept_holds[hold_id]
        await _judge_figures(verdict, ledger, books)
    for call, lives in by_call.items():
        _judge_call(verdict, bills, call, lives)
    for call in bills.billed.keys() - by_call.keys():
        verdict.breach("billed without a hold", call)
    _judge_told(verdict, "acknowledged settles lost", bills.told, by_call)
    _judge_told(verdict, "kept settles lost", bills.kept, by_call)
    verdict.figures["acknowledged"] = len(bills.told)
    verdict.figures["kept on disk"] = len(bills.kept)
    return verdict


def _judge_books(verdict: Verdict, books: Books, life_ms: int) -> None:
    verdict.holds += len(books.lives)
    for name, found in (
        ("authorised beyond a limit", books.breaches),
        ("charged twice", books.twice),
        ("journal out of order", books.disorder),
    ):
        for what in found:
            verdict.breach(name, what)
    for hold_id, life in books.lives.items():
        if life.end is None:
            verdict.breach("holds not terminal", f"{books.team.id} {hold_id}")
        elif life.ended_ms - life.at_ms > life_ms + LATEST_MS:
            verdict.breach("ended too late", f"{books.team.id} {hold_id}: {life.ended_ms - life.at_ms} ms")


async def _judge_figures(verdict: Verdict, ledger: Ledger, books: Books) -> None:
    report = await ledger.verify(books.team.id)
    for difference in report.differences:
        verdict.breach("verify differences", f"{books.team.id}: {difference}")
    balance = await ledger.balance(books.team.id)
    stored = (balance.granted, balance.charged, balance.held, balance.open_holds)
    derived = (books.granted, books.charged, books.held, books.open)
    if stored != derived:
        verdict.breach("verify differences", f"{books.team.id}: {stored} is not {derived}")
    rows = await ledger.usage.rows(books.team.id, 0, EVER_MS)
    used = sum(row.credits for row in rows), sum(row.generations + row.released for row in rows)
    ended = books.charged, sum(life.end is not None for life in books.lives.values())
    if used != ended:
        verdict.breach("usage is not what ended", f"{books.team.id}: {used} is not {ended}")
    verdict.figures["rows of usage"] += len(rows)


def _judge_call(verdict: Verdict, bills: Bills, call: str, lives: list[Life]) -> None:
    billed = bills.billed.get(call, [])
    if len(billed) > 1:
        verdict.breach("asked twice", f"{call}: {billed}")
    if sum(life.charged > 0 for life in lives) > 1:
        verdict.breach("charged twice", f"{call} by {len(lives)} holds")
    charged, cost = sum(life.charged for life in lives), sum(billed)
    verdict.figures["charged"] += charged
    verdict.figures["billed"] += cost
    ends = {life.end for life in lives if not life.late}
    if charged == cost:
        verdict.figures["late facts booked"] += any(life.late for life in lives)
    elif charged == 0 and EntryKind.EXPIRE in ends:
        verdict.figures["unknown, released by policy, billed"] += 1
        verdict.figures["billed, not charged"] += cost
    elif charged > cost and EntryKind.CHARGE in ends:
        verdict.figures["unknown, charged by policy, billed less"] += 1
        verdict.figures["charged, not billed"] += charged - cost
    else:
        verdict.breach("charged is not billed", f"{call}: {charged} is not {cost}, {[life.end for life in lives]}")


def _judge_told(verdict: Verdict, name: str, told: dict[str, int], by_call: dict[str, list[Life]]) -> None:
    for call, amount in told.items():
        if [amount] != [life.charged for life in by_call.get(call, [])]:
            verdict.breach(name, f"{call}: told {amount}, booked {[each.charged for each in by_call.get(call, [])]}")
