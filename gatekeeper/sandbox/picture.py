"""One picture: a soft gradient made from the prompt's hash, the prompt set on it, and a line that says what it is.

Pure drawing with Pillow: the same spec gives the same pixels. It knows nothing of HTTP, dialects or caches, and it
makes no attempt to draw what the prompt describes.
"""

import colorsys
import hashlib
import io
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageChops, ImageDraw

from gatekeeper.sandbox.lettering import Box, fit_line, font, set_text

SIDE_PX_MAX = 12_288
"""The longest side any tier gives by the plain rule is 4K at 8:1 (11,584 px); WebP ends at 16,383."""

AREA_PX_MAX = 40_000_000
"""A 4K square is 16.8 megapixels; at 40 one picture costs about 120 MB while it is drawn, and no more."""

PROMPT_CHARS_MAX = 2_000
"""More cannot be read on a picture, and a spec must stay small enough to keep a thousand of them."""

MODEL_CHARS_MAX = 120
"""Longer than any model id in use."""

BACKDROP_SIDE_PX_MAX = 2_048
"""An input image is shrunk to this before use: it is shown darkened under text, where more would not be seen."""

JPEG_QUALITY = 90
"""Text keeps clean edges at this quality; nothing depends on the figure."""

LUMINANCE_MAX = 0.16
"""WCAG relative luminance of the lightest background: white text on it has a contrast of 5:1 at least (AA is 4.5)."""

TYPE_PX_LEGIBLE_MIN = 8
"""Below this size letters are smudges: a very small picture shows its colours only."""

MESH = 4
"""Colours per side of the mesh that is stretched into the gradient: enough to look alive, too few to look busy."""


class Format(StrEnum):
    """The encodings the sandbox can make."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def content_type(self) -> str:
        return f"image/{self.value}"


class UnreadableImageError(Exception):
    """Bytes that were sent as an image are not one, or one too large to open. The text is for the caller."""


@dataclass(frozen=True, slots=True)
class PictureSpec:
    """All that decides a picture's pixels. Build it with `picture_spec`, which keeps the texts short.

    `number` counts from 1 within `of`; `blocks` > 0 is a preview that coarse, as a picture still in the making.
    """

    prompt: str
    model: str
    width: int
    height: int
    number: int = 1
    of: int = 1
    format: Format = Format.PNG
    blocks: int = 0

    @property
    def content_type(self) -> str:
        return self.format.content_type

    @property
    def suffix(self) -> str:
        return self.format.value


def picture_spec(prompt: str, model: str, width: int, height: int, format_: Format = Format.PNG) -> PictureSpec:
    """The spec of a single picture, texts cut to what can be shown."""
    return PictureSpec(
        prompt=prompt[:PROMPT_CHARS_MAX],
        model=model[:MODEL_CHARS_MAX],
        width=width,
        height=height,
        format=format_,
    )


def paint(spec: PictureSpec, backdrop: Image.Image | None = None) -> bytes:
    """Draw and encode. CPU work, some 35 ms for a square of 1024 px: keep it off the event loop."""
    return _encode(draw(spec, backdrop), spec.format)


def draw(spec: PictureSpec, backdrop: Image.Image | None = None, note: str = "") -> Image.Image:
    """The picture itself. `note` stands in its foot beside the pixels."""
    image = _background(spec)
    if backdrop is not None:
        image = ImageChops.multiply(image, _cover(backdrop, image.size))
    _write(image, spec, note)
    return _coarse(image, spec.blocks) if spec.blocks else image


def open_image(data: bytes) -> Image.Image:
    """An image that a caller sent, decoded and shrunk for use as a backdrop.

    Raises:
        UnreadableImageError: not an image, damaged, or more pixels than `AREA_PX_MAX`.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > AREA_PX_MAX:
                raise UnreadableImageError(f"has {image.width}x{image.height} pixels; {AREA_PX_MAX} is the most")
            whole = image.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(f"has too many pixels; {AREA_PX_MAX} is the most") from error
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow's decoders answer damage with any of these three.
        raise UnreadableImageError("is not an image that can be decoded") from error
    whole.thumbnail((BACKDROP_SIDE_PX_MAX, BACKDROP_SIDE_PX_MAX))
    return whole


