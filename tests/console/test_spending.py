"""The same spend split by five things, budgets beside their plans, holds and entries in words."""

from datetime import date
from typing import Any

import pytest

from gatekeeper.admin.operations.books import entry_document
from gatekeeper.console.holdlines import hold_lines
from gatekeeper.console.journallines import WORDS, line_of
from gatekeeper.console.planning import plans_of
from gatekeeper.console.spending import PARTS_MAX, month_query, months_around, splits_of
from gatekeeper.core.credits import MICRO
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.records import Entry, EntryKind, HoldState, OnUnknown
from gatekeeper.ledger.reports import OpenHold, UsageRow

NOW_MS = 1_795_352_700_000
"""2026-11-22, in the afternoon."""

MONTH = month_query("UTC", NOW_MS)


def row(model: str, credits: int, **changes: Any) -> UsageRow:  # noqa: A002
    """What was spent on a model today."""
    facts = {"operation": "o", "resolution": "1K", "phase": "", "provider": "p", "traits": (), "project": "spring"}
    day_ms = NOW_MS // 86_400_000 * 86_400_000
    rest = {"member": "amy", "generations": 1, "released": 0, "outputs": 1} | changes
    return UsageRow(day_ms, model, **facts, **rest, credits=credits * MICRO)  # type: ignore[arg-type]


def hold(**changes: Any) -> OpenHold:
    """A hold of a minute, with fourteen to go."""
    facts: dict[str, Any] = {
        "hold_id": "0" * 32, "state": HoldState.HELD, "amount": MICRO, "held_at_ms": NOW_MS - 60_000,
        "deadline_ms": NOW_MS + 840_000, "grace_ms": 0, "on_unknown": OnUnknown.RELEASE, "project": "", "member": "",
        "key_id": "", "price_list": "", "seq": 1,
    }  # fmt: skip
    return OpenHold(**(facts | changes))


def test_a_month_begins_with_its_first_day() -> None:
    """And ends today."""
    assert (date(2026, 11, 1), date(2026, 11, 22)) == (MONTH.first, MONTH.last)


def test_every_split_is_of_the_whole() -> None:
    """By whatever it is split, it adds up to the same, the largest first and with the longest bar."""
    splits = splits_of([row("a", 30), row("b", 60), row("c", 10, member="")], MONTH)

    assert ["model", "resolution", "project", "member", "phase"] == [split.by for split in splits]
    assert {100 * MICRO} == {split.total for split in splits} | {sum(p.credits for p in s.parts) for s in splits}
    assert [("b", 60.0, 100.0), ("a", 30.0, 50.0), ("c", 10.0, 16.67)] == [
        (part.name, part.percent, part.bar.used) for part in splits[0].parts
    ]
    assert "no member" in [part.name for part in splits[3].parts]


def test_many_parts_are_few_lines() -> None:
    """What is beyond them is one more line, so that they add up."""
    splits = splits_of([row(f"model-{number:02}", 10) for number in range(PARTS_MAX + 3)], MONTH)

    parts = splits[0].parts
    assert (PARTS_MAX + 1, "3 more", 30 * MICRO) == (len(parts), parts[-1].name, parts[-1].credits)


def test_a_plan_is_what_the_signals_say() -> None:
    """Amounts exactly, also such as no binary fraction has."""
    part = {
        "part": None, "share_percent": None, "credits_planned": None, "credits_charged": credits_number(73_500_001),
        "charged_percent": 12.5, "generations": 2, "holds_high_resolutions": False,
    }  # fmt: skip
    signal = {
        "diagnosis": "retry_storm", "detail": "Wait.", "credits_saved": credits_number(1), "facts": {}, "told_at": None
    }  # fmt: skip
    project = {
        "project": "spring", "per": "month", "window_start": "x", "window_end": None,
        "credits_budget": credits_number(3000 * MICRO), "credits_charged": credits_number(100_000_001),
        "credits_held": 0, "used_percent": 60.0, "elapsed_percent": 50.0, "parts": [part], "signals": [signal],
    }  # fmt: skip

    (plan,) = plans_of({"projects": [project]})

    assert (3000 * MICRO, 100_000_001, True) == (plan.budget, plan.charged, plan.is_ahead)
    assert ("outside the plan", 73_500_001, None) == (
        plan.parts[0].name,
        plan.parts[0].charged,
        plan.parts[0].planned,
    )
    assert ("The same request again and again", 1) == (plan.causes[0].title, plan.causes[0].saved)


@pytest.mark.parametrize(
    ("changes", "word", "left_s", "ends"),
    [
        ({}, "Running", 840.0, "then released"),
        ({"follows_job": True}, "Follows a job", 840.0, "then kept"),
        ({"state": HoldState.UNKNOWN, "on_unknown": OnUnknown.CHARGE}, "Outcome unknown", 840.0, "then charged"),
        ({"state": HoldState.UNKNOWN, "deadline_ms": None}, "Outcome unknown", None, "kept until somebody ends it"),
        ({"deadline_ms": NOW_MS - 5000}, "Running", -5.0, "then released"),
    ],
)
def test_a_hold_says_what_ends_it(changes: dict[str, Any], word: str, left_s: float | None, ends: str) -> None:
    """Its own result, time, or a person."""
    (line,) = hold_lines([hold(**changes)], NOW_MS)

    assert (word, 60.0, left_s, ends) == (line.state.word, line.age_s, line.left_s, line.ends)


def test_every_kind_of_entry_has_its_word() -> None:
    """A new one must not be shown as a code."""
    assert set(EntryKind) == set(WORDS)


def test_an_entry_says_whose_it_was() -> None:
    """And shows a charge only where one was made."""
    fields = {"member": "amy", "project": "spring", "actor": "", "key": "ci", "why": "made"}
    settled, granted = (
        line_of(entry_document(Entry(1, NOW_MS, kind, "x", 5, 3, fields)))
        for kind in (EntryKind.SETTLE, EntryKind.GRANT)
    )

    assert ("amy, spring, ci", 3, None) == (settled.by, settled.charged, granted.charged)


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("2026-10", date(2026, 10, 1), date(2026, 10, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-11", date(2026, 11, 1), date(2026, 11, 22)),
        ("2027-01", date(2026, 11, 1), date(2026, 11, 22)),
        ("2026-13", date(2026, 11, 1), date(2026, 11, 22)),
        ("x", date(2026, 11, 1), date(2026, 11, 22)),
    ],
)
def test_a_month_can_be_asked_for(wanted: str, first: date, last: date) -> None:
    """Whole, if it is over; what is none, or is to come, is the one that runs."""
    found = month_query("UTC", NOW_MS, wanted)

    assert (first, last) == (found.first, found.last)


def test_months_have_neighbours() -> None:
    """But after the one that runs there is none."""
    past = month_query("UTC", NOW_MS, "2026-10")

    assert (date(2026, 9, 1), date(2026, 11, 1)) == months_around(past, MONTH)
    assert (date(2026, 10, 1), None) == months_around(MONTH, MONTH)
