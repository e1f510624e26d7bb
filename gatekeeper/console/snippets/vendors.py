"""Vendors with a format of their own and an SDK in Python: OpenAI, Recraft, xAI, Runway, Luma, Black Forest Labs."""

from collections.abc import Iterator
from typing import Any, Final

from gatekeeper.console.snippets.wire import PICTURE_URL, PROMPT, VIDEO_URL, Wanted, Wire, said
from gatekeeper.core.request import Operation

_BFL_TIERS: Final = {"720P": "hd", "1080P": "fhd"}
_BFL_SDK_MODELS: Final = ("flux-dev", "flux-pro-1.1-ultra")
"""The only two of the catalog's that the SDK knows."""


def write_openai(wanted: Wanted) -> Iterator[Wire]:
    """Pictures, and edits as a form; films."""
    if wanted.is_film:
        body = said(model=wanted.upstream_id, prompt=PROMPT, size=_size(wanted), seconds=wanted.seconds_text)
        yield Wire("/v1/videos", body, call="videos.create")
        return
    body = said(model=wanted.upstream_id, prompt=PROMPT, n=wanted.outputs, size=_size(wanted))
    body |= said(quality=wanted.valid.quality)
    if wanted.is_edit:
        yield Wire("/v1/images/edits", body, call="images.edit", is_form=True)
    else:
        yield Wire("/v1/images/generations", body, call="images.generate")


def write_recraft(wanted: Wanted) -> Iterator[Wire]:
    """OpenAI's shape; a size in pixels or as a ratio."""
    for size in (_size(wanted), wanted.ratio):
        body = said(model=wanted.upstream_id, prompt=PROMPT, size=size, n=wanted.outputs)
        if wanted.is_edit:
            yield Wire("/v1/images/imageToImage", body | {"strength": "0.5"}, is_form=True)
        else:
            yield Wire("/v1/images/generations", body, call="images.generate")


def write_xai(wanted: Wanted) -> Iterator[Wire]:
    """Tiers in lower case. Pictures that go in are objects."""
    urls = [{"url": url} for url in wanted.picture_urls]
    body = said(
        model=wanted.upstream_id,
        prompt=PROMPT,
        n=wanted.outputs,
        aspect_ratio=wanted.ratio,
        resolution=wanted.tier_lower,
        quality=wanted.valid.quality,
    )
    if wanted.is_film:
        film = body | said(duration=wanted.seconds, image=urls[0] if urls else None)
        film |= {"reference_images": urls[1:]} if len(urls) > 1 else {}
        yield Wire("/v1/videos/generations", film)
        return
    body |= {"image": urls[0]} if len(urls) == 1 else {"images": urls} if urls else {}
    path = "/v1/images/edits" if wanted.is_edit else "/v1/images/generations"
    yield Wire(path, body, call="" if urls else "images.generate")


def write_luma(wanted: Wanted) -> Iterator[Wire]:
    """A film; its length with its unit."""
    body = said(model=wanted.upstream_id, prompt=PROMPT, aspect_ratio=wanted.ratio, resolution=wanted.tier_lower)
    if wanted.seconds_text is not None:
        body["duration"] = f"{wanted.seconds_text}s"
    yield Wire("/dream-machine/v1/generations/video", body, call="generations.video.create")


def write_runway(wanted: Wanted) -> Iterator[Wire]:
    """One task for each kind. `ratio` is a pair of pixels for most models, a shape beside `resolution` for some."""
    if wanted.operation is Operation.IMAGE_UPSCALE:
        upscale = said(model=wanted.upstream_id, imageUri=PICTURE_URL, scaleFactor=wanted.scale)
        yield Wire("/v1/image_upscale", upscale, call="image_upscale.create")
        return
    for shape in _runway_shapes(wanted):
        body = said(model=wanted.upstream_id, promptText=PROMPT) | shape
        yield _runway_film(wanted, body) if wanted.is_film else _runway_picture(wanted, body)


def _runway_shapes(wanted: Wanted) -> list[dict[str, Any]]:
    """Of a picture the SDK takes pixels and nothing else."""
    size = wanted.size
    pairs = [] if size is None else [{"ratio": f"{size.width}:{size.height}"}]
    if not wanted.is_film:
        return pairs
    tier = said(resolution=wanted.tier_lower)
    return [*pairs, said(ratio=wanted.ratio) | tier, said(ratio=wanted.ratio), tier]


def _runway_picture(wanted: Wanted, body: dict[str, Any]) -> Wire:
    body |= said(quality=wanted.valid.quality)
    body |= {"outputCount": wanted.outputs} if (wanted.outputs or 1) > 1 else {}
    body |= {"referenceImages": [{"uri": url} for url in wanted.picture_urls]} if wanted.pictures else {}
    return Wire("/v1/text_to_image", body, call="text_to_image.create")


def _runway_film(wanted: Wanted, body: dict[str, Any]) -> Wire:
    body |= said(duration=wanted.seconds, audio=wanted.sound)
    if wanted.valid.input_video:
        body["referenceVideos"] = [{"type": "video", "uri": VIDEO_URL}]
    if not wanted.pictures:
        return Wire("/v1/text_to_video", body, call="text_to_video.create")
    return Wire("/v1/image_to_video", body | {"promptImage": PICTURE_URL}, call="image_to_video.create")


def write_bfl(wanted: Wanted) -> Iterator[Wire]:
    """Each model has a path; most take pixels, Ultra a ratio."""
    path = f"/v1/{wanted.upstream_id}"
    if wanted.is_film:
        body = {"mode": "i2v" if wanted.pictures else "t2v", "prompt": PROMPT}
        body |= said(resolution=_BFL_TIERS.get(wanted.tier or ""), duration=wanted.seconds, aspect_ratio=wanted.ratio)
        yield Wire(path, body | said(generate_audio=wanted.sound))
        return
    call = "generate" if wanted.upstream_id in _BFL_SDK_MODELS else ""
    for shape in _bfl_shapes(wanted):
        if shape or not call:  # where nothing is said the SDK fills in a size of its own, which may not be sold
            yield Wire(path, {"prompt": PROMPT, **shape, **_bfl_inputs(wanted)}, call=call)


def _bfl_shapes(wanted: Wanted) -> list[dict[str, Any]]:
    ratio = said(aspect_ratio=wanted.ratio)
    if wanted.size is None or "ultra" in wanted.upstream_id:
        return [ratio, {}]
    return [{"width": wanted.size.width, "height": wanted.size.height}, ratio]


def _bfl_inputs(wanted: Wanted) -> dict[str, Any]:
    first = "input_image" if "flux-2" in wanted.upstream_id else "image_prompt"
    names = [first, *(f"input_image_{number}" for number in range(2, wanted.pictures + 1))]
    return dict(zip(names, wanted.picture_urls, strict=False))


def _size(wanted: Wanted) -> str | None:
    return None if wanted.size is None else str(wanted.size)
