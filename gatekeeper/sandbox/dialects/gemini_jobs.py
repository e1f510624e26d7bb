"""What takes Google a moment: Veo's operations, and interactions that run in the background.

An operation tells nothing but whether it is done. An interaction of a picture that is not in the background is
answered at once, as a stream if it is asked for.
"""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson

from gatekeeper.sandbox.call import Answer, Call, ProviderError, json_answer, json_object
from gatekeeper.sandbox.jobs import Job, State, new_token
from gatekeeper.sandbox.movie import MovieSpec, movie_spec
from gatekeeper.sandbox.picture import picture_spec
from gatekeeper.sandbox.sizing import film_pixels, pixels_asked
from gatekeeper.sandbox.studio import Spec

VEO_S_DEFAULT = 8.0
OMNI_S_DEFAULT = 8.0
VIDEOS_MAX = 4
TOKENS_PER_SECOND = 7_240
TOKENS_PER_IMAGE = 1_290
AT_ONCE_S_MAX = 60.0
"""An interaction that is not in the background is waited for so long."""

FAILED_CODE = 13
"""gRPC's number for an internal failure."""

STATUSES = {
    State.QUEUED: "queued",
    State.RUNNING: "in_progress",
    State.DONE: "completed",
    State.FAILED: "failed",
    State.MODERATED: "failed",
    State.EXPIRED: "incomplete",
    State.CANCELLED: "cancelled",
}


async def start_operation(call: Call) -> Answer:
    """Takes a job of videos. Its name says where it was asked for."""
    body = json_object(call.body)
    parameters = body.get("parameters") or {}
    count = int(parameters.get("sampleCount") or 1)
    if not 1 <= count <= VIDEOS_MAX:
        raise ProviderError(400, f"sampleCount must be 1 to {VIDEOS_MAX}.", code="INVALID_ARGUMENT")
    pixels = film_pixels(parameters.get("resolution") or "720p", parameters.get("aspectRatio") or "16:9")
    prompt = str(((body.get("instances") or [{}])[0]).get("prompt", ""))
    model, seconds = call.path_values["model"], float(parameters.get("durationSeconds") or VEO_S_DEFAULT)
    outputs = tuple(
        MovieSpec(spec.prompt, spec.model, spec.width, spec.height, spec.duration_s, number, count)
        for spec in [movie_spec(prompt, model, pixels.width, pixels.height, seconds)]
        for number in range(1, count + 1)
    )
    where = _parent(call)
    job = call.jobs.start("video", model, outputs, call.behaviour, job_id=new_token(), parent=where)
    return json_answer({"name": f"{where}/operations/{job.id}"})


def _parent(call: Call) -> str:
    values = call.path_values
    model = f"models/{values['model']}"
    if "project" in values:
        return f"projects/{values['project']}/locations/{values['location']}/publishers/google/{model}"
    return f"publishers/google/{model}" if "express" in values else model


async def get_operation(call: Call) -> Answer:
    return json_answer(await _operation(call, call.path_values["operation"]))


async def fetch_operation(call: Call) -> Answer:
    """The same for who names the operation in the body."""
    name = str(json_object(call.body).get("operationName", ""))
    return json_answer(await _operation(call, name.rpartition("/")[2]))


async def _operation(call: Call, job_id: str) -> dict[str, Any]:
    job = _find(call, job_id)
    name = {"name": f"{job.facts['parent']}/operations/{job.id}"}
    if not job.ended:
        return name
    if job.state in {State.FAILED, State.EXPIRED, State.CANCELLED}:
        error = {"code": FAILED_CODE, "message": "The sandbox was asked to fail."}
        return {**name, "done": True, "error": error}
    filtered = len(job.outputs) - len(job.made)
    told: dict[str, Any] = {"raiMediaFilteredCount": filtered}
    if filtered:
        told["raiMediaFilteredReasons"] = ["The sandbox was asked to filter it."]
    return {**name, "done": True, "response": await _response(call, job, told)}


async def _response(call: Call, job: Job, told: dict[str, Any]) -> dict[str, Any]:
    if str(job.facts["parent"]).startswith("models/"):
        samples = [{"video": {"uri": _file_uri(call, spec)}} for spec in job.made]
        return {"generateVideoResponse": {**told, "generatedSamples": samples}}
    videos = [
        {"bytesBase64Encoded": base64.b64encode(await call.studio.encoded(spec)).decode(), "mimeType": "video/mp4"}
        for spec in job.made
    ]
    return {**told, "videos": videos}


def _file_uri(call: Call, spec: Spec) -> str:
    """Where Google says that a file is: at its own host, whatever host the client came to."""
    name = call.studio.keep_file(spec).partition(".")[0]
    return f"https://generativelanguage.googleapis.com/v1beta/files/{name}:download?alt=media"


async def download(call: Call) -> Answer:
    """A file's bytes."""
    name = call.path_values["file"]
    spec = call.studio.file(f"{name}.mp4") or call.studio.file(f"{name}.png")
    if spec is None:
        raise ProviderError(404, "No such file.", code="NOT_FOUND")
    return Answer(await call.studio.encoded(spec), content_type=spec.content_type)


