"""Ark (ByteDance), DashScope (Alibaba), Kling, MiniMax: houses that speak JSON of their own, each in its own way."""

from collections.abc import Iterator
from typing import Any, Final

from gatekeeper.console.snippets.wire import PICTURE_URL, PROMPT, VIDEO_URL, Wanted, Wire, said

_KLING_MODES: Final = {"720P": "std", "1080P": "pro", "4K": "4k"}

_ASYNC: Final = (("X-DashScope-Async", "enable"),)
"""Films are tasks, and Alibaba wants to be told that this is known."""


def write_ark(wanted: Wanted) -> Iterator[Wire]:
    """Pictures in pixels or by tier; films by a list of contents."""
    if wanted.is_film:
        yield Wire("/api/v3/contents/generations/tasks", _ark_film(wanted))
        return
    sizes = [*([str(wanted.size)] if wanted.size is not None else []), wanted.tier]
    for size in sizes:
        body = said(model=wanted.upstream_id, prompt=PROMPT, size=size, image=_one_or_more(wanted.picture_urls))
        if (wanted.outputs or 1) > 1:
            body["sequential_image_generation"] = "auto"
            body["sequential_image_generation_options"] = {"max_images": wanted.outputs}
        yield Wire("/api/v3/images/generations", body)


def _ark_film(wanted: Wanted) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": PROMPT}]
    content += [{"type": "image_url", "image_url": {"url": url}} for url in wanted.picture_urls]
    if wanted.valid.input_video:
        content.append({"type": "video_url", "video_url": {"url": VIDEO_URL}})
    settings = said(
        resolution=wanted.tier_lower, ratio=wanted.ratio, duration=wanted.seconds, generate_audio=wanted.sound
    )
    return {"model": wanted.upstream_id, "content": content, **settings}


def _one_or_more(urls: list[str]) -> Any:
    return None if not urls else urls[0] if len(urls) == 1 else urls


def write_dashscope(wanted: Wanted) -> Iterator[Wire]:
    """Sizes with a star. Films that begin with a picture take a tier, others pixels."""
    size = None if wanted.size is None else f"{wanted.size.width}*{wanted.size.height}"
    if not wanted.is_film:
        content = [*({"image": url} for url in wanted.picture_urls), {"text": PROMPT}]
        parameters = said(size=size, n=wanted.outputs, prompt_extend=wanted.valid.enhance_prompt)
        body = {"model": wanted.upstream_id, "input": {"messages": [{"role": "user", "content": content}]}}
        yield Wire("/api/v1/services/aigc/multimodal-generation/generation", body | {"parameters": parameters})
        return
    inputs = {"prompt": PROMPT} | ({"img_url": PICTURE_URL} if wanted.pictures else {})
    for shape in (said(size=size), said(resolution=wanted.tier), {}):
        parameters = shape | said(duration=wanted.seconds, audio=wanted.sound)
        body = {"model": wanted.upstream_id, "input": inputs, "parameters": parameters}
        yield Wire("/api/v1/services/aigc/video-generation/video-synthesis", body, headers=_ASYNC)


def write_kling(wanted: Wanted) -> Iterator[Wire]:
    """The tier is a mode, sound a word, the length a text."""
    kind = "omni-video" if "omni" in wanted.upstream_id else "image2video" if wanted.pictures else "text2video"
    body = said(
        model_name=wanted.upstream_id,
        prompt=PROMPT,
        mode=_KLING_MODES.get(wanted.tier or ""),
        duration=wanted.seconds_text,
        aspect_ratio=wanted.ratio,
        sound=None if wanted.sound is None else "on" if wanted.sound else "off",
        image=PICTURE_URL if wanted.pictures else None,
    )
    yield Wire(f"/v1/videos/{kind}", body)


def write_minimax(wanted: Wanted) -> Iterator[Wire]:
    """Pictures by ratio or pixels, films by tier."""
    if wanted.is_film:
        first = PICTURE_URL if wanted.pictures else None
        body = said(model=wanted.upstream_id, prompt=PROMPT, first_frame_image=first, duration=wanted.seconds)
        yield Wire("/v1/video_generation", body | said(resolution=wanted.tier))
        return
    size = wanted.valid.size
    for shape in (
        said(aspect_ratio=wanted.ratio),
        {} if size is None else {"width": size.width, "height": size.height},
    ):
        body = said(model=wanted.upstream_id, prompt=PROMPT, n=wanted.outputs)
        yield Wire("/v1/image_generation", body | shape)
