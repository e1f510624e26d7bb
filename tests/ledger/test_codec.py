"""Text in the store and records in the program are each other's mirror; foreign text is told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.ledger import codec, scripts
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.keys import TeamKeys, settle_names
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.records import Answer, Ending, HoldContext, HoldOrder, HoldState, OnUnknown
from gatekeeper.ledger.teamrecord import KeyRecord, Limit, OlderSecret, Per
from gatekeeper.ledger.wire import packed, unpacked
from tests.cases import each_case


def test_limits_go_there_and_back():
    """Limits survive being written and read, names with blanks and colons too."""
    limits = (Limit("team", Per.LIFETIME, 0), Limit("member:Amy: B", Per.HOUR, 9 * 10**15))

    assert limits == codec.parse_limits(codec.limits_text(limits))


def test_key_goes_there_and_back():
    """A key's record survives, with the secrets that are being replaced."""
    key = KeyRecord("a" * 64, "studio", "ci", "p", "m", ("generate", "read"), 5, True, (OlderSecret("b" * 64, 7),))

    assert key == codec.parse_key("studio", "ci", codec.key_text(key))


def test_open_hold_is_read():
    """The record of an open hold, field by field."""
    hold = codec.parse_hold("U\t49\t7\tc\t3\t1763\t1:2:3:4\tp\tm\tk\tprint\tlist\ta|b|||x|\t5=40,9=2")

    assert codec.StoredHold(
        HoldState.UNKNOWN, 49, 7, OnUnknown.CHARGE, 3, 1763, (1, 2, 3, 4), "p", "m", "k", "print", "list",
        "a|b|||x|", "5=40,9=2",
    ) == hold  # fmt: skip


def test_limit_of_an_odd_name_survives():
    """A name may hold any sign that is no control character, a line separator too."""
    limits = (Limit("member:a\u2028b\u0085c", Per.DAY, 5), Limit("team", Per.DAY, 6))

    assert limits == codec.parse_limits(codec.limits_text(limits))


def test_hold_with_a_job_is_kept():
    """In place of a policy stands that it follows a job: time does with it what it does with one to be kept."""
    hold = codec.parse_hold("H\t49\t7\tj\t3\t1763\t1:2:3:4\tp\tm\tk\tprint\tlist\t\t")

    assert (OnUnknown.KEEP, True) == (hold.on_unknown, hold.follows_job)


def test_counters_of_nobody_are_zero():
    """A scope that never spent has counters of zero."""
    assert codec.Counters(0, 0, ((0, 0, 0),) * 4) == codec.parse_counters("")


@each_case(
    "read",
    [
        lambda: codec.parse_limits("team\tfortnight\t5\n"),
        lambda: codec.parse_limits("team\tday\n"),
        lambda: codec.parse_team("a", {}),
        lambda: codec.parse_key("studio", "ci", "{}"),
        lambda: codec.parse_key("studio", "ci", "not json"),
        lambda: codec.parse_key("studio", "ci", '{"secrets":[{"sha256":"a"}],"scopes":[],"more":1}'),
        lambda: codec.parse_hold("H\t1"),
        lambda: codec.parse_hold("Z\t49\t7\tc\t3\t1763\t1:2:3:4\tp\tm\tk\tprint\tlist"),
        lambda: codec.parse_counters("1:2:3"),
        lambda: codec.parse_entry("1-0", ["e", "gift\t1\tx\t1\t0" + "\t" * 10]),
        lambda: codec.parse_entry("1-0", ["e", "hold\t1\tx"]),
        lambda: codec.parse_entry("1-0", []),
        lambda: codec.parse_figures("1:2:3"),
    ],
)
def test_foreign_text_is_broken(read: Callable[[], Any]):
    """Text the ledger did not write raises LedgerBroken, never a bare KeyError or ValueError."""
    with pytest.raises(LedgerBroken, match="cannot be read"):
        read()


_ORDER = HoldOrder(
    "0" * 32, "studio", 49, 1000, 60, OnUnknown.KEEP, "p", "m", "k", price_list="list", usage="a|b|||x|", meta='{"a":1}'
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"meta": '{"a":"ü"}'},
        {"fingerprint": "f"},
        {"shadow": "s"},
        {"once": "o", "project": "Straße"},
        {"once": "größe", "once_within_ms": 1000},
        {"once": "o", "fingerprint": "f"},
        {"once": "o", "shadow": "s"},
    ],
)
@pytest.mark.parametrize("amount", [0, 49, 9 * 10**15])
def test_an_order_goes_there_and_back(amount: int, changes: dict[str, Any]):
    """Whichever of its words are packed for many at once, in the number that tells what there is."""
    order = replace(_ORDER, amount=amount, **changes)

    words = codec.order_words(order)

    assert order == codec.read_order("studio", unpacked(words))
    assert words == packed(unpacked(words))


class Told:
    """A store that is told calls, and answers none."""

    def __init__(self):
        self.keys, self.calls = [], []

    def tell(self, _script, key, call):
        self.keys.append(key)
        self.calls.append(call)


@pytest.mark.parametrize("text", ["", "grün\r\n$5", "x" * 1000])
def test_an_end_with_its_answer_is_told_as_it_stands(text: str):
    """The answer's key is the eighth of them, and the answer and its time follow the words of the end."""
    ending = Ending("0" * 32, 49, "made", '{"a":1}', context=HoldContext(50, "p"), answer=Answer(text, 5000))
    words, store = codec.ending_words(ending), Told()

    scripts.ask_settle(store, "studio", ending, words)

    names = (*settle_names("studio", 0), f"{TeamKeys('studio').tag}:answer:{ending.hold_id}")
    expected = packed(("EVALSHA", script("settle").sha, 8, *names, *unpacked(words), text, 5000))
    assert ([names[0]], [expected]) == (store.keys, store.calls)
