"""Spellings of a size and what they mean, without any model."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.sizes import (
    TEXT_LENGTH_MAX,
    Auto,
    Pixels,
    Ratio,
    SizeMeaning,
    Tier,
    Unreadable,
    ratio_value,
    read_size,
    tier_rank,
)
from tests.cases import each_case
from tests.core.strategies import PROPERTY


@each_case(
    ("text", "meaning"),
    [
        ("1024x1536", Pixels(1024, 1536)),
        ("1024X1536", Pixels(1024, 1536)),
        ("1024×1536", Pixels(1024, 1536)),
        (" 1024 x 1536 ", Pixels(1024, 1536)),
        ("1664*928", Pixels(1664, 928)),
        ("16*9", Pixels(16, 9)),
        ("1280:720", Pixels(1280, 720)),
        ("64x64", Pixels(64, 64)),
        ("16x9", Ratio("16:9")),
        ("16:9", Ratio("16:9")),
        ("16/9", Ratio("16:9")),
        ("016:09", Ratio("16:9")),
        ("16.0:9", Ratio("16:9")),
        ("9:19.5", Ratio("9:19.5")),
        ("63x64", Ratio("63:64")),
        ("1024x63", Ratio("1024:63")),
        ("landscape_16_9", Ratio("16:9")),
        ("landscape_4_3", Ratio("4:3")),
        ("portrait_4_3", Ratio("3:4")),
        ("portrait_16_9", Ratio("9:16")),
        ("portrait_2_3", Ratio("2:3")),
        ("social_story_9_16", Ratio("9:16")),
        ("square_1_1", Ratio("1:1")),
        ("square", Ratio("1:1")),
        ("square_hd", Ratio("1:1")),
        ("2K", Tier("2K")),
        ("2k", Tier("2K")),
        ("1.5K", Tier("1.5K")),
        ("768P", Tier("768P")),
        ("1080p", Tier("1080P")),
        ("512", Tier("512")),
        ("auto", Auto()),
        ("AUTO", Auto()),
    ],
)
def test_every_spelling_in_use_is_read(text: str, meaning: SizeMeaning) -> None:
    """Each spelling has one meaning."""
    assert meaning == read_size(text)


@each_case(
    "text",
    [
        "",
        "x",
        "big",
        "1024x",
        "x1024",
        "0x1024",
        "1024x0",
        "0*9",
        "0:0",
        "0.0:9",
        "16:9:4",
        "-16:9",
        "1e3x1e3",
        "1024.5x1536",
        "100.0:100.0",
        "9999999x9999999",
        "landscape_0_9",
        "landscape_16_0",
        "portrait_16",
        "22222",
        "K",
        "P",
        "2KK",
        "20000P",
        "١٠٢٤x١٠٢٤",
        "2K",
        "16:9\n:",
        "autos",
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    """What has no known form is kept as it is written, to be quoted."""
    assert Unreadable(text) == read_size(text)


def test_long_text_is_cut_and_not_read() -> None:
    """A text longer than any spelling is not searched, and only its beginning is kept."""
    assert Unreadable("1" * TEXT_LENGTH_MAX) == read_size("1" * 1_000_000)


@PROPERTY
@given(st.text(max_size=60) | st.from_regex(r"[a-z_]{0,12}[0-9.]{0,8}[xX*:/_][0-9.]{0,8}", fullmatch=True))
def test_reading_never_raises(text: str) -> None:
    """Any text has a meaning, and the meaning of a ratio or tier is itself readable and positive."""
    meaning = read_size(text)

    match meaning:
        case Ratio(label):
            assert ratio_value(label) > 0
        case Tier(name):
            assert tier_rank(name) >= 0
        case Pixels(width, height):
            assert min(width, height) > 0


@PROPERTY
@given(st.integers(64, 999_999), st.integers(64, 999_999))
def test_pixels_go_round(width: int, height: int) -> None:
    """The text of a size in pixels is read back as that size."""
    assert Pixels(width, height) == read_size(str(Pixels(width, height)))


@each_case(
    ("label", "value"),
    [
        ("16:9", Fraction(16, 9)),
        ("9:19.5", Fraction(18, 39)),
        ("1:1", Fraction(1)),
        ("99:98", Fraction(99, 98)),
    ],
)
def test_ratio_value_is_width_over_height(label: str, value: Fraction) -> None:
    """A label's value is exact."""
    assert value == ratio_value(label)


@each_case("label", ["", "16", "16x9", "0:9", "9:0", "a:b", "16:9:1"])
def test_ratio_value_refuses_what_is_no_ratio(label: str) -> None:
    """A label that is no ratio is a `ValueError`, zero sides included."""
    with pytest.raises(ValueError, match="not an aspect ratio"):
        ratio_value(label)


def test_tiers_are_ordered_by_their_lines() -> None:
    """Names with K and with P sort together."""
    assert ["480P", "512", "768P", "1K", "1080P", "1.5K", "2K", "4K"] == sorted(
        ["4K", "2K", "512", "1K", "1080P", "768P", "480P", "1.5K"], key=tier_rank
    )


@each_case("name", ["HD", "16:9", "", "auto"])
def test_tier_rank_refuses_what_is_no_tier(name: str) -> None:
    """A name that is no tier is a `ValueError`."""
    with pytest.raises(ValueError, match="not a resolution tier"):
        tier_rank(name)
