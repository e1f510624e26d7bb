"""A team's replayed books as text, and back: what stands in the store for the entries of a journal that were cut off.

Pure. The text says the same whatever way the books came about: replayed from the first entry, or from an earlier
checkpoint. Its size is that of the books themselves: open holds, grants and scopes, and what time resolved in the last
days; not that of the history.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.lots import Lot, Lots
from gatekeeper.ledger.records import HoldState
from gatekeeper.ledger.reports import Difference
from gatekeeper.ledger.tally import BookedUsage
from gatekeeper.ledger.verify import BookedCounters, BookedHold, Replay
from gatekeeper.ledger.walletbooks import BookedWallet

FORMAT: Final = 2
"""Grows when an older text would be misread."""

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def _hold(stored: dict[str, Any]) -> BookedHold:
    parts = [(int(seq), int(amount)) for seq, amount in stored["parts"]]
    return BookedHold(**{**stored, "state": HoldState(stored["state"]), "parts": parts})


def _lots(stored: dict[str, Any]) -> Lots:
    return Lots([Lot(**lot) for lot in stored["by_use"]])


def _wallet(stored: dict[str, Any]) -> BookedWallet:
    return BookedWallet(**stored)


def _counters(stored: dict[str, Any]) -> BookedCounters:
    return BookedCounters(**stored)


def _usage(stored: dict[str, Any]) -> BookedUsage:
    return BookedUsage(**stored)


def _table(read: Callable[[Any], Any], key: Callable[[str], Any] = str) -> Callable[[dict[str, Any]], dict[Any, Any]]:
    return lambda stored: {key(name): read(value) for name, value in stored.items()}


PARTS: Final[dict[str, Callable[[Any], Any]]] = {
    "seq": int,
    "at_ms": int,
    "granted": int,
    "charged": int,
    "expired": int,
    "held": int,
    "grants": _table(str),
    "lots": _lots,
    "open": _table(_hold),
    "by_time": _table(_hold),
    "wallet": _wallet,
    "use": _table(_counters),
    "usage": _usage,
    "written": _table(int, int),
}
"""Everything a replay goes on from, by the name of its attribute, with how to read it. Dataclasses, numbers, texts and
tables of them are written as they are."""


def to_text(replay: Replay) -> str:
    """The books after the last entry booked. What the store has forgotten is left out, here and in `replay`."""
    for day in [day for day in replay.written if replay.is_forgotten(day)]:
        replay.forget(day)
    replay.usage.forget(replay.at_ms)
    parts = {name: getattr(replay, name) for name in PARTS}
    return orjson.dumps({"format": FORMAT, **parts}, option=_OPTIONS).decode()


def from_text(text: str) -> Replay:
    """A replay that goes on from these books; for an empty text from none. Raises LedgerBroken."""
    replay = Replay()
    if not text:
        return replay
    try:
        stored = orjson.loads(text)
        known = {FORMAT: PARTS}[stored["format"]]
        for name, read in known.items():
            setattr(replay, name, read(stored[name]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerBroken(f"a checkpoint of a journal cannot be read: {error!r}") from error
    return replay


def first_difference(stored: str, derived: str) -> Difference | None:
    """Where two checkpoints first say something else, by name; None if they say the same."""
    if stored == derived:
        return None
    before, after = dict(_leaves("", _loaded(stored))), dict(_leaves("", _loaded(derived)))
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            return Difference(
                f"checkpoint: {name}", str(before.get(name, "none")), str(after.get(name, "none"))
            )  # fmt: skip
    return Difference("checkpoint", "the same written in another way", "the text as this version writes it")


def _loaded(text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _leaves(f"{name} {key}".strip(), inner)
