"""Between our records and the text the store keeps: team records, API keys, open holds, journal entries.

The counterpart of the formats in `lua/prelude.lua`. Text that the ledger did not write raises LedgerBroken.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.lots import Lot
from gatekeeper.ledger.records import Ending, Entry, EntryKind, HoldContext, HoldOrder, HoldState, OnUnknown
from gatekeeper.ledger.reports import EndedHold, Grant, OpenHold
from gatekeeper.ledger.teamplan import plan_text, read_plan
from gatekeeper.ledger.teamrecord import Caps, KeyRecord, Limit, OlderSecret, Per, TeamRecord
from gatekeeper.ledger.wire import WORDS_BEGIN, packed

STATES: Final = {
    "H": HoldState.HELD,
    "U": HoldState.UNKNOWN,
    "S": HoldState.SETTLED,
    "R": HoldState.RELEASED,
    "X": HoldState.EXPIRED,
    "C": HoldState.CHARGED,
    "L": HoldState.LATE,
    "V": HoldState.VOID,
    "O": HoldState.ORPHAN,
}
"""The letters the scripts write for a hold's state."""

FOLLOWS_JOB: Final = "j"
"""In place of a policy: the hold follows a job, and time alone never resolves it."""
POLICIES: Final = {
    "r": OnUnknown.RELEASE, "c": OnUnknown.CHARGE, "k": OnUnknown.KEEP, FOLLOWS_JOB: OnUnknown.KEEP,
}  # fmt: skip
NO_WINDOWS: Final = "0:0:0:0"
"""In place of when a hold's windows began, where nobody knows: it counts in none."""
ALIKE_KEPT: Final = 2048
"""Terms and accounts of holds, some hundred bytes each: a busy hour has a few hundred."""
PERIODS: Final = (Per.HOUR, Per.DAY, Per.WEEK, Per.MONTH)
"""The order of the windows in a scope's counters."""

FIGURES: Final = ("seq", "at", "granted", "charged", "expired", "held", "open")
"""The order of a team's figures in their value."""

ENTRY_FIELDS: Final = (
    "kind", "at", "id", "amount", "charged", "hold_seq", "project", "member", "key", "windows", "price_list", "why",
    "actor", "usage", "meta",
)  # fmt: skip
"""The order of a journal entry's values; only the last may hold a tab."""