def colours(spec: PictureSpec) -> list[tuple[int, int, int]]:
    """The mesh of background colours, row by row: two neighbouring hues, dark enough for white text."""
    digest = hashlib.sha256(f"{spec.prompt}\0{spec.model}\0{spec.number}".encode()).digest()
    start = digest[0] / 256
    turn = (0.12 + 0.16 * digest[1] / 255) * (1 if digest[2] % 2 else -1)
    cells = list[tuple[int, int, int]]()
    for index in range(MESH * MESH):
        row, column = divmod(index, MESH)
        along = (row + column) / (2 * (MESH - 1))
        drift = (digest[3 + index] / 255 - 0.5) * 0.08
        value = 0.30 + 0.55 * (1 - along) + (digest[16 + index % 16] / 255 - 0.5) * 0.24
        cells.append(_dark_enough(colorsys.hsv_to_rgb((start + turn * along + drift) % 1, 0.72, value)))
    return cells


def luminance(colour: tuple[float, float, float]) -> float:
    """WCAG relative luminance of an RGB colour with channels from 0 to 1."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _dark_enough(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    while luminance(colour) > LUMINANCE_MAX:
        colour = (colour[0] * 0.96, colour[1] * 0.96, colour[2] * 0.96)
    return (int(colour[0] * 255), int(colour[1] * 255), int(colour[2] * 255))


def _background(spec: PictureSpec) -> Image.Image:
    mesh = Image.new("RGB", (MESH, MESH))
    mesh.putdata(colours(spec))
    # From pixel centre to pixel centre: the outer half pixels would be stretched into flat borders.
    inner = (0.5, 0.5, MESH - 0.5, MESH - 0.5)
    return mesh.resize((spec.width, spec.height), Image.Resampling.BICUBIC, box=inner)


def _cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`picture` enlarged and cropped about its middle to fill `size`."""
    scale = max(wanted / given for wanted, given in zip(size, picture.size, strict=True))
    width, height = size[0] / scale, size[1] / scale
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    box = (max(0.0, left), max(0.0, top), min(picture.width, left + width), min(picture.height, top + height))
    return picture.resize(size, Image.Resampling.BILINEAR, box=box)


def _write(image: Image.Image, spec: PictureSpec, note: str) -> None:
    short = min(image.size)
    if short < 6 * TYPE_PX_LEGIBLE_MIN:
        return
    margin = short * 0.075
    small_px = max(TYPE_PX_LEGIBLE_MIN, short * 0.024)
    pen = ImageDraw.Draw(image)
    foot = image.height - margin - small_px
    _write_foot(pen, spec, note, (margin, foot), small_px)
    box = Box(
        width=image.width - 2 * margin,
        height=foot - 2 * margin,
        type_px_max=short * 0.105,
        type_px_min=max(TYPE_PX_LEGIBLE_MIN, short * 0.022),
    )
    _write_prompt(pen, spec.prompt, box, margin)


def _write_prompt(pen: ImageDraw.ImageDraw, prompt: str, box: Box, margin: float) -> None:
    if box.height < box.type_px_min:
        return
    setting = set_text(prompt, box)
    face = font(setting.type_px)
    pitch = min(box.height, setting.height) / len(setting.lines)
    # A line of type starts with room for accents; without it the capitals would hang below the margin.
    top = margin - 0.22 * setting.type_px
    for number, line in enumerate(setting.lines):
        pen.text((margin, top + number * pitch), line, font=face, fill=(255, 255, 255), anchor="la")


def _write_foot(
    pen: ImageDraw.ImageDraw, spec: PictureSpec, note: str, at: tuple[float, float], type_px: float
) -> None:
    width = spec.width - 2 * at[0]
    numbered = f"{spec.number} of {spec.of}" if spec.of > 1 else ""
    facts = [fact for fact in (f"{spec.width}x{spec.height}", note, numbered, "sandbox") if fact]
    line = fit_line("  ·  ".join([spec.model, *facts]), width, type_px)
    rule_y = at[1] - type_px * 0.9
    pen.line([(at[0], rule_y), (spec.width - at[0], rule_y)], fill=(150, 150, 160), width=max(1, int(type_px / 14)))
    pen.text(at, line, font=font(type_px), fill=(235, 235, 240), anchor="la")


def _coarse(image: Image.Image, blocks: int) -> Image.Image:
    """The picture as a preview with `blocks` cells along its short side, at its full size."""
    short = min(image.size)
    cells = tuple(max(1, round(side * blocks / short)) for side in image.size)
    return image.resize((cells[0], cells[1]), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def _encode(image: Image.Image, format_: Format) -> bytes:
    out = io.BytesIO()
    match format_:
        case Format.PNG:
            # Level 2: a third of the time of the default level, and gradients stay small all the same.
            image.save(out, "PNG", compress_level=2)
        case Format.JPEG:
            image.save(out, "JPEG", quality=JPEG_QUALITY)
        case Format.WEBP:
            image.save(out, "WEBP", quality=JPEG_QUALITY, method=0)
    return out.getvalue()
