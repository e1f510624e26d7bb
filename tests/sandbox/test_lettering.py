"""Setting type: everything stays inside its box."""

import pytest

from gatekeeper.sandbox.lettering import Box, drawable, fit_line, font, set_text
from tests.cases import each_case

BOX = Box(width=400, height=300, type_px_max=60, type_px_min=10)


@each_case(
    "text",
    ["cat", "a quiet street in Lisbon after rain", "word " * 400, "x" * 500, "", "   ", "東京の夜 " * 30],
    ids=["short", "sentence", "long", "one long word", "empty", "blank", "no glyphs"],
)
def test_lines_stay_inside_the_box(text: str) -> None:
    """No line is wider than the box, and all of them together are not higher."""
    setting = set_text(text, BOX)

    widest = max(font(setting.type_px).getlength(line) for line in setting.lines)
    assert widest <= BOX.width
    assert setting.height <= BOX.height


def test_a_short_text_is_set_as_large_as_allowed() -> None:
    """Room is used."""
    assert BOX.type_px_max == set_text("cat", BOX).type_px


def test_a_text_that_fits_is_set_whole() -> None:
    """Wrapping loses no word."""
    text = "a quiet street in Lisbon after rain, yellow tram 28 climbing the hill"

    setting = set_text(text, BOX)

    assert (text, True) == (" ".join(setting.lines), setting.whole)


def test_a_text_too_long_ends_in_an_ellipsis() -> None:
    """What is left out is marked."""
    setting = set_text("word " * 2_000, BOX)

    assert (False, True) == (setting.whole, setting.lines[-1].endswith("..."))


def test_accents_are_dropped_rather_than_boxed() -> None:
    """The font has no accented letters; the plain ones are readable."""
    assert 'Ubergrossen facade - "x"' == drawable('Übergrößen façade – „x"')


@pytest.mark.parametrize(("width", "expected"), [(1_000, "gpt-image-2"), (60, "gpt-i..."), (1, "")])
def test_a_line_is_cut_to_its_width(width: float, expected: str) -> None:
    """The end goes first; when nothing fits, nothing is drawn."""
    assert expected == fit_line("gpt-image-2", width, 20)