def pairs(flat: list[str]) -> dict[str, str]:
    """A reply of field, value, field, value ... as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def team_arguments(record: TeamRecord) -> list[str]:
    """ARGV 2 to 11 of team.lua."""
    caps = (
        record.caps.per_request, record.caps.open_holds, record.caps.held_credits, record.caps.requests_per_minute,
    )  # fmt: skip
    models = {"allow": list(record.models_allow), "deny": list(record.models_deny)}
    return [
        record.timezone,
        "1" if record.frozen else "0",
        limits_text(record.limits),
        *("" if cap is None else str(cap) for cap in caps),
        json.dumps(models, separators=(",", ":")),
        "1" if record.retry_guard else "0",
        plan_text(record),
    ]


def order_words(of: HoldOrder) -> bytes:
    """A hold as hold.lua reads it, packed, but for its day and its calendar windows, which stand before this."""
    policy, meta = of.on_unknown[0], of.meta
    if of.fingerprint or of.shadow or not meta.isascii():
        terms = f"{of.amount}:{of.ttl_ms}:{of.grace_ms}:{policy}"
        account = f"{of.project}\t{of.member}\t{of.key_id}\t{of.fingerprint}\t{of.price_list}\t{of.usage}"
        words = (of.hold_id, terms, account, meta)
        return packed((*words, of.once, of.once_within_ms, of.shadow) if of.once or of.shadow else words)
    alike = _alike(
        of.amount, of.ttl_ms, of.grace_ms, policy, of.project, of.member, of.key_id, of.price_list, of.usage
    )  # fmt: skip
    hold_id = of.hold_id.encode()
    told = b"$%d\r\n%b\r\n%b$%d\r\n%b\r\n" % (len(hold_id), hold_id, alike, len(meta), meta.encode())
    if not of.once:
        return b"*4\r\n" + told
    once, within = of.once.encode(errors="replace"), b"%d" % of.once_within_ms
    return b"*7\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n$0\r\n\r\n" % (told, len(once), once, len(within), within)


@lru_cache(maxsize=ALIKE_KEPT)
def _alike(  # noqa: PLR0913, PLR0917  # all that many holds have in common
    amount: int, ttl_ms: int, grace_ms: int, policy: str, project: str, member: str, key_id: str, price_list: str,
    usage: str,
) -> bytes:  # fmt: skip
    """The terms and the account of a hold, as two words that are packed."""
    terms = f"{amount}:{ttl_ms}:{grace_ms}:{policy}"
    words = packed((terms, f"{project}\t{member}\t{key_id}\t\t{price_list}\t{usage}"))
    return words[WORDS_BEGIN:]


def read_order(team: str, words: Sequence[str]) -> HoldOrder:
    """The hold of these words."""
    hold_id, terms, account, meta, *more = words
    amount, ttl_ms, grace_ms, policy = terms.split(":")
    project, member, key_id, fingerprint, price_list, usage = account.split("\t")
    once, within_ms, shadow = more or ("", 0, "")
    return HoldOrder(
        hold_id, team, int(amount), int(ttl_ms), int(grace_ms), POLICIES[policy], project, member, key_id, fingerprint,
        price_list, meta, once, int(within_ms), usage, shadow,
    )  # fmt: skip


def ending_words(ending: Ending) -> bytes:
    """The end of a hold as settle.lua reads it, packed, but for an answer that is kept."""
    of, hold_id = ending.context, ending.hold_id.encode()
    account = of and (
        of.amount, of.windows, of.project, of.member, of.key_id, of.fingerprint, of.price_list, of.usage
    )  # fmt: skip
    # A fingerprint is one request's alone: nothing would ever be found again.
    words_of = _alike_ending if of is None or not of.fingerprint else _alike_ending.__wrapped__
    alike = words_of(
        ending.amount, ending.outputs, ending.undo, ending.within_available, ending.why, ending.meta, account
    )
    return b"*5\r\n$%d\r\n%b\r\n%b" % (len(hold_id), hold_id, alike)


@lru_cache(maxsize=ALIKE_KEPT)
def _alike_ending(
    amount: int, outputs: int, undo: bool, within: bool, why: str, meta: str, account: tuple[int | str, ...] | None
) -> bytes:
    """All that many ends have in common, as four words that are packed."""
    context = ""
    if account is not None:
        held, windows, *others = account
        context = "\t".join((str(held), str(windows or NO_WINDOWS), *map(str, others)))
    return packed((f"{amount}:{outputs}:{undo:d}:{within:d}", why, meta, context))[WORDS_BEGIN:]


def read_ending(words: Sequence[str]) -> Ending:
    """The end of a hold of these words."""
    hold_id, terms, why, meta, told = words
    amount, outputs, undo, within = map(int, terms.split(":"))
    context = None
    if told:
        held, windows, project, member, key_id, fingerprint, price_list, usage = told.split("\t")
        starts = "" if windows == NO_WINDOWS else windows
        context = HoldContext(int(held), project, member, key_id, fingerprint, price_list, starts, usage)
    return Ending(hold_id, amount, why, meta, bool(undo), context, None, bool(within), outputs)


def limits_text(limits: Iterable[Limit]) -> str:
    """Limits as hold.lua reads them: one line each, scope, per and micro-credits between tabs; of a raised one behind
    them what it is raised to, and until when."""
    return "".join(f"{limit.scope}\t{limit.per}\t{limit.credits}{_raise_text(limit)}\n" for limit in limits)


def _raise_text(limit: Limit) -> str:
    return "" if limit.raised_to is None else f"\t{limit.raised_to}\t{limit.raised_until_ms}"


def parse_limits(text: str) -> tuple[Limit, ...]:
    """The limits in a team's record."""
    try:
        rows = (line.split("\t") for line in text.split("\n")[:-1])  # a name may hold what splitlines splits at
        return tuple(Limit(scope, Per(per), int(amount), *map(int, raised)) for scope, per, amount, *raised in rows)
    except ValueError as error:
        raise LedgerBroken(f"a team's limits cannot be read: {error}") from error


