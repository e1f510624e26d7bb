"""BytePlus ModelArk: pictures at once or as a stream, videos as tasks.

Obeys the settings that stand as flags in a video's text, as the real one does. Tokens are by its published rule: the
seconds x pixels x 24 frames / 1024 of a video, the pixels / 256 of a picture. Unlike the real one it also cancels a
task that runs already, and a task whose record was deleted stays known.
"""

import base64
import math
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

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

SERIES_MAX = 15
FRAMES_PER_S = 24
DURATION_CHOSEN_S = 7
"""What a film has whose length is left to the model."""

DURATION_S = 5
RESOLUTION = "720p"
RATIO = "16:9"

MODERATED = "OutputVideoSensitiveContentDetected"
STATUSES = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.DONE: "succeeded",
    State.FAILED: "failed",
    State.MODERATED: "failed",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
}
ERRORS = {State.FAILED: "InternalServiceError", State.MODERATED: MODERATED}

_FLAG = re.compile(r"--([a-z]+)[ =]+(\S+)")
_LONG_NAMES = {"rs": "resolution", "rt": "ratio", "dur": "duration"}


async def generate_images(call: Call) -> Answer:
    """Pictures; of those that `partial` takes away there is an error in their place."""
    fields = json_object(call.body)
    specs = _pictures(fields)
    made = specs[: call.behaviour.made(len(specs))]
    if fields.get("stream"):
        return Answer(_events(call, fields, specs, len(made)), content_type="text/event-stream")
    call.record.generated(specs[0].model, len(made))
    missing = [{"error": _error(MODERATED.replace("Video", "Image"))} for _ in specs[len(made) :]]
    answer: dict[str, Any] = {"model": specs[0].model, "created": int(call.now_s()), "usage": _usage(made)}
    answer["data"] = [await _image(call, fields, spec) for spec in made] + (missing if made else [])
    if not made:
        answer["error"] = _error("InternalServiceError")
    return json_answer(answer)


async def create_task(call: Call) -> Answer:
    """A task that makes one video."""
    fields = json_object(call.body)
    texts = [part.get("text", "") for part in fields.get("content") or () if part.get("type") == "text"]
    film, shown = _film(fields, " ".join(texts))
    url = fields.get("callback_url")
    teller = call.hooks.plain(url, lambda job: _told(call, job)) if url else None
    job_id = f"cgt-{new_token()}"
    call.jobs.start("video", film.model, (film,), call.behaviour, teller, job_id=job_id, shown=shown)
    return json_answer({"id": job_id})


async def get_task(call: Call) -> Answer:
    """Where a task stands."""
    return json_answer(_told(call, _find(call)))


async def delete_task(call: Call) -> Answer:
    """Cancels a task that has not ended."""
    await _find(call).cancel()
    return json_answer({})


def say_error(error: ProviderError) -> Answer:
    """The `error` object from which the SDK takes code, message, param and type."""
    body = {"code": error.code or f"Http{error.status}", "message": error.message, "param": error.param or ""}
    return json_answer({"error": body | {"type": "BadRequest"}}, error.status, retry_headers(error.status))


def _pictures(fields: Mapping[str, Any]) -> tuple[PictureSpec, ...]:
    count = 1
    if fields.get("sequential_image_generation") == "auto":
        options = fields.get("sequential_image_generation_options") or {}
        count = whole_field(options, "max_images", default=SERIES_MAX, lowest=1, highest=SERIES_MAX)
    pixels = pixels_asked(text_field(fields, "size", "2K"), None, None)
    return pictures(text_field(fields, "prompt"), text_field(fields, "model"), pixels, count)


async def _image(call: Call, fields: Mapping[str, Any], spec: PictureSpec) -> dict[str, str]:
    size = {"size": f"{spec.width}x{spec.height}"}
    if fields.get("response_format") == "b64_json":
        return {"b64_json": base64.b64encode(await call.studio.picture(spec)).decode(), **size}
    return {"url": call.file_url(spec), **size}


