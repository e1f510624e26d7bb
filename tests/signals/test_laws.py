"""What holds for every history: nothing fires below its threshold, nothing saved is below zero or beyond the spend."""

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, MICRO
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.signals.diagnoses import BURN_PERCENT, EVIDENCE_PERCENT, HABIT_PERCENT, diagnose
from gatekeeper.signals.shape import is_high
from gatekeeper.signals.thresholds import reached
from tests.signals.scene import START_MS, a_row, a_span, prices

AMOUNTS = st.integers(0, AMOUNT_MICROCREDITS_MAX)
PERCENTS = st.lists(st.integers(1, 100), max_size=6)


@st.composite
def histories(draw: st.DrawFn) -> list[UsageRow]:
    """Rows of any model, tier, phase, trait and size; a refund may have left one below zero."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        model, operation, tiers = draw(
            st.sampled_from(
                [
                    ("painter", "image.generate", ("1K", "2K", "4K", "")),
                    ("mover", "video.generate", ("720P", "1080P")),
                    ("gone", "image.edit", ("2K", "odd")),
                    ("", "", ("",)),
                ]
            )
        )
        found.append(
            a_row(
                draw(st.integers(-100, 1000)),
                draw(st.sampled_from(tiers)),
                model=model,
                operation=operation,
                phase=draw(st.sampled_from(["", "iteration", "final", "fix"])),
                traits=tuple(draw(st.sets(st.sampled_from(["audio_default", "retry", "repeated_prompt"])))),
                generations=draw(st.integers(0, 100)),
                released=draw(st.integers(0, 100)),
                day_ms=START_MS,
            )
        )
    return found


@given(histories(), st.integers(0, 2000), st.floats(0, 30))
def test_no_cause_is_told_below_its_threshold(rows: list[UsageRow], budget: int, day: float) -> None:
    """Whatever was spent on what, and when."""
    project, span = Project("spring", budget * MICRO), a_span(day=day)
    spent = sum(row.credits for row in rows)

    for signal in diagnose(project, rows, span, prices()):
        assert 0 <= signal.credits_saved <= sum(max(row.credits, 0) for row in rows)
        match signal.diagnosis:
            case "too_many_high_resolution_renders_too_early":
                assert spent * 100 >= project.credits * EVIDENCE_PERCENT > 0
                high = sum(row.credits for row in rows if is_high(project, row.resolution))
                assert high * 100 >= spent * 35
                assert spent * 100 < project.credits * 75
            case "burning_faster_than_plan":
                assert spent * 30 * 86_400_000 * 100 >= project.credits * span.passed_ms * BURN_PERCENT
                assert signal.facts["runs_out_at"] < signal.facts["window_ends_at"]
            case "audio_by_default":
                assert signal.credits_saved * 100 >= project.credits * HABIT_PERCENT > 0
            case "repeated_prompts_at_high_resolution":
                assert signal.facts["credits_repeated"] * 100 >= project.credits * HABIT_PERCENT > 0
            case "retry_storm":
                cost = signal.credits_saved * 100 >= project.credits * HABIT_PERCENT > 0
                assert cost or (signal.facts["retries"] >= 50 and signal.facts["retries_percent"] >= 29.9)


@given(AMOUNTS, AMOUNTS, AMOUNTS, PERCENTS)
def test_more_use_reaches_no_less(limit: int, used: int, more: int, percents: list[int]) -> None:
    """A point that was reached stays reached as use grows."""
    assert set(reached(used, limit, percents)) <= set(reached(used + more, limit, percents))


@given(AMOUNTS, AMOUNTS, PERCENTS)
def test_no_point_is_reached_before_its_time(limit: int, used: int, percents: list[int]) -> None:
    """Each is at most the part that is used, exactly, and of nothing none is."""
    found = reached(used, limit, percents)

    assert all(limit and used * 100 >= limit * percent for percent in found)
    assert [percent for percent in sorted(set(percents)) if limit and used * 100 >= limit * percent] == found
