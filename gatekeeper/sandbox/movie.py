"""Short films that are real MP4 files: a few still pictures with a bar that moves, as Motion JPEG.

Exactly the pixels and the duration asked for; few frames, so that a file stays small. No sound is ever in it, whatever
was asked: what a request's audio costs is shown by an answer's facts and not by its file. Pure, like `picture`.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageDraw

from gatekeeper.sandbox.isomedia import Film, mux
from gatekeeper.sandbox.picture import MODEL_CHARS_MAX, Format, PictureSpec, draw

DURATION_S_MAX = 600.0
"""Longer than any model films; the file would not be larger, but a test that asks for more is mistaken."""

FRAMES_PER_S = 2
FRAMES_MAX = 24
"""Enough to see that it moves."""

FRAMES_MIN = 2

AREA_BUDGET_PX = 7_000_000
"""All frames together. At this quality a frame has 0.01 to 0.04 bytes a pixel: files stay under 300 KB, 400 in 4K."""

JPEG_QUALITY = 20
"""Letters have smudges around them; gradients stay whole."""

PROMPT_CHARS_MAX = 160
"""Letters are what costs bytes; the beginning of a prompt is enough to recognise it."""

TIMESCALE = 1_000
"""Ticks a second."""

CONTENT_TYPE = "video/mp4"


@dataclass(frozen=True, slots=True)
class MovieSpec:
    """All that decides a film. Build it with `movie_spec`, which keeps the texts short. `number` counts from 1."""

    prompt: str
    model: str
    width: int
    height: int
    duration_s: float
    number: int = 1
    of: int = 1

    @property
    def content_type(self) -> str:
        return CONTENT_TYPE

    @property
    def suffix(self) -> str:
        return "mp4"


def movie_spec(prompt: str, model: str, width: int, height: int, duration_s: float) -> MovieSpec:
    """The spec of a film, texts cut to what can be shown. Raises ValueError for a duration that is none."""
    if not 0 < duration_s <= DURATION_S_MAX:
        raise ValueError(f"a film has a duration of up to {DURATION_S_MAX:g} s, not {duration_s:g}")
    return MovieSpec(prompt[:PROMPT_CHARS_MAX], model[:MODEL_CHARS_MAX], width, height, float(duration_s))


def film(spec: MovieSpec) -> bytes:
    """Draws and muxes. CPU work, some 0.2 s for 1080p: keep it off the event loop."""
    count = frame_count(spec)
    still = draw(
        PictureSpec(spec.prompt, spec.model, spec.width, spec.height, spec.number, spec.of, Format.JPEG),
        note=f"{spec.duration_s:g} s",
    )
    frames = tuple(_frame(still, number / count) for number in range(1, count + 1))
    ticks = max(count, round(spec.duration_s * TIMESCALE))
    return mux(Film(spec.width, spec.height, TIMESCALE, ticks, frames))


def frame_count(spec: MovieSpec) -> int:
    """As many frames as its duration asks for and its pixels allow."""
    affordable = max(FRAMES_MIN, AREA_BUDGET_PX // (spec.width * spec.height))
    return min(FRAMES_MAX, affordable, max(FRAMES_MIN, round(spec.duration_s * FRAMES_PER_S)))


def _frame(still: Image.Image, along: float) -> bytes:
    """The picture with a bar at its foot, that far along, in JPEG."""
    image = still.copy()
    thick = max(2, image.height // 90)
    ImageDraw.Draw(image).rectangle(
        (0, image.height - thick, max(1, round(image.width * along)) - 1, image.height), fill=(235, 235, 240)
    )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return out.getvalue()
