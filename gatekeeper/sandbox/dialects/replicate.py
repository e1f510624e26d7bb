"""Replicate: predictions of a model, of a version or of a deployment; they are polled, or waited for with `Prefer`.

Shapes as replicate 1.0 reads them. A moderated prediction has failed, an expired one is `aborted`, on which that SDK
stumbles. Files that are uploaded are forgotten at once; models and versions are whatever is asked for.
"""

import datetime as dt
import re
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
)
from gatekeeper.sandbox.hosted import read_order
from gatekeeper.sandbox.jobs import Job, State, new_token

WAIT_S_MAX = 60.0
"""What `Prefer: wait` waits, and the most that it may be told to."""

STATUSES = {
    State.QUEUED: "starting",
    State.RUNNING: "processing",
    State.DONE: "succeeded",
    State.FAILED: "failed",
    State.MODERATED: "failed",
    State.EXPIRED: "aborted",
    State.CANCELLED: "canceled",
}
ERRORS = {State.FAILED: "The model broke.", State.MODERATED: "The prompt was flagged as sensitive (E005)."}
TITLES = {402: "Insufficient credit", 404: "Not found", 422: "Invalid input"}

VERSION = "0" * 64
_WAIT = re.compile(r"wait(?:=(\d{1,2}))?")


async def create(call: Call) -> Answer:
    """A prediction. One that was not over in the time it was waited for says `starting`, so that the SDK goes on."""
    body = json_object(call.body)
    fields = body.get("input")
    if not isinstance(fields, dict):
        raise ProviderError(422, "input is required.", param="input")
    order = read_order(_model(call, body), fields)
    url = body.get("webhook")
    hook = None if url is None else call.hooks.standard(str(url), lambda job: _show(call, job))
    facts: dict[str, Any] = {"input": fields, "listed": "num_outputs" in fields, "asked": _hook_asked(body)}
    job = call.jobs.start(order.kind, order.model, order.outputs, call.behaviour, hook, **facts)
    if await _waited(call, job):
        return json_answer(_show(call, job), 201)
    return json_answer(_show(call, job) | {"status": "starting"}, 201)


async def show(call: Call) -> Answer:
    """How it stands."""
    return json_answer(_show(call, _find(call)))


async def cancel(call: Call) -> Answer:
    """Ends it, if it has not ended."""
    job = _find(call)
    await job.cancel()
    return json_answer(_show(call, job))


async def take_file(call: Call) -> Answer:
    """A name for bytes that nobody keeps."""
    name = new_token()
    return json_answer({
        "id": name, "name": "file", "content_type": "application/octet-stream", "size": len(call.body), "etag": name,
        "checksums": {}, "metadata": {}, "created_at": _time(call.now_s()), "expires_at": None,
        "urls": {"get": f"{call.base_url}/replicate/v1/files/{name}"},
    }, 201)  # fmt: skip


async def model(call: Call) -> Answer:
    """Any model is one here."""
    owner, name = call.path_values["owner"], call.path_values["name"]
    return json_answer({
        "url": f"{call.base_url}/{owner}/{name}", "owner": owner, "name": name, "description": None,
        "visibility": "public", "github_url": None, "paper_url": None, "license_url": None, "run_count": 0,
        "cover_image_url": None, "default_example": None, "latest_version": _version(VERSION),
    })  # fmt: skip


async def versions(_call: Call) -> Answer:
    return json_answer({"previous": None, "next": None, "results": [_version(VERSION)]})


async def version(call: Call) -> Answer:
    return json_answer(_version(call.path_values["id"]))


def say_error(error: ProviderError) -> Answer:
    """A problem document."""
    title = TITLES.get(error.status, "The sandbox refused or failed this request")
    problem = {"title": title, "detail": error.message, "status": error.status, "type": "about:blank"}
    return json_answer(problem, error.status, retry_headers(error.status))


def _model(call: Call, body: dict[str, Any]) -> str:
    path = call.path_values
    return f"{path['owner']}/{path['name']}" if "owner" in path else text_field(body, "version").partition(":")[0]


async def _waited(call: Call, job: Job) -> bool:
    """Whether the caller wanted to wait, and the job ended in that time."""
    match = _WAIT.fullmatch(call.headers.get("Prefer", ""))
    if match is None:
        return False
    return await job.wait(min(float(match[1] or WAIT_S_MAX), WAIT_S_MAX))


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["job"])
    if job is None:
        raise ProviderError(404, "The requested resource could not be found.")
    return job


def _show(call: Call, job: Job) -> dict[str, Any]:
    urls = [call.file_url(spec) for spec in job.made]
    about = f"{call.base_url}/replicate/v1/predictions/{job.id}"
    ran_s = max(0.0, (job.ended_at_s or call.now_s()) - job.started_at_s) if job.started_at_s is not None else None
    asked: dict[str, Any] = job.facts["asked"]
    return asked | {
        "id": job.id, "model": job.model, "version": "hidden", "input": job.facts["input"], "logs": "",
        "output": (urls if job.facts["listed"] or len(urls) > 1 else urls[0]) if urls else None,
        "error": ERRORS.get(job.state), "status": STATUSES[job.state], "data_removed": False,
        "metrics": {} if ran_s is None or not job.ended else {"predict_time": ran_s},
        "created_at": _time(job.submitted_at_s), "started_at": _time(job.started_at_s),
        "completed_at": _time(job.ended_at_s),
        "urls": {"get": about, "cancel": f"{about}/cancel", "web": f"https://replicate.com/p/{job.id}"},
    }  # fmt: skip


def _hook_asked(body: dict[str, Any]) -> dict[str, Any]:
    """What a prediction repeats of its webhook."""
    return {name: body[name] for name in ("webhook", "webhook_events_filter") if name in body}


def _time(unix_s: float | None) -> str | None:
    if unix_s is None:
        return None
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).isoformat().replace("+00:00", "Z")


def _version(name: str) -> dict[str, Any]:
    return {"id": name, "created_at": "2026-01-01T00:00:00Z", "cog_version": "0.14.0", "openapi_schema": {}}


DIALECT = Dialect(
    name="replicate",
    routes=(
        Route("POST", "/models/{owner}/{name}/predictions", create),
        Route("POST", "/deployments/{owner}/{name}/predictions", create),
        Route("POST", "/predictions", create),
        Route("GET", "/predictions/{job}", show, generates=False),
        Route("POST", "/predictions/{job}/cancel", cancel, generates=False),
        Route("POST", "/files", take_file, generates=False),
        Route("GET", "/models/{owner}/{name}", model, generates=False),
        Route("GET", "/models/{owner}/{name}/versions", versions, generates=False),
        Route("GET", "/models/{owner}/{name}/versions/{id}", version, generates=False),
    ),
    say_error=say_error,
    prefixes=("/v1", ""),
)
