"""Videos after OpenAI's manner: a form or JSON in, a job that is polled, and its file through the API itself.

The picture that a video begins with is not looked at. A thumbnail and a spritesheet are the same still picture.
"""

import asyncio
from typing import Any

from gatekeeper.core.sizes import Pixels, read_size
from gatekeeper.sandbox.call import Answer, Call, ProviderError, json_answer, json_object, text_field
from gatekeeper.sandbox.forms import read_form
from gatekeeper.sandbox.jobs import Job, State, new_token
from gatekeeper.sandbox.movie import MovieSpec, movie_spec
from gatekeeper.sandbox.picture import Format, picture_spec
from gatekeeper.sandbox.sizing import within_bounds

MODEL_DEFAULT = "sora-2"
SECONDS_DEFAULT = "4"
SECONDS_MAX = 20.0
SIZE_DEFAULT = "720x1280"
POLL_AFTER_MS = 50
"""Told to the SDK, which waits so long between its polls."""

STATUSES = {
    State.QUEUED: "queued",
    State.RUNNING: "in_progress",
    State.DONE: "completed",
    State.FAILED: "failed",
    State.MODERATED: "failed",
    State.EXPIRED: "failed",
    State.CANCELLED: "failed",
}

ERRORS = {
    State.FAILED: "internal_error",
    State.MODERATED: "moderation_blocked",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
}


async def create(call: Call) -> Answer:
    """Takes a job."""
    fields = await _fields(call)
    pixels = _pixels(text_field(fields, "size", SIZE_DEFAULT))
    prompt, model = text_field(fields, "prompt"), text_field(fields, "model", MODEL_DEFAULT)
    spec = movie_spec(prompt, model, pixels.width, pixels.height, _seconds(fields))
    job = call.jobs.start("video", model, (spec,), call.behaviour, job_id=f"video_{new_token()}")
    return json_answer(_video(call, job))


async def remix(call: Call) -> Answer:
    """Takes a job like another one."""
    source = _find(call)
    (old,) = source.outputs
    assert isinstance(old, MovieSpec)
    prompt = text_field(json_object(call.body), "prompt")
    spec = movie_spec(prompt, old.model, old.width, old.height, old.duration_s)
    job = call.jobs.start("video", old.model, (spec,), call.behaviour, job_id=f"video_{new_token()}", source=source.id)
    return json_answer(_video(call, job))


async def retrieve(call: Call) -> Answer:
    """Where it stands; the header says when to ask again."""
    return json_answer(_video(call, _find(call)), headers={"openai-poll-after-ms": str(POLL_AFTER_MS)})


async def content(call: Call) -> Answer:
    """The file, or a still picture in its place."""
    job = _find(call)
    if job.state is not State.DONE or not job.made:
        raise ProviderError(404, "The video is not ready.", code="not_ready")
    (spec,) = job.made
    if call.query.get("variant", "video") != "video":
        still = picture_spec(spec.prompt, spec.model, spec.width, spec.height, Format.JPEG)
        return Answer(await call.studio.encoded(still), content_type=still.content_type)
    return Answer(await call.studio.encoded(spec), content_type=spec.content_type)


async def delete(call: Call) -> Answer:
    """Takes what has ended."""
    job = _find(call)
    if not job.ended:
        raise ProviderError(400, "A video in the making cannot be deleted.", code="invalid_state")
    job.facts["deleted"] = True
    return json_answer({"id": job.id, "object": "video.deleted", "deleted": True})


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["video"])
    if job is None or job.facts.get("deleted"):
        raise ProviderError(404, "No such video.", code="not_found")
    return job


def _video(call: Call, job: Job) -> dict[str, Any]:
    (spec,) = job.outputs
    assert isinstance(spec, MovieSpec)
    code = ERRORS.get(job.state)
    return {
        "id": job.id,
        "object": "video",
        "created_at": int(job.submitted_at_s),
        "completed_at": int(job.ended_at_s) if job.ended_at_s is not None else None,
        "expires_at": None,
        "status": STATUSES[job.state],
        "progress": int(job.progress(call.now_s()) * 100),
        "model": job.model,
        "seconds": f"{spec.duration_s:g}",
        "size": f"{spec.width}x{spec.height}",
        "error": None if code is None else {"code": code, "message": "The sandbox was asked for this end."},
        "remixed_from_video_id": job.facts.get("source"),
    }


async def _fields(call: Call) -> dict[str, Any]:
    content_type = call.headers.get("Content-Type", "")
    if content_type.startswith("application/json"):
        fields = json_object(call.body)
        return fields | {"seconds": str(fields["seconds"])} if "seconds" in fields else fields
    parts = await asyncio.to_thread(read_form, content_type, call.body)
    return {part.name: part.data.decode("utf-8", "replace") for part in parts if part.file_name is None}


def _pixels(size: str) -> Pixels:
    meaning = read_size(size)
    if not isinstance(meaning, Pixels):
        raise ProviderError(400, f"size {size[:40]!r} is not WIDTHxHEIGHT.", code="invalid_value", param="size")
    return within_bounds(meaning, "size")


def _seconds(fields: dict[str, Any]) -> float:
    text = text_field(fields, "seconds", SECONDS_DEFAULT)
    if not text.replace(".", "", 1).isdecimal() or not 0 < float(text) <= SECONDS_MAX:
        message = f"seconds {text[:20]!r} is not a number up to {SECONDS_MAX:g}."
        raise ProviderError(400, message, code="invalid_value", param="seconds")
    return float(text)
