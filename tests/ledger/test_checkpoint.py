"""Checkpoints: a replay goes on from its text as if it had never stopped, and the text depends on nothing else."""

import itertools
import json
from collections.abc import Iterator

import pytest

from gatekeeper.ledger.checkpoint import first_difference, from_text, to_text
from gatekeeper.ledger.codec import ENTRY_FIELDS
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.records import Entry, EntryKind
from gatekeeper.ledger.verify import FORGOTTEN_AFTER_MS, Replay
from tests.cases import each_case

START_MS = 20_000 * DAY_MS
BLANK = dict.fromkeys((name for name in ENTRY_FIELDS if name not in {"kind", "at", "amount", "charged"}), "")


class Journal:
    """Makes entries that follow one another."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._random = itertools.count(1)

    def add(
        self,
        kind: str,
        hold_id: str = "",
        *,
        amount: int = 0,
        charged: int = 0,
        at_ms: int = START_MS,
        windows: str = "",
        **others: str,
    ) -> str:
        hold_id = hold_id or new_hold_id(at_ms, next(self._random))
        fields = BLANK | {"id": hold_id, "windows": "1:2:3:4" if kind == "hold" else windows, "member": "amy"}
        fields |= others
        self.entries.append(Entry(len(self.entries) + 1, at_ms, EntryKind(kind), hold_id, amount, charged, fields))
        return hold_id


@pytest.fixture
def journal() -> Journal:
    """A team that was granted, spent, and has holds open, marked, and resolved by time, and credits that expire."""
    made = Journal()
    made.add("grant", "opening", amount=1000)
    settled, unknown, expired, charged = (made.add("hold", amount=10) for _ in range(4))
    made.add("settle", settled, amount=10, charged=7)
    for each in (unknown, expired, charged):
        made.add("unknown", each, amount=10)
    made.add("expire", expired, amount=10)
    made.add("charge", charged, amount=10, charged=10)
    made.add("hold", amount=5)
    made.add("late", expired, amount=10, charged=3)
    made.add("grant", "may", amount=9, windows=str(START_MS + 90 * DAY_MS))
    made.add("grant", "april", amount=8, windows=str(START_MS + 60 * DAY_MS))
    following = made.add("hold", amount=12)
    made.add("extend", unknown, amount=10)
    made.add("job", following, amount=12)
    made.add("orphan", amount=2, charged=2, windows="1:2:3:4")
    made.add("void")
    for name, left in (("r1", 5), ("r2", 1)):
        made.add("refund", name, amount=7 - left if name == "r1" else 4, charged=left, windows="1:2:3:4", hold_seq="6",
                 meta=f'{{"hold":"{settled}"}}')  # fmt: skip
    made.add("refund", "r3", amount=4, charged=6, windows="1:2:3:4", hold_seq="11", meta=f'{{"hold":"{charged}"}}')
    made.add("transfer", "t", amount=100, meta='{"to":"b"}')
    return made


def replayed(entries: list[Entry], onto: str = "") -> Replay:
    replay = from_text(onto)
    replay.add(entries)
    assert [] == replay.differences
    return replay


def by_time(replay: Replay) -> set[str]:
    """The holds that a late result may come to, as the text says."""
    return set(json.loads(to_text(replay))["by_time"])


def cuts(journal: Journal) -> Iterator[tuple[list[Entry], list[Entry]]]:
    """The journal cut in two, at every place."""
    return ((journal.entries[:n], journal.entries[n:]) for n in range(len(journal.entries) + 1))


def test_a_replay_goes_on_from_any_checkpoint(journal: Journal) -> None:
    """Cut anywhere, the books come out the same."""
    whole = to_text(replayed(journal.entries))

    assert {whole} == {to_text(replayed(after, to_text(replayed(before)))) for before, after in cuts(journal)}


def test_it_comes_back_as_it_was_written(journal: Journal) -> None:
    """What is read is written as the same text again."""
    text = to_text(replayed(journal.entries))

    assert text == to_text(from_text(text))


def test_what_the_store_has_forgotten_is_left_out(journal: Journal) -> None:
    """A hold that time resolved is kept for as long as a late result may come, and no longer."""
    charged = journal.entries[4].hold_id
    soon, late = START_MS + FORGOTTEN_AFTER_MS, START_MS + FORGOTTEN_AFTER_MS + 1
    kept = replayed([*journal.entries, Entry(25, soon, EntryKind.TEAM, "1", 0, 0, BLANK)])
    gone = replayed([*journal.entries, Entry(25, late, EntryKind.TEAM, "1", 0, 0, BLANK)])

    assert (True, False) == (charged in by_time(kept), charged in by_time(gone))


def test_what_was_written_again_is_remembered_longer(journal: Journal) -> None:
    """A day's holds are forgotten together, so one that ends later keeps the others alive, as in the store."""
    charged, running = journal.entries[4].hold_id, journal.entries[11].hold_id
    journal.add("settle", running, amount=5, charged=5, at_ms=START_MS + DAY_MS)
    journal.add("team", "1", at_ms=START_MS + FORGOTTEN_AFTER_MS + DAY_MS)

    assert charged in by_time(replayed(journal.entries))


def test_forgetting_does_not_depend_on_the_cut(journal: Journal) -> None:
    """Holds that were forgotten between two entries are gone whether or not a checkpoint stood between them."""
    running = journal.entries[11].hold_id
    journal.add("team", "1", at_ms=START_MS + FORGOTTEN_AFTER_MS + 1)
    journal.add("settle", running, amount=5, charged=5, at_ms=START_MS + FORGOTTEN_AFTER_MS + 2)
    whole = to_text(replayed(journal.entries))

    assert {whole} == {to_text(replayed(after, to_text(replayed(before)))) for before, after in cuts(journal)}


@each_case("text", ["x", "{}", "[]", '{"format":2}', '{"format":1}', '{"format":1,"seq":"x"}'])
def test_a_text_that_is_no_checkpoint(text: str) -> None:
    """It is refused, never guessed at."""
    with pytest.raises(LedgerBroken, match="checkpoint"):
        from_text(text)


def test_the_first_difference_is_named(journal: Journal) -> None:
    """By the figure, with both values."""
    text = to_text(replayed(journal.entries))
    found = first_difference(text.replace('"charged":12', '"charged":13'), text)

    assert None is first_difference(text, text)
    assert found is not None
    assert ("checkpoint: charged", "13", "12") == (found.what, found.stored, found.derived)


@pytest.mark.parametrize("stored", ["x", ""])
def test_a_text_that_cannot_be_read_differs_too(journal: Journal, stored: str) -> None:
    """Whatever stands there is compared."""
    assert first_difference(stored, to_text(replayed(journal.entries)))
