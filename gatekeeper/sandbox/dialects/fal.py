"""fal: `/run/{id}` answers with the output, `/queue/{id}` with a place in the queue, then status, result, cancel.

Shapes as fal_client 1.0 reads them. A job that is over is COMPLETED however it ended, and its result has the model's
own status; addresses about a job keep the first two segments of the id. `x-fal-billable-units` counts seconds of film
or begun megapixels of picture, which is made up.
"""

import math
from collections.abc import AsyncIterator
from typing import Any

import orjson

from gatekeeper.sandbox.call import Answer, Call, Dialect, ProviderError, Route, json_answer, json_object, retry_headers
from gatekeeper.sandbox.hosted import Order, read_order, sides
from gatekeeper.sandbox.jobs import Job, State
from gatekeeper.sandbox.movie import MovieSpec
from gatekeeper.sandbox.studio import Spec

NAMESPACES = ("workflows", "comfy")

STATUSES = {State.QUEUED: "IN_QUEUE", State.RUNNING: "IN_PROGRESS"}
"""Every other state is COMPLETED."""

ENDS = {
    State.FAILED: (500, "The runner broke.", "runner_server_error"),
    State.EXPIRED: (504, "Request timed out.", "request_timeout"),
    State.CANCELLED: (499, "The request was cancelled.", "client_cancelled"),
}
"""What the result of a job says that made nothing: status, text and type."""

MODERATED = {
    "loc": ["body", "prompt"],
    "msg": "The content could not be processed because it was flagged by a content checker.",
    "type": "content_policy_violation",
}


async def run(call: Call) -> Answer:
    """The output at once."""
    order = _read(call)
    if call.behaviour.job_moderated:
        return json_answer({"detail": [MODERATED]}, 422)
    made = order.outputs[: call.behaviour.made(len(order.outputs))]
    call.record.generated(order.model, **{"images": 0, f"{order.kind}s": len(made)})
    return json_answer(_output(call, order.kind, made), 200, _units(made))


async def stream(call: Call) -> Answer:
    """The output as events, each of which shows all there is so far."""
    order = _read(call)
    made = order.outputs[: call.behaviour.made(len(order.outputs))]
    call.record.generated(order.model, **{"images": 0, f"{order.kind}s": len(made)})
    return Answer(_events(call, order, made), content_type="text/event-stream")


async def submit(call: Call) -> Answer:
    """A place in the queue."""
    order, url = _read(call), call.query.get("fal_webhook")
    hook = None if url is None else call.hooks.fal(url, lambda job: _event(call, job))
    job = call.jobs.start(order.kind, order.model, order.outputs, call.behaviour, hook)
    about = f"{call.base_url}/fal/queue/{_app(order.model)}/requests/{job.id}"
    return json_answer({
        "status": "IN_QUEUE", "request_id": job.id, "queue_position": 0, "response_url": about,
        "status_url": f"{about}/status", "cancel_url": f"{about}/cancel",
    })  # fmt: skip


async def status(call: Call) -> Answer:
    """202 while it is under way, 200 once it is over."""
    job = _find(call)
    word = STATUSES.get(job.state, "COMPLETED")
    told: dict[str, Any] = {"status": word, "request_id": job.id}
    told |= {"queue_position": 0} if job.state is State.QUEUED else {"logs": None}
    if job.ended:
        told["metrics"] = {"inference_time": (job.ended_at_s or 0.0) - (job.started_at_s or 0.0)}
    if job.state in ENDS:
        told |= {"error": ENDS[job.state][1], "error_type": ENDS[job.state][2]}
    return json_answer(told, 200 if job.ended else 202)


async def result(call: Call) -> Answer:
    """What was made, or why nothing was, with the status that the model gave."""
    job = _find(call)
    if not job.ended:
        raise ProviderError(400, "Request is still in progress")
    if job.state is State.MODERATED:
        return json_answer({"detail": [MODERATED]}, 422, {"x-fal-error-type": "content_policy_violation"})
    if job.state in ENDS:
        code, text, kind = ENDS[job.state]
        return json_answer({"detail": text, "error_type": kind}, code, {"x-fal-error-type": kind})
    return json_answer(_output(call, job.kind, job.made), 200, _units(job.made))


async def cancel(call: Call) -> Answer:
    """A wish, which is granted at once here."""
    if not await _find(call).cancel():
        return json_answer({"status": "ALREADY_COMPLETED"}, 400)
    return json_answer({"status": "CANCELLATION_REQUESTED"}, 202)


def say_error(error: ProviderError) -> Answer:
    """A text, and a type where there is one."""
    told = {"detail": error.message} | ({"error_type": error.code} if error.code else {})
    return json_answer(told, error.status, retry_headers(error.status))


def _read(call: Call) -> Order:
    return read_order(call.path_values["model"], json_object(call.body))


def _app(model: str) -> str:
    parts = model.split("/")
    return "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["job"])
    if job is None or not f"{job.model}/".startswith(f"{call.path_values['app']}/"):
        raise ProviderError(404, "Request not found")
    return job


def _output(call: Call, kind: str, made: tuple[Spec, ...]) -> dict[str, Any]:
    files = [{"url": call.file_url(spec), "content_type": spec.content_type, **sides(spec)} for spec in made]
    if kind == "video":
        return {"video": files[0] if files else None, "seed": 1}
    return {"images": files, "seed": 1, "has_nsfw_concepts": [False] * len(files)}


def _units(made: tuple[Spec, ...]) -> dict[str, str]:
    return {"x-fal-billable-units": f"{sum(map(_unit, made)):g}"}


def _unit(spec: Spec) -> float:
    return spec.duration_s if isinstance(spec, MovieSpec) else math.ceil(spec.width * spec.height / 1024**2)


def _event(call: Call, job: Job) -> dict[str, Any]:
    told: dict[str, Any] = {"request_id": job.id, "gateway_request_id": job.id, "status": "OK"}
    if job.state is State.DONE:
        return told | {"payload": _output(call, job.kind, job.made)}
    if job.state is State.MODERATED:
        return told | {"status": "ERROR", "error": "Invalid status code: 422", "payload": {"detail": [MODERATED]}}
    _, text, kind = ENDS[job.state]
    return told | {"status": "ERROR", "error": text, "error_type": kind, "payload": {"detail": text}}


async def _events(call: Call, order: Order, made: tuple[Spec, ...]) -> AsyncIterator[bytes]:
    for shown in ({"progress": 0.5}, _output(call, order.kind, made)):
        yield b"data: " + orjson.dumps(shown) + b"\n\n"


_JOB = "/queue/{app:[^/]+/[^/]+(?:/[^/]+)?}/requests/{job}"

DIALECT = Dialect(
    name="fal",
    routes=(
        Route("POST", "/run/{model:.+}/stream", stream),
        Route("POST", "/run/{model:.+}", run),
        Route("POST", "/queue/{model:.+}", submit),
        Route("GET", f"{_JOB}/status", status, generates=False),
        Route("GET", _JOB, result, generates=False),
        Route("GET", f"{_JOB}/response", result, generates=False),
        Route("PUT", f"{_JOB}/cancel", cancel, generates=False),
    ),
    say_error=say_error,
)
