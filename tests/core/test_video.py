"""Lengths and sounds: what a model takes, what goes together, and what would do instead."""

from fractions import Fraction
from typing import Any

import pytest

from gatekeeper.core.alternatives import affordable, alternatives
from gatekeeper.core.credits import MICRO
from gatekeeper.core.lasting import durations_text
from gatekeeper.core.rejection import Code
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.spec import Audio, Capability, Combination
from gatekeeper.core.validate import validate
from tests.cases import each_case
from tests.factories import a_capability, a_model, a_request, a_video_capability, a_video_request

NO_LONG_1080P = (Combination("1080P", None, Fraction(10)),)
"""Ten seconds are made at 720P only."""


def valid(capability: Capability, **asked: Any) -> ValidRequest:
    """A request that must be valid."""
    found = validate(a_model(capability), a_video_request(**asked))
    assert isinstance(found, ValidRequest)
    return found


def wrong(capability: Capability, **asked: Any) -> list[tuple[Code, str, tuple[str, ...], str | None]]:
    """Code, field, what is allowed and the nearest of each violation."""
    found = validate(a_model(capability), a_video_request(**asked))
    assert not isinstance(found, ValidRequest)
    return [(v.code, v.field, v.supported, v.nearest) for v in found]


@each_case(
    ("seconds", "nearest"),
    [
        (Fraction(8), "10"),
        (Fraction(7), "5"),
        (Fraction(15, 2), "5"),
        (Fraction(0), "5"),
        (Fraction(-1), "5"),
        (Fraction(10**18), "10"),
        (Fraction(10**4000), "10"),
        (Fraction(1, 10**18), "5"),
    ],
)
def test_a_length_that_is_not_sold_is_refused_with_the_nearest(seconds: Fraction, nearest: str) -> None:
    """Negative, huge and tiny ones too; a tie goes to the shorter."""
    refused = (Code.UNSUPPORTED_DURATION, "duration_s", ("5", "10"), nearest)

    assert [refused] == wrong(a_video_capability(), duration_s=seconds)


def test_a_picture_takes_no_length() -> None:
    """There is nothing to choose from."""
    found = validate(a_model(), a_request(duration_s=Fraction(5)))

    assert not isinstance(found, ValidRequest)
    assert [(Code.UNSUPPORTED_DURATION, (), None)] == [(v.code, v.supported, v.nearest) for v in found]


@each_case(
    ("durations", "text"),
    [
        ((5, 10), ("5", "10")),
        ((1, 2, 3, 4, 5, 6, 7), ("1 to 7",)),
        ((2, 4, 6, 8, 10, 12, 14), ("2 to 14 in steps of 2",)),
        ((1, 2, 3, 4, 5, 6, 10), ("1", "2", "3", "4", "5", "6", "10")),
        ((), ()),
    ],
)
def test_many_even_lengths_are_told_as_a_range(durations: tuple[int, ...], text: tuple[str, ...]) -> None:
    """Few, or uneven ones, one by one."""
    assert text == durations_text([Fraction(each) for each in durations])


@each_case(
    ("changes", "asked", "length", "possible"),
    [
        ({}, {"duration_s": None}, None, (5, 10)),
        ({"duration_default": Fraction(10)}, {"duration_s": None}, 10, ()),
        ({"duration_default": Fraction(10)}, {"duration_s": None, "duration_auto": True}, None, (5, 10)),
        ({}, {"duration_auto": True}, None, (5, 10)),
        ({"durations": (Fraction(5),)}, {"duration_s": None}, 5, ()),
        ({"not_sold": NO_LONG_1080P}, {"duration_s": None, "resolution": "1080P"}, 5, ()),
    ],
)
def test_a_length_that_is_not_said(
    changes: dict[str, Any], asked: dict[str, Any], length: int | None, possible: tuple[int, ...]
) -> None:
    """Is the default if that is known, else all that is sold with the rest; `auto` outweighs a length beside it."""
    found = valid(a_video_capability(**changes), **asked)

    assert (length, possible) == (found.duration_s, found.durations_possible)


@each_case(
    ("changes", "audio", "found"),
    [
        ({}, True, (True, False)),
        ({}, False, (False, False)),
        ({}, None, (False, True)),
        ({"audio_default": True}, None, (True, False)),
        ({"audio": Audio.ALWAYS}, None, (True, False)),
        ({"audio": Audio.NONE}, False, (False, False)),
    ],
)
def test_sound(changes: dict[str, Any], audio: bool | None, found: tuple[bool, bool]) -> None:
    """As asked, as the model always does, as its default; else open."""
    request = valid(a_video_capability(**changes), audio=audio)

    assert found == (request.audio, request.audio_open)


