"""Alibaba's DashScope: pictures at once or as tasks, videos as tasks.

Its habits are kept: a task nobody knows is `UNKNOWN` in HTTP 200, a picture that moderation takes away is an error in
HTTP 200, and the older protocol answers in another shape than the newer one. Unlike the real one it also cancels a
task that runs already.
"""

from collections.abc import Mapping
from typing import Any

from gatekeeper.core.sizes import Pixels
from gatekeeper.sandbox.call import (
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
from gatekeeper.sandbox.jobs import Job, State, new_token
from gatekeeper.sandbox.movie import MovieSpec
from gatekeeper.sandbox.orders import one_film, pictures
from gatekeeper.sandbox.picture import PictureSpec
from gatekeeper.sandbox.sizing import film_pixels, pixels_asked

IMAGES_MAX = 12
WAN_IMAGES = 4
"""What a Wan model makes when `n` is not given; others make one."""

DURATION_S = 5
ASYNC_HEADER = "X-DashScope-Async"

STATUSES = {
    State.QUEUED: "PENDING",
    State.RUNNING: "RUNNING",
    State.DONE: "SUCCEEDED",
    State.FAILED: "FAILED",
    State.MODERATED: "FAILED",
    State.CANCELLED: "CANCELED",
    State.EXPIRED: "UNKNOWN",
}
ERRORS = {State.FAILED: "InternalError.Timeout", State.MODERATED: "DataInspectionFailed"}


async def generate_images(call: Call) -> Answer:
    """Pictures of the newer protocol: at once, or as a task if the header says so."""
    specs = _pictures(json_object(call.body))
    if _asynchronous(call):
        return _started(call, "image", specs, protocol="choices")
    made = specs[: call.behaviour.made(len(specs))]
    call.record.generated(specs[0].model, len(made))
    if not made:
        return json_answer(_error("DataInspectionFailed", "Output data may contain inappropriate content."))
    output = {"choices": [_choice(call, spec) for spec in made]}
    return json_answer({"output": output, "usage": _usage(made), "request_id": new_token()})


async def start_images(call: Call) -> Answer:
    """Pictures of the older protocol: as a task only."""
    _need_header(call)
    return _started(call, "image", _pictures(json_object(call.body)), protocol="results")


async def start_video(call: Call) -> Answer:
    """A video: as a task only."""
    _need_header(call)
    return _started(call, "video", (_film(json_object(call.body)),), protocol="video")


async def get_task(call: Call) -> Answer:
    """Where a task stands, for every kind."""
    job = call.jobs.find(call.path_values["job"])
    if job is None or "protocol" not in job.facts:
        return json_answer(_task(call.path_values["job"], "UNKNOWN"))
    told = _task(job.id, STATUSES[job.state])
    if job.state in ERRORS:
        told["output"] |= {"code": ERRORS[job.state], "message": "The sandbox was asked to fail."}
    if job.state is State.DONE:
        told["output"] |= _made(call, job)
        told["usage"] = _usage_of(job)
    return json_answer(told)


async def cancel_task(call: Call) -> Answer:
    """Cancels a task that has not ended."""
    job = call.jobs.find(call.path_values["job"])
    if job is None or not await job.cancel():
        message = "Failed to cancel the task, please confirm if the task is in PENDING status."
        raise ProviderError(400, message, code="UnsupportedOperation")
    return json_answer({"request_id": new_token()})


def say_error(error: ProviderError) -> Answer:
    """The flat error body."""
    return json_answer(_error(error.code or "InternalError", error.message), error.status, retry_headers(error.status))


def _error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message, "request_id": new_token()}


def _asynchronous(call: Call) -> bool:
    return call.headers.get(ASYNC_HEADER, "").lower() == "enable"


def _need_header(call: Call) -> None:
    if not _asynchronous(call):
        raise ProviderError(403, "current user api does not support synchronous calls.", code="AccessDenied")


def _task(task_id: str, status: str) -> dict[str, Any]:
    return {"request_id": new_token(), "output": {"task_id": task_id, "task_status": status}}