def parse_team(team_id: str, stored: Mapping[str, str]) -> TeamRecord:
    """A team's record from its hash."""
    try:
        models = json.loads(stored["models"])
        names = ("per_request", "open_holds", "held_credits", "requests_per_minute")
        caps = {name: stored[f"cap_{name}"] for name in names}
        return TeamRecord(
            id=team_id,
            timezone=stored["timezone"],
            frozen=stored["frozen"] == "1",
            limits=parse_limits(stored["limits"]),
            caps=Caps(**{name: int(cap) if cap else None for name, cap in caps.items()}),
            models_allow=tuple(models["allow"]),
            models_deny=tuple(models["deny"]),
            retry_guard=stored["retry_guard"] == "1",
            revision=int(stored["revision"]),
            **read_plan(stored["plan"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise LedgerBroken(f"the record of team {team_id} cannot be read: {error!r}") from error


def grant_text(amount: int, expires_at_ms: int | None) -> str:
    """What a team was granted, as stored under the grant's id."""
    return str(amount) if expires_at_ms is None else f"{amount}\t{expires_at_ms}"


def parse_grant(grant_id: str, text: str, lot: Lot | None, now_ms: int) -> Grant:
    """A grant from its stored text and its lot, None if it has none (any more)."""
    try:
        amount, _, expires = text.partition("\t")
        if not expires:
            return Grant(grant_id, int(amount))
        left = lot.free if lot is not None and lot.expires_ms > now_ms else 0
        return Grant(grant_id, int(amount), int(expires), left)
    except ValueError as error:
        raise LedgerBroken(f"grant {grant_id} cannot be read: {error}") from error


def key_text(key: KeyRecord) -> str:
    """An API key's record as stored under its id; its newest secret comes first."""
    secrets: list[dict[str, str | int | None]] = [{"sha256": key.sha256, "expires_at_ms": None}]
    secrets += [{"sha256": each.sha256, "expires_at_ms": each.expires_at_ms} for each in key.older]
    return json.dumps(
        {
            "project": key.project,
            "member": key.member,
            "scopes": list(key.scopes),
            "expires_at_ms": key.expires_at_ms,
            "revoked": key.revoked,
            "secrets": secrets,
        },
        separators=(",", ":"),
    )


def parse_key(team_id: str, key_id: str, text: str) -> KeyRecord:
    """The team's API key of this id."""
    try:
        stored = json.loads(text)
        newest, *older = stored.pop("secrets")
        rest = tuple(OlderSecret(each["sha256"], int(each["expires_at_ms"])) for each in older)
        known = {**stored, "sha256": newest["sha256"], "scopes": tuple(stored["scopes"]), "older": rest}
        return KeyRecord(team=team_id, key_id=key_id, **known)
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise LedgerBroken(f"the record of a key cannot be read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class StoredHold:
    """An open hold as the scripts write it."""

    state: HoldState
    amount: int
    grace_ms: int
    on_unknown: OnUnknown
    seq: int
    held_at_ms: int
    starts: tuple[int, ...]
    project: str
    member: str
    key_id: str
    fingerprint: str
    price_list: str
    usage: str
    parts: str
    follows_job: bool = False


def parse_hold(text: str) -> StoredHold:
    """The record of an open hold; the fields in the order in which hold.lua writes them."""
    try:
        state, amount, grace, policy, seq, at, starts, *names = text.split("\t")
        project, member, key_id, fingerprint, price_list, usage, parts = names
        return StoredHold(
            STATES[state], int(amount), int(grace), POLICIES[policy], int(seq), int(at),
            tuple(int(start) for start in starts.split(":")),
            project, member, key_id, fingerprint, price_list, usage, parts,
            follows_job=policy == FOLLOWS_JOB,
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise LedgerBroken(f"the record of a hold cannot be read: {error!r}") from error


def parse_ended(text: str) -> EndedHold:
    """What is remembered of a hold that is over; its amount is not written again where it is the charge."""
    try:
        state, charged, amount, *_ = text.split("\t")
        return EndedHold(STATES[state], int(amount or charged), int(charged))
    except (KeyError, ValueError) as error:
        raise LedgerBroken(f"the end of a hold cannot be read: {error!r}") from error


def open_hold(hold_id: str, text: str, deadline_ms: int | None) -> OpenHold:
    """An open hold for people and programs, from its record and its place in `due`."""
    stored = parse_hold(text)
    return OpenHold(
        hold_id=hold_id,
        state=stored.state,
        amount=stored.amount,
        held_at_ms=stored.held_at_ms,
        deadline_ms=deadline_ms,
        grace_ms=stored.grace_ms,
        on_unknown=stored.on_unknown,
        project=stored.project,
        member=stored.member,
        key_id=stored.key_id,
        price_list=stored.price_list,
        seq=stored.seq,
        follows_job=stored.follows_job,
    )


def parse_figures(text: str) -> dict[str, str]:
    """A team's figures by name, as digits; none if the team has no books yet."""
    if not text:
        return {}
    try:
        return dict(zip(FIGURES, text.split(":"), strict=True))
    except ValueError as error:
        raise LedgerBroken(f"the figures of a team cannot be read: {text!r}") from error


@dataclass(frozen=True, slots=True)
class Counters:
    """A scope's counters: lifetime used and held, and (start, used, held) for hour, day, week, month."""

    used: int
    held: int
    windows: tuple[tuple[int, int, int], ...]


def parse_counters(text: str) -> Counters:
    """A scope's counters, zero if there are none yet."""
    if not text:
        return Counters(0, 0, ((0, 0, 0),) * len(PERIODS))
    try:
        used, held, *moved, starts = json.loads(text)
        windows = zip(map(int, starts.split(":")), moved[::2], moved[1::2], strict=True)
        return Counters(used, held, tuple(windows))
    except (AttributeError, TypeError, ValueError) as error:
        raise LedgerBroken(f"the counters of a scope cannot be read: {text!r}") from error


def parse_entry(entry_id: str, flat: list[str]) -> Entry:
    """A journal entry; its id is `<seq>-0`, its one field the values of ENTRY_FIELDS between tabs."""
    try:
        values = pairs(flat)["e"].split("\t", len(ENTRY_FIELDS) - 1)
        fields = dict(zip(ENTRY_FIELDS, values, strict=True))
        return Entry(
            seq=int(entry_id.partition("-")[0]),
            at_ms=int(fields.pop("at")),
            kind=EntryKind(fields.pop("kind")),
            hold_id=fields["id"],
            amount=int(fields.pop("amount")),
            charged=int(fields.pop("charged")),
            fields=fields,
        )
    except (KeyError, ValueError) as error:
        raise LedgerBroken(f"journal entry {entry_id} cannot be read: {error!r}") from error
