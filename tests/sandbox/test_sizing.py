"""Pixels from what a request says about size."""

import pytest

from gatekeeper.core.sizes import Pixels
from gatekeeper.sandbox.call import ProviderError
from gatekeeper.sandbox.sizing import pixels_asked, upscaled
from tests.cases import each_case


@each_case(
    ("size", "resolution", "aspect_ratio", "expected"),
    [
        (None, None, None, Pixels(1024, 1024)),
        ("auto", "auto", "auto", Pixels(1024, 1024)),
        ("1024x1536", None, None, Pixels(1024, 1536)),
        ("1664*928", "4K", "1:1", Pixels(1664, 928)),
        (None, "2K", None, Pixels(2048, 2048)),
        (None, "2k", "16:9", Pixels(2728, 1536)),
        (None, "1K", "9:16", Pixels(768, 1368)),
        (None, "512", "1:1", Pixels(512, 512)),
        (None, "4K", "8:1", Pixels(11584, 1448)),
        ("landscape_16_9", "1K", None, Pixels(1368, 768)),
        ("16x9", None, None, Pixels(1368, 768)),
        ("4K", None, "1:1", Pixels(4096, 4096)),
    ],
)
def test_the_plain_rule(size: str | None, resolution: str | None, aspect_ratio: str | None, expected: Pixels) -> None:
    """Pixels if they are given, else the tier's area in the ratio's shape, in steps of eight."""
    assert expected == pixels_asked(size, resolution, aspect_ratio)


@each_case(
    ("size", "resolution", "aspect_ratio", "field"),
    [
        ("big", None, None, "size"),
        (None, "gigantic", None, "resolution"),
        (None, None, "wide", "aspect_ratio"),
        ("8*8", None, None, "size"),
        ("12289x64", None, None, "size"),
        ("8192x8192", None, None, "size"),
        (None, "16K", None, "resolution"),
    ],
)
def test_what_cannot_be_drawn_names_its_field(
    size: str | None, resolution: str | None, aspect_ratio: str | None, field: str
) -> None:
    """A spelling that cannot be read and a size beyond the limits are both refused with 400."""
    with pytest.raises(ProviderError) as caught:
        pixels_asked(size, resolution, aspect_ratio)

    assert (400, field) == (caught.value.status, caught.value.param)


@each_case(
    ("given", "scale", "expected"),
    [
        (Pixels(1920, 1080), 2, Pixels(3840, 2160)),
        (Pixels(100, 50), 1.5, Pixels(150, 75)),
        (Pixels(4000, 4000), 16, Pixels(6324, 6324)),
        (Pixels(1000, 10), 16, Pixels(12288, 122)),
    ],
)
def test_an_upscale_multiplies_within_the_limits(given: Pixels, scale: float, expected: Pixels) -> None:
    """Beyond what is drawn, the largest picture of the same shape."""
    assert expected == upscaled(given, scale)
