"""xAI's REST API: pictures at once or deferred, videos as jobs, each with what it cost in ticks.

Costs are made up, of the right order. A job that runs is answered with 202 and nothing in it, as xAI does.
"""

import base64
from typing import Any

from gatekeeper.sandbox.call import (
    OUTPUTS_MAX,
    Answer,
    Call,
    Dialect,
    ProviderError,
    Route,
    json_answer,
    json_object,
    retry_headers,
    text_field,
    whole_field,
)
from gatekeeper.sandbox.jobs import Job, State
from gatekeeper.sandbox.movie import MovieSpec, movie_spec
from gatekeeper.sandbox.picture import PictureSpec, picture_spec
from gatekeeper.sandbox.sizing import film_pixels, pixels_asked
from gatekeeper.sandbox.studio import Spec

TICKS_PER_IMAGE = 200_000_000
TICKS_PER_SECOND = 500_000_000
"""Two US cents a picture, five a second of video."""

VIDEO_S_DEFAULT = 8.0
EXTENSION_S_DEFAULT = 6.0
SOURCE_S = 5.0
"""A video that goes in is not fetched: it lasts so long."""

JPEG_URL = "b64_json"
MODELS = ("grok-imagine-image", "grok-imagine-image-2.0", "grok-imagine-video", "grok-imagine-video-1.5")


async def generate(call: Call) -> Answer:
    """Pictures from a prompt."""
    return await _pictures(call, json_object(call.body))


async def edit(call: Call) -> Answer:
    """Pictures from a prompt and pictures, which are not looked at."""
    fields = json_object(call.body)
    if not fields.get("image") and not fields.get("images"):
        raise ProviderError(400, "image is required.", code="invalid_argument", param="image")
    return await _pictures(call, fields)


async def _pictures(call: Call, fields: dict[str, Any]) -> Answer:
    if "size" in fields:
        raise ProviderError(400, "Argument not supported: size", code="invalid_argument", param="size")
    pixels = pixels_asked(None, _given(fields, "resolution"), _given(fields, "aspect_ratio"))
    count = whole_field(fields, "n", default=1, lowest=1, highest=OUTPUTS_MAX)
    model = text_field(fields, "model")
    spec = picture_spec(text_field(fields, "prompt"), model, pixels.width, pixels.height)
    outputs = tuple(_numbered(spec, number, count) for number in range(1, count + 1))
    inline = fields.get("response_format") == JPEG_URL
    if fields.get("deferred") is True:
        job = call.jobs.start("image", model, outputs, call.behaviour, inline=inline)
        return json_answer({"request_id": job.id})
    if call.behaviour.job_moderated:
        return json_answer({"data": [{"url": "", "respect_moderation": False}], "usage": _usage(count)})
    made = outputs[: call.behaviour.made(count)]
    call.record.generated(model, len(made))
    return json_answer(await _data(call, made, inline=inline))


def _numbered(spec: PictureSpec, number: int, of: int) -> PictureSpec:
    return PictureSpec(spec.prompt, spec.model, spec.width, spec.height, number, of, spec.format)


def _given(fields: dict[str, Any], name: str) -> str | None:
    return text_field(fields, name) if fields.get(name) is not None else None


async def _data(call: Call, made: tuple[Spec, ...], *, inline: bool) -> dict[str, Any]:
    data = []
    for spec in made:
        if inline:
            encoded = base64.b64encode(await call.studio.encoded(spec)).decode()
            data.append({"b64_json": encoded, "mime_type": spec.content_type})
        else:
            data.append({"url": call.file_url(spec), "mime_type": spec.content_type})
    return {"data": data, "usage": _usage(len(made))}


def _usage(images: int) -> dict[str, int]:
    return {"cost_in_usd_ticks": images * TICKS_PER_IMAGE}


async def film(call: Call) -> Answer:
    """A video from a prompt, and from pictures, which are not looked at."""
    fields = json_object(call.body)
    return _start(call, fields, _seconds(fields, VIDEO_S_DEFAULT))


async def edit_film(call: Call) -> Answer:
    """A video as long as its source."""
    return _start(call, _with_video(call), SOURCE_S)