@pytest.mark.parametrize(("kind", "asked", "allowed"), [(Audio.NONE, True, "false"), (Audio.ALWAYS, False, "true")])
def test_a_sound_that_the_model_has_not(kind: Audio, asked: bool, allowed: str) -> None:
    """Refused with the one there is."""
    refused = (Code.UNSUPPORTED_AUDIO, "audio", (allowed,), allowed)

    assert [refused] == wrong(a_video_capability(audio=kind), audio=asked)


def test_a_length_that_is_not_sold_at_a_tier_is_refused_as_a_combination() -> None:
    """With the lengths that this tier has."""
    refused = (Code.UNSUPPORTED_COMBINATION, "duration_s", ("5",), "5")

    found = wrong(a_video_capability(not_sold=NO_LONG_1080P), resolution="1080P", duration_s=Fraction(10))

    assert [refused] == found


def test_a_sound_that_is_not_sold_at_a_tier_is_refused_as_a_combination() -> None:
    """With the sound that would do."""
    silent = tuple(Combination("1080P", None, Fraction(s), True) for s in (5, 10))

    found = wrong(a_video_capability(not_sold=silent), resolution="1080P", audio=True)

    assert [(Code.UNSUPPORTED_COMBINATION, "audio", ("false",), "false")] == found


def test_a_tier_that_is_sold_with_nothing_names_the_others() -> None:
    """No length and no sound would help."""
    found = wrong(a_video_capability(not_sold=(Combination("1080P"),)), resolution="1080P")

    assert [(Code.UNSUPPORTED_COMBINATION, "resolution", ("720P 16:9",), "720P 16:9")] == found


def test_an_open_tier_is_narrowed_to_those_with_the_length() -> None:
    """Ten seconds leave one tier, which is then the tier."""
    found = valid(a_video_capability(not_sold=NO_LONG_1080P), resolution=None, duration_s=Fraction(10))

    assert ("720P", ()) == (found.resolution, found.resolutions_possible)


def told(found: tuple[Any, ...]) -> list[tuple[str | None, int, bool | None, int]]:
    """Tier, length, sound and credits of alternatives."""
    return [(each.resolution, int(each.duration_s), each.audio, each.credits // MICRO) for each in found]


def test_alternatives_to_a_wrong_length_are_the_nearest_ones() -> None:
    """Everything else stays."""
    found = alternatives(a_model(a_video_capability()), a_video_request(duration_s=Fraction(7)))

    assert [("720P", 5, False, 10), ("720P", 10, False, 20)] == told(found)


def test_alternatives_to_a_combination_change_the_length_or_the_tier() -> None:
    """The same seconds at another tier, the same tier with other seconds."""
    model = a_model(a_video_capability(not_sold=NO_LONG_1080P))

    found = alternatives(model, a_video_request(resolution="1080P", duration_s=Fraction(10), audio=None))

    assert [("1080P", 5, None, 15), ("720P", 10, None, 30)] == told(found)


def test_what_a_team_can_afford_is_shorter_silent_or_smaller() -> None:
    """10 seconds with sound at 720P cost 30: one setting changed first, then two."""
    model, asked = a_model(a_video_capability()), a_video_request(duration_s=Fraction(10), audio=True)

    twenty, twelve = (told(affordable(model, asked, left * MICRO)) for left in (20, 12))

    assert {("720P", 5, True, 15), ("720P", 10, False, 20), ("720P", 5, False, 10)} <= set(twenty)
    assert [("720P", 5, False, 10)] == twelve


def test_input_counts_are_never_below_nothing() -> None:
    """A count below zero is none."""
    assert (0, 3) == tuple(valid(a_video_capability(), reference_images=n).reference_images for n in (-2, 3))


def test_a_capability_without_tiers_takes_a_length() -> None:
    """Video need not have tiers."""
    bare = a_capability(resolutions=(), aspect_ratios=(), pixels={}, durations=(Fraction(5),))

    found = validate(a_model(bare), a_request(duration_s=Fraction(5)))

    assert isinstance(found, ValidRequest)
    assert Fraction(5) == found.duration_s
