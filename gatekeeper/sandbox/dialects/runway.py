"""Runway's tasks: pictures, videos and upscales that are asked for until they have ended, with what they cost.

Costs are made up. As Runway has it, a task that fails is refunded, and one that is cancelled only if it did not run
yet. An upload is taken, and nothing is kept of it.
"""

from dataclasses import replace
from typing import Any

from gatekeeper.core.sizes import Pixels, Ratio, read_size
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
from gatekeeper.sandbox.inputs import picture_at
from gatekeeper.sandbox.jobs import Job, State, new_token
from gatekeeper.sandbox.movie import movie_spec
from gatekeeper.sandbox.picture import picture_spec
from gatekeeper.sandbox.sizing import film_pixels, upscaled, within_bounds
from gatekeeper.sandbox.studio import Spec

CREDITS_A_SECOND = 5
CREDITS_AN_IMAGE = 4

DURATION_S_DEFAULT = 5
DURATION_S_MAX = 60
SCALE_MAX = 16

FILM_DEFAULT = Pixels(1280, 720)
IMAGE_DEFAULT = Pixels(1024, 1024)

STATUSES = {
    State.QUEUED: "PENDING",
    State.RUNNING: "RUNNING",
    State.DONE: "SUCCEEDED",
    State.CANCELLED: "CANCELLED",
}
"""Every other end is `FAILED`."""

FAILURE_CODES = {State.MODERATED: "SAFETY.OUTPUT", State.EXPIRED: "INTERNAL.TIMEOUT"}
FAILURE_CODE = "INTERNAL.BAD_OUTPUT.CODE01"


async def make_images(call: Call) -> Answer:
    """Pictures from a prompt."""
    fields = json_object(call.body)
    pixels = _pixels(fields, IMAGE_DEFAULT)
    spec = picture_spec(text_field(fields, "promptText"), _model(fields), pixels.width, pixels.height)
    outputs = whole_field(fields, "outputCount", default=1, lowest=1, highest=OUTPUTS_MAX)
    specs = tuple(replace(spec, number=number, of=outputs) for number in range(1, outputs + 1))
    return _submit(call, "image", spec.model, specs, CREDITS_AN_IMAGE * outputs)


async def make_video(call: Call) -> Answer:
    """A video from a prompt, from pictures or from another video."""
    fields = json_object(call.body)
    pixels, duration_s = _pixels(fields, FILM_DEFAULT), _duration_s(fields)
    prompt = text_field(fields, "promptText", "without a prompt")
    spec = movie_spec(prompt, _model(fields), pixels.width, pixels.height, duration_s)
    return _submit(call, "video", spec.model, (spec,), CREDITS_A_SECOND * duration_s)


async def upscale(call: Call) -> Answer:
    """A picture of the input's size times the factor."""
    fields = json_object(call.body)
    scale = whole_field(fields, "scaleFactor", default=2, lowest=2, highest=SCALE_MAX)
    pixels = upscaled(picture_at(call, text_field(fields, "imageUri"), "imageUri"), scale)
    spec = picture_spec("upscaled", _model(fields), pixels.width, pixels.height)
    return _submit(call, "image", spec.model, (spec,), CREDITS_AN_IMAGE)


async def show(call: Call) -> Answer:
    """Where a task stands."""
    return json_answer(_task(call, _find(call)))


async def cancel(call: Call) -> Answer:
    """Ends a task that has not ended."""
    await _find(call).cancel()
    return Answer(b"", 204)


async def upload(call: Call) -> Answer:
    """Where a file could be put, if this were Runway."""
    name = text_field(json_object(call.body), "filename")
    token = new_token()
    return json_answer(
        {"uploadUrl": f"{call.base_url}/files/{token}", "fields": {"key": name}, "runwayUri": f"runway://{token}"}
    )


def _submit(call: Call, kind: Any, model: str, specs: tuple[Spec, ...], credits_: int) -> Answer:
    job = call.jobs.start(kind, model, specs, call.behaviour, credits=credits_)
    return json_answer({"id": job.id, "estimatedCost": {"credits": credits_}})


def _task(call: Call, job: Job) -> dict[str, Any]:
    status = STATUSES.get(job.state, "FAILED")
    task: dict[str, Any] = {"id": job.id, "status": status, "createdAt": "2026-11-01T00:00:00.000Z"}
    if not job.ended:
        progress = {"progress": job.progress(call.now_s())} if status == "RUNNING" else {}
        return task | progress | {"estimatedCost": {"credits": job.facts["credits"]}}
    charged = job.state is State.DONE or (job.state is State.CANCELLED and job.started_at_s is not None)
    task |= {"cost": {"credits": job.facts["credits"] if charged else 0}}
    if job.state is State.DONE:
        return task | {"output": [call.file_url(spec) for spec in job.made]}
    if status == "FAILED":
        code = FAILURE_CODES.get(job.state, FAILURE_CODE)
        return task | {"failure": "The sandbox was asked to fail.", "failureCode": code}
    return task


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["task"])
    if job is None:
        raise ProviderError(404, "Not found")
    return job


def _model(fields: dict[str, Any]) -> str:
    return text_field(fields, "model")


def _pixels(fields: dict[str, Any], default: Pixels) -> Pixels:
    """From `ratio`, which is mostly a size, or a shape beside `resolution`; what is left open is the default."""
    ratio = text_field(fields, "ratio", "auto")
    match read_size(ratio):
        case Pixels() as pixels:
            return within_bounds(pixels, "ratio")
        case Ratio(label):
            return film_pixels(text_field(fields, "resolution", "720p"), label)
        case _:
            return default


def _duration_s(fields: dict[str, Any]) -> int:
    if fields.get("duration") == "auto":
        return DURATION_S_DEFAULT
    return whole_field(fields, "duration", default=DURATION_S_DEFAULT, lowest=1, highest=DURATION_S_MAX)


def say_error(error: ProviderError) -> Answer:
    """A sentence, and the field at fault if it is one."""
    issues = {"issues": [{"path": [error.param], "message": error.message}]} if error.param else {}
    return json_answer({"error": error.message, **issues}, error.status, retry_headers(error.status))


DIALECT = Dialect(
    name="runway",
    routes=(
        Route("POST", "/v1/text_to_image", make_images),
        *(Route("POST", f"/v1/{what}", make_video) for what in ("text_to_video", "image_to_video", "video_to_video")),
        Route("POST", "/v1/image_upscale", upscale),
        Route("GET", "/v1/tasks/{task}", show, generates=False),
        Route("DELETE", "/v1/tasks/{task}", cancel, generates=False),
        Route("POST", "/v1/uploads", upload, generates=False),
    ),
    say_error=say_error,
)
