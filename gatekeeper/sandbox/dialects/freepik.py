"""Freepik's upscalers: tasks, asked for at the path that made them. The precise one answers within `data`, the creative
one without, for both shapes are documented.
"""

from typing import Any

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
from gatekeeper.sandbox.inputs import picture_at
from gatekeeper.sandbox.jobs import Job, State
from gatekeeper.sandbox.picture import picture_spec
from gatekeeper.sandbox.sizing import upscaled

PRECISE = "image-upscaler-precision-v2"
CREATIVE = "image-upscaler"

SCALES = {"2x": 2, "4x": 4, "8x": 8, "16x": 16}
"""As the creative one spells them."""

SCALE_MAX = 16

STATUSES = {State.QUEUED: "CREATED", State.RUNNING: "IN_PROGRESS", State.DONE: "COMPLETED"}
"""Every other end is `FAILED`."""


async def upscale_precisely(call: Call) -> Answer:
    """A factor as a number."""
    fields = json_object(call.body)
    scale = whole_field(fields, "scale_factor", default=2, lowest=2, highest=SCALE_MAX)
    return json_answer({"data": _task(call, _start(call, PRECISE, fields, scale), "status")})


async def upscale_creatively(call: Call) -> Answer:
    """A factor with an x behind it."""
    fields = json_object(call.body)
    text = text_field(fields, "scale_factor", "2x")
    if text not in SCALES:
        raise ProviderError(400, f"scale_factor {text[:20]!r} is not one of {', '.join(SCALES)}.", param="scale_factor")
    return json_answer(_task(call, _start(call, CREATIVE, fields, SCALES[text]), "task_status"))


async def show_precise(call: Call) -> Answer:
    """Where a task stands, within `data`."""
    return json_answer({"data": _task(call, _find(call, PRECISE), "status")})


async def show_creative(call: Call) -> Answer:
    """Where a task stands, as such."""
    return json_answer(_task(call, _find(call, CREATIVE), "task_status"))


def _start(call: Call, model: str, fields: dict[str, Any], scale: int) -> Job:
    pixels = upscaled(picture_at(call, text_field(fields, "image"), "image"), scale)
    spec = picture_spec("upscaled", model, pixels.width, pixels.height)
    url = fields.get("webhook_url")
    teller = call.hooks.plain(url, lambda job: _task(call, job, "status")) if isinstance(url, str) else None
    return call.jobs.start("image", model, (spec,), call.behaviour, teller)


def _task(call: Call, job: Job, status_field: str) -> dict[str, Any]:
    generated = [call.file_url(spec) for spec in job.made]
    return {"task_id": job.id, status_field: STATUSES.get(job.state, "FAILED"), "generated": generated}


def _find(call: Call, model: str) -> Job:
    job = call.jobs.find(call.path_values["task"])
    if job is None or job.model != model:
        raise ProviderError(404, "Not found")
    return job


def say_error(error: ProviderError) -> Answer:
    """One sentence."""
    return json_answer({"message": error.message}, error.status, retry_headers(error.status))


DIALECT = Dialect(
    name="freepik",
    routes=(
        Route("POST", f"/v1/ai/{PRECISE}", upscale_precisely),
        Route("GET", f"/v1/ai/{PRECISE}/{{task}}", show_precise, generates=False),
        Route("POST", f"/v1/ai/{CREATIVE}", upscale_creatively),
        Route("GET", f"/v1/ai/{CREATIVE}/{{task}}", show_creative, generates=False),
    ),
    say_error=say_error,
)