def _started(call: Call, kind: Any, specs: tuple[Any, ...], *, protocol: str) -> Answer:
    job = call.jobs.start(kind, specs[0].model, specs, call.behaviour, job_id=new_token(), protocol=protocol)
    return json_answer(_task(job.id, STATUSES[job.state]))


def _settings(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields.get("parameters") or {}


def _prompt(fields: Mapping[str, Any]) -> str:
    """From `prompt`, or from the texts of the messages."""
    inside = fields.get("input") or {}
    texts = [inside.get("prompt")]
    for message in inside.get("messages") or ():
        content = message.get("content")
        texts += [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
    return " ".join(text for text in texts if text)


def _pictures(fields: Mapping[str, Any]) -> tuple[PictureSpec, ...]:
    model = text_field(fields, "model")
    default = WAN_IMAGES if model.startswith("wan") else 1
    count = whole_field(_settings(fields), "n", default=default, lowest=1, highest=IMAGES_MAX)
    pixels = pixels_asked(text_field(_settings(fields), "size", "1K"), None, None)
    return pictures(_prompt(fields), model, pixels, count)


def _film(fields: Mapping[str, Any]) -> MovieSpec:
    settings = _settings(fields)
    if "size" in settings:
        pixels = pixels_asked(text_field(settings, "size"), None, None)
    else:
        ratio = text_field(settings, "ratio", "16:9")
        pixels = film_pixels(text_field(settings, "resolution", "720P"), "16:9" if ratio == "adaptive" else ratio)
    return one_film(_prompt(fields), text_field(fields, "model"), pixels, settings.get("duration") or DURATION_S)


def _choice(call: Call, spec: PictureSpec) -> dict[str, Any]:
    content = [{"type": "image", "image": call.file_url(spec)}]
    return {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}


def _usage(made: tuple[PictureSpec, ...]) -> dict[str, Any]:
    return {"image_count": len(made), "width": made[0].width, "height": made[0].height}


def _made(call: Call, job: Job) -> dict[str, Any]:
    match job.facts["protocol"]:
        case "video":
            return {"video_url": call.file_url(job.made[0])} if job.made else {}
        case "choices":
            return {"choices": [_choice(call, spec) for spec in job.made if isinstance(spec, PictureSpec)]}
        case _:
            missing = [{"code": "DataInspectionFailed", "message": "-"}] * (len(job.outputs) - len(job.made))
            return {"results": [*({"url": call.file_url(spec)} for spec in job.made), *missing]}


def _usage_of(job: Job) -> dict[str, Any]:
    spec = job.outputs[0]
    size = {"size": f"{spec.width}*{spec.height}"}
    if not isinstance(spec, MovieSpec):
        return {"image_count": len(job.made), **size}
    return {"duration": round(spec.duration_s), "SR": _lines(Pixels(spec.width, spec.height)), "video_count": 1, **size}


def _lines(pixels: Pixels) -> int:
    """The tier that Alibaba calls a film of these pixels: by their number, a square of 960 being 720P."""
    return next((lines for lines, area in ((480, 450_000), (720, 1_000_000)) if pixels.area <= area), 1080)


_SERVICES = "/services/aigc"


DIALECT = Dialect(
    name="dashscope",
    routes=(
        Route("POST", f"{_SERVICES}/multimodal-generation/generation", generate_images),
        Route("POST", f"{_SERVICES}/image-generation/generation", generate_images),
        Route("POST", f"{_SERVICES}/text2image/image-synthesis", start_images),
        Route("POST", f"{_SERVICES}/image2image/image-synthesis", start_images),
        Route("POST", f"{_SERVICES}/video-generation/video-synthesis", start_video),
        Route("POST", f"{_SERVICES}/image2video/video-synthesis", start_video),
        Route("GET", "/tasks/{job}", get_task, generates=False),
        Route("POST", "/tasks/{job}/cancel", cancel_task, generates=False),
    ),
    say_error=say_error,
    prefixes=("/api/v1", ""),
)
