"""Google: pictures from a conversation, Veo by a long-running prediction, Omni by an interaction."""

from collections.abc import Iterator
from typing import Any

from gatekeeper.console.snippets.wire import PROMPT, VIDEO_URL, Wanted, Wire, said

VERSION = "v1beta"


def write_gemini(wanted: Wanted) -> Iterator[Wire]:
    """By the family that the model is of."""
    if "omni" in wanted.upstream_id:
        yield _interaction(wanted)
    elif wanted.is_film:
        yield _prediction(wanted)
    else:
        yield _content(wanted)


def _content(wanted: Wanted) -> Wire:
    pictures = [{"fileData": {"mimeType": "image/png", "fileUri": url}} for url in wanted.picture_urls]
    config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
    image = said(aspectRatio=wanted.ratio, imageSize=wanted.tier if len(wanted.capability.resolutions) > 1 else None)
    if image:
        config["imageConfig"] = image
    body = {"contents": [{"parts": [{"text": PROMPT}, *pictures]}], "generationConfig": config}
    return Wire(f"/{VERSION}/models/{wanted.upstream_id}:generateContent", body, call="generate_content")


def _prediction(wanted: Wanted) -> Wire:
    instance: dict[str, Any] = {"prompt": PROMPT}
    if wanted.pictures:
        instance["image"] = {"gcsUri": "gs://example/picture.png", "mimeType": "image/png"}
    parameters = said(
        aspectRatio=wanted.ratio,
        resolution=wanted.tier_lower,
        durationSeconds=wanted.seconds,
        sampleCount=wanted.outputs,
        generateAudio=wanted.sound,
    )
    body = {"instances": [instance], "parameters": parameters}
    return Wire(f"/{VERSION}/models/{wanted.upstream_id}:predictLongRunning", body, call="generate_videos")


def _interaction(wanted: Wanted) -> Wire:
    form = said(type="video", resolution=wanted.tier_lower, aspect_ratio=wanted.ratio)
    if wanted.seconds_text is not None:
        form["duration"] = f"{wanted.seconds_text}s"
    parts: list[dict[str, Any]] = [{"type": "text", "text": PROMPT}]
    parts += [{"type": "image", "uri": url, "mime_type": "image/png"} for url in wanted.picture_urls]
    if wanted.valid.input_video:
        parts.append({"type": "video", "uri": VIDEO_URL, "mime_type": "video/mp4"})
    body = {"model": wanted.upstream_id, "input": PROMPT if len(parts) == 1 else parts, "response_format": form}
    return Wire(f"/{VERSION}/interactions", body, call="interactions.create")