async def interact(call: Call) -> Answer:
    """A picture or a video from an input."""
    body = json_object(call.body)
    kind, spec = _wanted(body)
    by_uri = bool(_format(body, kind).get("delivery") == "uri")
    job = call.jobs.start(kind, spec.model, (spec,), call.behaviour, job_id=f"v1_{new_token()}", by_uri=by_uri)
    if body.get("background"):
        return json_answer(await _interaction(call, job))
    if not await job.wait(AT_ONCE_S_MAX):
        raise ProviderError(504, "It takes too long.", code="DEADLINE_EXCEEDED")
    if body.get("stream"):
        return Answer(_events(call, job), content_type="text/event-stream")
    return json_answer(await _interaction(call, job))


def _format(body: dict[str, Any], kind: str) -> dict[str, Any]:
    formats = body.get("response_format") or []
    entries = formats if isinstance(formats, list) else [formats]
    return next((each for each in entries if each.get("type") == kind), {})


def _wanted(body: dict[str, Any]) -> tuple[Any, Spec]:
    model, prompt = str(body.get("model") or ""), _text_of(body.get("input"))
    if not model or not prompt:
        raise ProviderError(400, "model and input are required.", code="INVALID_ARGUMENT")
    video = _format(body, "video")
    if video or "omni" in model:
        pixels = film_pixels(video.get("resolution") or "720p", video.get("aspect_ratio") or "16:9")
        seconds = float(str(video.get("duration") or OMNI_S_DEFAULT).removesuffix("s"))
        return "video", movie_spec(prompt, model, pixels.width, pixels.height, seconds)
    image = _format(body, "image")
    pixels = pixels_asked(None, image.get("image_size"), image.get("aspect_ratio"))
    return "image", picture_spec(prompt, model, pixels.width, pixels.height)


def _text_of(given: Any) -> str:
    """All the text in an input, which may be a text, a content, or a list of contents and turns."""
    if isinstance(given, str):
        return given
    if isinstance(given, list):
        return " ".join(filter(None, (_text_of(each) for each in given)))
    if isinstance(given, dict):
        return str(given.get("text") or "") or _text_of(given.get("content"))
    return ""


async def show_interaction(call: Call) -> Answer:
    return json_answer(await _interaction(call, _find(call, call.path_values["interaction"])))


async def cancel_interaction(call: Call) -> Answer:
    job = _find(call, call.path_values["interaction"])
    await job.cancel()
    return json_answer(await _interaction(call, job))


async def _interaction(call: Call, job: Job, *, with_outputs: bool = True) -> dict[str, Any]:
    contents = [await _content(call, job, spec) for spec in job.made] if with_outputs else []
    now = datetime.fromtimestamp(call.now_s(), UTC).isoformat()
    told = {
        "id": job.id,
        "object": "interaction",
        "model": job.model,
        "status": STATUSES[job.state],
        "created": now,
        "updated": now,
    }
    steps = [{"type": "model_output", "content": contents}] if contents else []
    return {**told, "steps": steps, "usage": _usage(job)}


async def _content(call: Call, job: Job, spec: Spec) -> dict[str, Any]:
    told = {"type": job.kind, "mime_type": spec.content_type}
    if job.facts["by_uri"]:
        return {**told, "uri": _file_uri(call, spec)}
    return {**told, "data": base64.b64encode(await call.studio.encoded(spec)).decode()}


def _usage(job: Job) -> dict[str, Any]:
    tokens = sum(
        round(spec.duration_s * TOKENS_PER_SECOND) if isinstance(spec, MovieSpec) else TOKENS_PER_IMAGE
        for spec in job.made
    )
    return {
        "total_input_tokens": 9,
        "total_output_tokens": tokens,
        "total_tokens": tokens + 9,
        "output_tokens_by_modality": [{"modality": job.kind, "tokens": tokens}],
    }


async def _events(call: Call, job: Job) -> AsyncIterator[bytes]:
    """The interaction, its outputs, its end."""
    head = {"id": job.id, "object": "interaction", "model": job.model, "status": "in_progress"}
    yield _event("interaction.created", interaction=head)
    if call.behaviour.error_event:
        yield _event("error", error={"code": "internal", "message": "The sandbox was asked to fail."})
        return
    for number, spec in enumerate(job.made):
        yield _event("step.start", index=number, step={"type": "model_output"})
        yield _event("step.delta", index=number, delta=await _content(call, job, spec))
        yield _event("step.stop", index=number)
    whole = await _interaction(call, job, with_outputs=False)
    yield _event("interaction.completed", interaction=whole)


def _event(kind: str, **content: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"event_type": kind, **content}) + b"\n\n"


def _find(call: Call, job_id: str) -> Job:
    job = call.jobs.find(job_id)
    if job is None:
        raise ProviderError(404, "There is no such thing.", code="NOT_FOUND")
    return job