async def extend_film(call: Call) -> Answer:
    """A video that goes on from its source. The answer counts the source's seconds too."""
    fields = _with_video(call)
    return _start(call, fields, SOURCE_S + _seconds(fields, EXTENSION_S_DEFAULT))


def _with_video(call: Call) -> dict[str, Any]:
    fields = json_object(call.body)
    if not fields.get("video"):
        raise ProviderError(400, "video is required.", code="invalid_argument", param="video")
    return fields


def _seconds(fields: dict[str, Any], default: float) -> float:
    value = fields.get("duration", fields.get("seconds", default))
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise ProviderError(400, "duration must be a number.", code="invalid_argument", param="duration") from None
    if not 1 <= seconds <= 15:
        raise ProviderError(400, "duration must be 1 to 15.", code="invalid_argument", param="duration")
    return seconds


def _start(call: Call, fields: dict[str, Any], seconds: float) -> Answer:
    tier, ratio = _given(fields, "resolution") or "480p", _given(fields, "aspect_ratio") or "16:9"
    pixels = film_pixels(tier, ratio)
    model = text_field(fields, "model")
    spec = movie_spec(text_field(fields, "prompt"), model, pixels.width, pixels.height, seconds)
    job = call.jobs.start("video", model, (spec,), call.behaviour)
    return json_answer({"request_id": job.id})


async def show(call: Call) -> Answer:
    """Where a job stands, of either kind."""
    job = call.jobs.find(call.path_values["job"])
    if job is None:
        raise ProviderError(404, "No such request.", code="not_found")
    match job.state:
        case State.QUEUED | State.RUNNING:
            return Answer(b"", 202)
        case State.FAILED | State.CANCELLED:
            error = {"code": "internal_error", "message": "The sandbox was asked to fail."}
            return json_answer({"status": "failed", "request_id": job.id, "error": error})
        case State.EXPIRED:
            return json_answer({"status": "expired", "request_id": job.id})
        case _:
            return json_answer(await _done(call, job))


async def _done(call: Call, job: Job) -> dict[str, Any]:
    common = {"status": "done", "request_id": job.id, "model": job.model, "progress": 100}
    if job.kind == "image":
        told = await _data(call, job.made, inline=bool(job.facts["inline"]))
        return common | told
    (spec,) = job.outputs
    assert isinstance(spec, MovieSpec)
    seconds = round(spec.duration_s)
    fine = job.state is State.DONE and bool(job.made)
    video = {"url": call.file_url(spec) if fine else "", "duration": seconds, "respect_moderation": fine}
    return common | {"video": video, "usage": {"cost_in_usd_ticks": seconds * TICKS_PER_SECOND}}


async def list_models(_call: Call) -> Answer:
    return json_answer({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})


async def show_model(call: Call) -> Answer:
    """Any name is a model here."""
    return json_answer({"id": call.path_values["model"], "object": "model", "image_price": 2})


def say_error(error: ProviderError) -> Answer:
    """The `error` object of the first of xAI's two shapes."""
    told = {"message": error.message, "type": "invalid_request_error", "param": error.param, "code": error.code}
    return json_answer({"error": told}, error.status, retry_headers(error.status))


DIALECT = Dialect(
    name="xai",
    routes=(
        Route("POST", "/images/generations", generate),
        Route("POST", "/images/edits", edit),
        Route("GET", "/images/{job}", show, generates=False),
        Route("POST", "/videos/generations", film),
        Route("POST", "/videos/edits", edit_film),
        Route("POST", "/videos/extensions", extend_film),
        Route("GET", "/videos/{job}", show, generates=False),
        Route("GET", "/models", list_models, generates=False),
        Route("GET", "/models/{model}", show_model, generates=False),
        Route("GET", "/image-generation-models", list_models, generates=False),
        Route("GET", "/image-generation-models/{model}", show_model, generates=False),
        Route("GET", "/video-generation-models", list_models, generates=False),
        Route("GET", "/video-generation-models/{model}", show_model, generates=False),
    ),
    say_error=say_error,
    prefixes=("/v1", ""),
)
