"""Figures as people read them."""

import pytest

from gatekeeper.console.words import credits_shown, length_shown, percent_shown, time_shown

THIN = "\u202f"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (73_500_000, "73.5"),
        (1_234_567_000_001, f"1{THIN}234{THIN}567.000001"),
        (-1_500_000_000, f"−1{THIN}500"),
        (999_000_000, "999"),
    ],
)
def test_credits_are_exact(amount: int, text: str) -> None:
    """With a thin space between the thousands, and no digit lost."""
    assert text == credits_shown(amount)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (-5, "0 s")],
)
def test_a_stretch_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    """What is smaller nobody needs."""
    assert text == length_shown(seconds).replace(THIN, " ")


def test_times_are_of_a_zone() -> None:
    """Of the team's own, where there is a team."""
    assert "2026-11-22 13:05" == time_shown(1_795_352_700_000, "UTC")
    assert "2026-11-22 14:05" == time_shown(1_795_352_700_000, "Europe/Berlin")


@pytest.mark.parametrize(("value", "text"), [(28.0, "28 %"), (22.5, "22.5 %"), (None, "–")])
def test_percents_are_short(value: float | None, text: str) -> None:
    """And a dash where there is none."""
    assert text == percent_shown(value).replace(THIN, " ")
