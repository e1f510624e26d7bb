"""Pictures have the pixels asked for, can be read, and repeat."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from gatekeeper.sandbox.picture import (
    AREA_PX_MAX,
    Format,
    UnreadableImageError,
    colours,
    luminance,
    open_image,
    paint,
    picture_spec,
)
from tests.cases import each_case

SPEC = picture_spec("a cat", "m", 256, 192)


@pytest.mark.parametrize(
    "size",
    [(16, 16), (17, 64), (1024, 1024), (1536, 1024), (1344, 576), (48, 2048), (4096, 128)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
@pytest.mark.parametrize("format_", Format)
def test_a_picture_decodes_to_exactly_its_pixels(
    size: tuple[int, int], format_: Format, pixels: Callable[[bytes], Any]
) -> None:
    """Every shape in every encoding."""
    made = paint(picture_spec("a lighthouse at dusk", "m", *size, format_))

    assert (format_.name, size) == pixels(made)


def test_the_same_spec_gives_the_same_bytes() -> None:
    """Nothing depends on the moment."""
    assert paint(SPEC) == paint(SPEC)


@each_case(
    "other",
    [replace(SPEC, prompt="a dog"), replace(SPEC, model="n"), replace(SPEC, number=2, of=2), replace(SPEC, blocks=6)],
    ids=["prompt", "model", "number", "preview"],
)
def test_every_part_of_a_spec_shows(other: Any) -> None:
    """Two specs that differ make two pictures that differ."""
    assert paint(SPEC) != paint(other)


@each_case("prompt", [f"prompt {number}" for number in range(60)])
def test_white_text_has_contrast_on_every_background(prompt: str) -> None:
    """WCAG AA asks for 4.5:1 between text and what is behind it."""
    lightest = max(luminance((r / 255, g / 255, b / 255)) for r, g, b in colours(replace(SPEC, prompt=prompt)))

    assert 1.05 / (lightest + 0.05) >= 4.5


def test_the_prompt_is_drawn_within_its_margins() -> None:
    """White pixels are there, and none of them in the outer twentieth."""
    with Image.open(io.BytesIO(paint(picture_spec("a lighthouse at dusk " * 9, "m", 512, 512)))) as image:
        white = image.convert("L").point(lambda value: 255 if value > 240 else 0).getbbox()

    assert white is not None
    assert min(white[0], white[1], 512 - white[2], 512 - white[3]) > 512 / 20


def test_an_input_image_shows_through() -> None:
    """On a black input the corner is black, on a white one it keeps its colour."""
    black, white = Image.new("RGB", (30, 20), "black"), Image.new("RGB", (30, 20), "white")

    with Image.open(io.BytesIO(paint(SPEC, black))) as dark, Image.open(io.BytesIO(paint(SPEC, white))) as light:
        assert (0, 0, 0) == dark.getpixel((0, 0))
        assert (0, 0, 0) != light.getpixel((0, 0))


def test_texts_in_a_spec_are_bounded() -> None:
    """A thousand remembered specs stay small whatever was sent."""
    spec = picture_spec("x" * 10**6, "m" * 10**6, 64, 64)

    assert (2_000, 120) == (len(spec.prompt), len(spec.model))


@each_case(
    "data",
    [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"GIF89a"],
    ids=["empty", "text", "broken", "head only"],
)
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    """Damage is an error of one kind, whatever the decoder raises."""
    with pytest.raises(UnreadableImageError, match="not an image"):
        open_image(data)


def test_a_truncated_image_is_refused(png: Callable[..., bytes]) -> None:
    """A file that was cut on the way does not pass for whole."""
    with pytest.raises(UnreadableImageError):
        open_image(png(200, 200)[:-40])


@pytest.mark.parametrize("side", [7_000, 10_000, 14_000])
def test_an_image_of_too_many_pixels_is_refused(side: int, png: Callable[..., bytes]) -> None:
    """Also where the decoder itself would only warn, or refuse in its own way."""
    out = io.BytesIO()
    Image.new("1", (side, side)).save(out, "PNG")

    with pytest.raises(UnreadableImageError, match=str(AREA_PX_MAX)):
        open_image(out.getvalue())
