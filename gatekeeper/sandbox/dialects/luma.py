"""Luma's generations: videos and pictures that are asked for until they are completed, with call-backs.

A call-back comes at the end only, not for each state in between. A generation that was deleted is not known any more.
"""

from collections.abc import Mapping
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
from gatekeeper.sandbox.jobs import Job, State, Teller
from gatekeeper.sandbox.movie import movie_spec
from gatekeeper.sandbox.picture import Format, picture_spec
from gatekeeper.sandbox.sizing import film_pixels, pixels_asked
from gatekeeper.sandbox.studio import Spec

MODELS = {"video": "ray-2", "image": "photon-1"}
DURATIONS_S = {"5s": 5, "9s": 9, "10s": 10}
SYNC_S_MAX = 60.0

FILM_DEFAULTS = {"resolution": "720p", "aspect_ratio": "16:9", "duration": "5s"}
"""What is made where nothing is said, as Luma's own tools have it. An answer repeats it."""

STATES = {State.QUEUED: "queued", State.RUNNING: "dreaming", State.DONE: "completed"}
"""Every other end is `failed`."""


async def make_video(call: Call) -> Answer:
    """A video from a prompt."""
    fields = FILM_DEFAULTS | json_object(call.body)
    pixels = film_pixels(text_field(fields, "resolution"), text_field(fields, "aspect_ratio"))
    spec = movie_spec(text_field(fields, "prompt"), _model(fields), pixels.width, pixels.height, _duration_s(fields))
    return json_answer(_generation(call, _start(call, "video", fields, spec)), 201)


async def make_image(call: Call) -> Answer:
    """A picture from a prompt, there at once if `sync` says so."""
    fields = json_object(call.body)
    pixels = pixels_asked(None, "1K", text_field(fields, "aspect_ratio", "16:9"))
    format_ = Format.PNG if fields.get("format") == "png" else Format.JPEG
    spec = picture_spec(text_field(fields, "prompt", "reframed"), _model(fields), pixels.width, pixels.height, format_)
    job = _start(call, "image", fields, spec)
    if fields.get("sync") is True:
        await job.wait(SYNC_S_MAX)
    return json_answer(_generation(call, job), 201)


async def show(call: Call) -> Answer:
    """Where a generation stands."""
    return json_answer(_generation(call, _find(call)))


async def delete(call: Call) -> Answer:
    """Ends it, and forgets it."""
    job = _find(call)
    await job.cancel()
    job.facts["deleted"] = True
    return Answer(b"", 204)


async def concepts(_call: Call) -> Answer:
    """Words that steer a camera."""
    return json_answer(["dolly_zoom", "orbit_left", "pan_right"])


async def ping(_call: Call) -> Answer:
    """Whether anybody is there."""
    return json_answer({"message": "pong"})


def _start(call: Call, kind: Any, fields: Mapping[str, Any], spec: Spec) -> Job:
    return call.jobs.start(kind, spec.model, (spec,), call.behaviour, _teller(call, fields), request=dict(fields))


def _teller(call: Call, fields: Mapping[str, Any]) -> Teller | None:
    url = fields.get("callback_url")
    return call.hooks.plain(url, lambda job: _generation(call, job)) if isinstance(url, str) else None


def _generation(call: Call, job: Job) -> dict[str, Any]:
    state = STATES.get(job.state, "failed")
    assets = {job.kind: call.file_url(job.made[0])} if job.made else None
    reason = f"The sandbox was asked for this end: {job.state}." if state == "failed" else None
    return {
        "id": job.id,
        "generation_type": job.kind,
        "state": "failed" if state == "completed" and assets is None else state,
        "failure_reason": reason,
        "created_at": "2026-11-01T00:00:00Z",
        "assets": assets,
        "model": job.model,
        "request": job.facts["request"],
    }


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["generation"])
    if job is None or "deleted" in job.facts:
        raise ProviderError(404, "Generation not found")
    return job


def _model(fields: Mapping[str, Any]) -> str:
    return text_field(fields, "model")


def _duration_s(fields: Mapping[str, Any]) -> int:
    text = text_field(fields, "duration")
    if text not in DURATIONS_S:
        raise ProviderError(400, f"duration {text[:20]!r} is not one of {', '.join(DURATIONS_S)}.", param="duration")
    return DURATIONS_S[text]


def say_error(error: ProviderError) -> Answer:
    """One sentence."""
    return json_answer({"detail": error.message}, error.status, retry_headers(error.status))


DIALECT = Dialect(
    name="luma",
    routes=(
        Route("POST", "/generations/video", make_video),
        Route("POST", "/generations/image", make_image),
        Route("POST", "/generations/image/reframe", make_image),
        Route("GET", "/generations/concepts/list", concepts, generates=False),
        Route("GET", "/generations/{generation}", show, generates=False),
        Route("DELETE", "/generations/{generation}", delete, generates=False),
        Route("GET", "/ping", ping, generates=False),
    ),
    say_error=say_error,
)
