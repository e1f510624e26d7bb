"""fal and Replicate, which host models of many vendors: every model has names of its own for the same settings.

The order of the ways to write a size follows what the families of models take; which of them says what is wanted is
seen when it is read again.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from gatekeeper.console.snippets.wire import PROMPT, VIDEO_URL, Wanted, Wire, said
from gatekeeper.core.request import Operation

_BY_SIZE: Final = re.compile(r"flux|seedream|z-image|dreamina|ideogram")
"""Families that fal takes pixels of."""

_SECONDS_SPELLED: Final = re.compile(r"veo|ray-2")
"""Films whose length has its unit with it at fal."""

_SERIES: Final = re.compile(r"seedream")
_LISTED_PICTURES: Final = re.compile(r"nano-banana|seedream|flux-2")
_SPEEDS: Final = re.compile(r"ideogram")


def write_fal(wanted: Wanted) -> Iterator[Wire]:
    """A picture at once, a film by the queue."""
    base = "/queue" if wanted.is_film else "/run"
    for shape in _fal_shapes(wanted):
        body = (
            said(prompt=None if wanted.scale else PROMPT)
            | shape
            | _settings(wanted, _fal_seconds(wanted))
            | _inputs(wanted)
        )
        if wanted.outputs:
            body["num_images"] = wanted.outputs
        yield Wire(f"{base}/{wanted.upstream_id}", body, call="subscribe" if wanted.is_film else "run")


def _fal_seconds(wanted: Wanted) -> str | None:
    if wanted.seconds_text is None:
        return None
    return f"{wanted.seconds_text}s" if _SECONDS_SPELLED.search(wanted.upstream_id) else wanted.seconds_text


def _fal_shapes(wanted: Wanted) -> list[dict[str, Any]]:
    named = said(aspect_ratio=wanted.ratio, resolution=wanted.tier_lower if wanted.is_film else wanted.tier)
    size = wanted.size
    if size is None:
        return [named, said(aspect_ratio=wanted.ratio), {}]
    pixels = {"image_size": {"width": size.width, "height": size.height}}
    ways = [pixels, named] if _BY_SIZE.search(wanted.upstream_id) and not wanted.is_film else [named, pixels]
    return [*ways, said(aspect_ratio=wanted.ratio)]


def write_replicate(wanted: Wanted) -> Iterator[Wire]:
    """A prediction of an official model."""
    for shape in _replicate_shapes(wanted):
        inputs = {"prompt": PROMPT} | shape | _settings(wanted, wanted.seconds) | _inputs(wanted) | _count(wanted)
        yield Wire(f"/v1/models/{wanted.upstream_id}/predictions", {"input": inputs}, call="predictions.create")


def _count(wanted: Wanted) -> dict[str, Any]:
    if wanted.outputs is None:
        return {}
    if _SERIES.search(wanted.upstream_id):
        series = wanted.outputs > 1
        return {"sequential_image_generation": "auto", "max_images": wanted.outputs} if series else {}
    return {"num_outputs": wanted.outputs}


def _replicate_shapes(wanted: Wanted) -> list[dict[str, Any]]:
    named = said(aspect_ratio=wanted.ratio, resolution=wanted.tier_lower if wanted.is_film else wanted.tier)
    size, ratio = wanted.size, said(aspect_ratio=wanted.ratio)
    if wanted.is_film or size is None:
        return [named, ratio, {}]
    sides = {"width": size.width, "height": size.height}
    if _SERIES.search(wanted.upstream_id):
        tiered = said(size=wanted.tier, aspect_ratio=wanted.ratio)
        return [tiered, {"size": "custom", **sides}, ratio]
    megapixels = (
        {"resolution": "1 MP" if wanted.tier == "1K" else "4 MP", **ratio} if wanted.tier in {"1K", "2K"} else ratio
    )
    if wanted.valid.size is not None and wanted.capability.size_range is not None:
        return [{"aspect_ratio": "custom", **sides}, named]
    return [named, megapixels, {"aspect_ratio": "custom", **sides}, ratio]


def _settings(wanted: Wanted, seconds: str | float | None) -> dict[str, Any]:
    """What is no size. Ideogram has speeds in place of qualities."""
    quality = "rendering_speed" if _SPEEDS.search(wanted.upstream_id) else "quality"
    found = said(
        duration=seconds,
        generate_audio=wanted.sound,
        enable_prompt_expansion=wanted.enhance,
        upscale_factor=wanted.scale,
    )
    return found | ({quality: wanted.valid.quality} if wanted.valid.quality else {})


def _inputs(wanted: Wanted) -> dict[str, Any]:
    """Pictures and films that go in."""
    urls = wanted.picture_urls
    found: dict[str, Any] = {"video_url": VIDEO_URL} if wanted.valid.input_video else {}
    if wanted.operation is Operation.IMAGE_UPSCALE:
        return found | {"image_url": "https://example.com/picture.png"}
    if not urls:
        return found
    if len(urls) > 1 or _LISTED_PICTURES.search(wanted.upstream_id):
        return found | {
            "image_urls" if "/" in wanted.upstream_id and "fal" in wanted.upstream_id else "image_input": urls
        }
    return found | {
        "image_url" if "fal" in wanted.upstream_id or "to-video" in wanted.upstream_id else "image": urls[0]
    }
