"""Five causes: each speaks from its threshold on and not below it, with the arithmetic of docs/budgets.md."""

from typing import Any

import pytest

from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.signals.diagnoses import Signal, diagnose
from tests.signals.scene import SPRING, a_row, a_span, prices


def told(*rows: UsageRow, project: Project = SPRING, **span: Any) -> dict[str, Signal]:
    """The signals about a project, by their diagnosis."""
    return {each.diagnosis: each for each in diagnose(project, rows, a_span(**span), prices())}


TOO_EARLY = "too_many_high_resolution_renders_too_early"


def test_finals_before_their_time() -> None:
    """60 % high where the plan has 25: of 300 credits 180 are high, 105 beyond the plan, a third of it to be saved."""
    signal = told(a_row(120, "1K"), a_row(180, "2K"))[TOO_EARLY]

    facts = signal.facts
    assert (180 * MICRO, 60.0, 25.0, 30.0) == (
        facts["credits_high"],
        facts["high_percent"],
        facts["planned_percent"],
        facts["used_percent"],
    )
    assert (105 * MICRO, 35 * MICRO) == (facts["credits_beyond_plan"], signal.credits_saved)
    assert "60 % of the credits spent so far went to high resolutions (2K)" in signal.detail


@pytest.mark.parametrize(
    ("low", "high", "fires"),
    [
        (65, 35, True),
        (66, 34, False),  # 34 % are less than ten points above the planned 25
        (64, 35, False),  # 99 credits are less than a tenth of the budget
        (300, 449, True),
        (300, 450, False),  # three quarters of the budget are used: finals are due
    ],
)
def test_where_too_early_begins_and_ends(low: int, high: int, fires: bool) -> None:
    """Ten points above the plan, from a tenth of the budget on, until all but the finals' share is used."""
    assert fires is (TOO_EARLY in told(a_row(low, "1K"), a_row(high, "4K")))


def test_a_pace_with_the_day_it_ends() -> None:
    """A third of the window has passed, and 600 of 1000 credits: at 60 a day they are gone after day 16.67."""
    signal = told(a_row(600), day=10)["burning_faster_than_plan"]

    facts = signal.facts
    assert 333_333_333 == facts["credits_planned_by_now"]
    assert (266_666_667, 180.0) == (facts["credits_ahead"], facts["pace_percent"])
    assert ("2026-11-17", "2026-11-17T16:00:00Z") == (facts["runs_out_on"], facts["runs_out_at"])
    assert "will run out on 2026-11-17, and its window ends on 2026-12-01" in signal.detail


@pytest.mark.parametrize(
    ("spent", "day", "fires"),
    [(500, 10, True), (499, 10, False), (900, 2.9, False), (900, 3, True), (99, 1, False), (1200, 10, True)],
)
def test_where_a_pace_is_told(spent: int, day: float, fires: bool) -> None:
    """From half above the linear plan, once a tenth of the window and of the budget is gone."""
    assert fires is ("burning_faster_than_plan" in told(a_row(spent), day=day))


def test_what_has_no_end_has_no_pace() -> None:
    """A budget for life cannot run out before its time."""
    assert {} == told(a_row(900), days=None)


def test_sound_that_nobody_asked_for() -> None:
    """150 credits of videos with sound at half as much again: 50 of them are the sound's."""
    video = a_row(150, "720P", model="mover", operation="video.generate", traits=("audio_default",), generations=10)

    signal = told(video)["audio_by_default"]

    assert (50 * MICRO, 150 * MICRO, 10) == (
        signal.credits_saved,
        signal.facts["credits_with_audio"],
        signal.facts["generations"],
    )
    assert "audio_by_default" not in told(a_row(149, "720P", model="mover", operation="video.generate"))


def test_sound_that_costs_nothing_is_no_cause() -> None:
    """At 1080P this model is no dearer with it."""
    row = a_row(900, "1080P", model="mover", operation="video.generate", traits=("audio_default",))

    assert "audio_by_default" not in told(row)


def test_retries_after_an_answer_are_waste() -> None:
    """Ten retries for 100 credits, four releases: six made the same picture twice, for 60."""
    rows = (a_row(100, traits=("retry",), generations=10), a_row(0, generations=0, released=4))

    signal = told(*rows)["retry_storm"]

    assert (60 * MICRO, 6, 10) == (signal.credits_saved, signal.facts["retries_wasted"], signal.facts["retries"])


def test_retries_after_failures_are_no_waste() -> None:
    """Each made what its first attempt did not."""
    rows = (a_row(100, traits=("retry",), generations=10), a_row(0, generations=0, released=10))

    assert "retry_storm" not in told(*rows)


@pytest.mark.parametrize(("retries", "others", "fires"), [(50, 110, True), (49, 10, False), (50, 120, False)])
def test_a_storm_that_costs_nothing_is_told_too(retries: int, others: int, fires: bool) -> None:
    """From 50 retries on that are 30 % of all attempts."""
    rows = (a_row(0, traits=("retry",), generations=0, released=retries), a_row(0, generations=others))

    assert fires is ("retry_storm" in told(*rows))


def test_the_same_prompt_at_a_high_resolution() -> None:
    """98 credits at 4K would have been 49 at 1K; what is repeated at 1K is nobody's concern."""
    found = told(a_row(98, "4K", traits=("repeated_prompt",), generations=2), a_row(98, traits=("repeated_prompt",)))

    signal = found["repeated_prompts_at_high_resolution"]
    assert (98 * MICRO, 49 * MICRO, 2) == (
        signal.facts["credits_repeated"],
        signal.credits_saved,
        signal.facts["generations"],
    )


def test_other_projects_are_left_out() -> None:
    """And so is what no row was kept for."""
    rows = (a_row(900, "4K", project="autumn"), a_row(900, "4K", project="", other=True))

    assert {} == told(*rows)


def test_a_project_without_a_budget_has_no_causes() -> None:
    """There is nothing to be ahead of."""
    assert {} == told(a_row(900, "4K"), project=Project("spring", 0))


def test_one_thing_is_told_as_one() -> None:
    """A picture was made, not 1 pictures were; so with a video."""
    one = a_row(100, "4K", traits=("repeated_prompt",), generations=1)
    two = a_row(200, "4K", traits=("repeated_prompt",), generations=2)
    key = "repeated_prompts_at_high_resolution"

    assert told(one)[key].detail.startswith("1 picture was made from a prompt")
    assert told(two)[key].detail.startswith("2 pictures were made from a prompt")