async def _events(
    call: Call, fields: Mapping[str, Any], specs: tuple[PictureSpec, ...], made: int
) -> AsyncIterator[bytes]:
    call.record.generated(specs[0].model, made)
    for index, spec in enumerate(specs):
        if index < made:
            yield _event("partial_succeeded", {"image_index": index, **await _image(call, fields, spec)})
        else:
            failed = _error(MODERATED.replace("Video", "Image"))
            yield _event("partial_failed", {"image_index": index, "error": failed})
    yield _event("completed", {"usage": _usage(specs[:made])})
    yield b"data: [DONE]\n\n"


def _event(kind: str, content: Mapping[str, Any]) -> bytes:
    name = f"image_generation.{kind}"
    return f"event: {name}\ndata: ".encode() + orjson.dumps({"type": name, **content}) + b"\n\n"


def _usage(made: tuple[PictureSpec, ...]) -> dict[str, int]:
    tokens = sum(math.ceil(spec.width * spec.height / 256) for spec in made)
    return {"generated_images": len(made), "output_tokens": tokens, "total_tokens": tokens}


def _film(fields: Mapping[str, Any], text: str) -> tuple[MovieSpec, dict[str, Any]]:
    """The film, and what its task tells of it."""
    flags = {_LONG_NAMES.get(name, name): value for name, value in _FLAG.findall(text)}
    resolution = str(fields.get("resolution") or flags.get("resolution") or RESOLUTION)
    ratio = str(fields.get("ratio") or flags.get("ratio") or RATIO)
    ratio = RATIO if ratio == "adaptive" else ratio
    duration = fields.get("duration") or flags.get("duration") or DURATION_S
    duration = DURATION_CHOSEN_S if str(duration) == "-1" else duration
    if frames := fields.get("frames"):
        duration = frames / FRAMES_PER_S
    pixels = film_pixels(resolution, ratio)
    film = one_film(text, text_field(fields, "model"), pixels, duration)
    shown: dict[str, Any] = {"resolution": resolution, "ratio": ratio, "framespersecond": FRAMES_PER_S}
    shown |= {"frames": frames} if frames else {"duration": int(film.duration_s)}
    shown |= {"generate_audio": fields.get("generate_audio") is not False, "tokens": _tokens(pixels, film.duration_s)}
    return film, shown


def _tokens(pixels: Pixels, duration_s: float) -> int:
    return round(duration_s * pixels.area * FRAMES_PER_S / 1024)


def _told(call: Call, job: Job) -> dict[str, Any]:
    """A task as a poll and an event tell of it."""
    shown = dict(job.facts["shown"])
    tokens = shown.pop("tokens")
    told = {"id": job.id, "model": job.model, "status": STATUSES[job.state], "created_at": int(job.submitted_at_s)}
    if job.state in ERRORS:
        return told | {"error": _error(ERRORS[job.state])}
    if job.state is not State.DONE:
        return told
    content = {"video_url": call.file_url(job.made[0])} if job.made else {}
    usage = {"completion_tokens": tokens, "total_tokens": tokens}
    return told | {"content": content, "usage": usage, "service_tier": "default", **shown}


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["job"])
    if job is None or "shown" not in job.facts:
        raise ProviderError(404, "The task is not found.", code="ResourceNotFound")
    return job


def _error(code: str) -> dict[str, str]:
    return {"code": code, "message": "The sandbox was asked to fail."}


_TASKS = "/contents/generations/tasks"


DIALECT = Dialect(
    name="ark",
    routes=(
        Route("POST", "/images/generations", generate_images),
        Route("POST", _TASKS, create_task),
        Route("GET", f"{_TASKS}/{{job}}", get_task, generates=False),
        Route("DELETE", f"{_TASKS}/{{job}}", delete_task, generates=False),
    ),
    say_error=say_error,
    prefixes=("/api/v3", ""),
)
