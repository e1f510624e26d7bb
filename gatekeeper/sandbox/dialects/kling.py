"""Kling's open platform: every kind of task is submitted and polled at an address of its own.

A token in `Authorization` must have the form of Kling's: signed with HS256, with `iss`, `exp` and `nbf`, and in force.
The signature is not checked, for the sandbox knows no secret; without any token it answers as well, like every dialect
here. A model in the old field `model` is ignored, as by the real one: `kling-v1` is made.
"""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson

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
from gatekeeper.sandbox.sizing import film_pixels, pixels_asked

MODEL_DEFAULT = "kling-v1"
IMAGES_MAX = 9
TIERS = {"std": "720P", "pro": "1080P", "4k": "4K"}
UNITS_PER_S = {"std": 0.6, "pro": 0.8, "4k": 3.0}
SOUND_FACTOR = 1.5

CODES = {400: 1201, 401: 1002, 402: 1102, 403: 1103, 404: 1202, 429: 1302}
SERVER_ERROR = 5000

STATUSES = {State.QUEUED: "submitted", State.RUNNING: "processing", State.DONE: "succeed"}
"""Every other end is `failed`."""

EXTRA_S = 0.041
"""A film is told to be one frame longer than it was sold."""

Handler = Callable[[Call], Awaitable[Answer]]


def _submit(kind: str) -> Handler:
    """The handler that takes tasks of a kind."""

    async def submit(call: Call) -> Answer:
        _check_token(call)
        fields = json_object(call.body)
        job = _start_images(call, fields, kind) if kind.startswith("images") else _start_video(call, fields, kind)
        return _envelope(_told(call, job))

    return submit


def _query(kind: str) -> Handler:
    """The handler that tells of tasks of a kind, and knows no others."""

    async def query(call: Call) -> Answer:
        _check_token(call)
        job = call.jobs.find(call.path_values["job"])
        if job is None or job.facts.get("address") != kind:
            raise ProviderError(404, "Task not found.")
        return _envelope(_told(call, job))

    return query


def say_error(error: ProviderError) -> Answer:
    """The envelope with Kling's own code."""
    code = CODES.get(error.status, SERVER_ERROR)
    body = {"code": code, "message": error.message, "request_id": new_token()}
    return json_answer(body, error.status, retry_headers(error.status))


def _envelope(data: dict[str, Any]) -> Answer:
    return json_answer({"code": 0, "message": "SUCCEED", "request_id": new_token(), "data": data})


def _check_token(call: Call) -> None:
    word, _, token = call.headers.get("Authorization", "").partition(" ")
    if not word:
        return
    parts = token.split(".")
    head, claims = (_decoded(part) for part in (parts * 2)[:2])
    timely = all(isinstance(claims.get(name), int) for name in ("exp", "nbf"))
    timely = timely and claims["nbf"] <= call.now_s() < claims["exp"]
    whole = word == "Bearer" and len(parts) == 3 and head.get("alg") == "HS256" and bool(claims.get("iss"))
    if not (timely and whole):
        raise ProviderError(401, "Authorization is not a JSON Web Token as Kling wants it, or not in force.")


def _decoded(part: str) -> dict[str, Any]:
    try:
        value = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _start_video(call: Call, fields: Mapping[str, Any], kind: str) -> Job:
    mode = text_field(fields, "mode", "std")
    if mode not in TIERS:
        raise ProviderError(400, f"mode must be one of {', '.join(TIERS)}.")
    shots = [shot.get("prompt", "") for shot in fields.get("multi_prompt") or ()]
    prompt = text_field(fields, "prompt", " / ".join(shots) or None if kind == "text2video" else "a picture that moves")
    pixels = film_pixels(TIERS[mode], text_field(fields, "aspect_ratio", "16:9"))
    film = one_film(prompt, text_field(fields, "model_name", MODEL_DEFAULT), pixels, fields.get("duration") or 5)
    units = film.duration_s * UNITS_PER_S[mode] * (SOUND_FACTOR if fields.get("sound") == "on" else 1)
    return _start(call, fields, kind, "video", (film,), units)


def _start_images(call: Call, fields: Mapping[str, Any], kind: str) -> Job:
    count = whole_field(fields, "n", default=1, lowest=1, highest=IMAGES_MAX)
    ratio, tier = text_field(fields, "aspect_ratio", "16:9"), text_field(fields, "resolution", "1k")
    model = text_field(fields, "model_name", MODEL_DEFAULT)
    specs = pictures(text_field(fields, "prompt"), model, pixels_asked(None, tier, ratio), count)
    return _start(call, fields, kind, "image", specs, count * 1.0)


def _start(call: Call, fields: Mapping[str, Any], kind: str, what: Any, specs: tuple[Any, ...], units: float) -> Job:
    url = fields.get("callback_url")
    teller = call.hooks.standard(url, lambda job: _told(call, job)) if url else None
    facts = {"address": kind, "units": units, "external": fields.get("external_task_id")}
    job_id = str(10**17 + secrets.randbelow(9 * 10**17))
    return call.jobs.start(what, specs[0].model, specs, call.behaviour, teller, job_id=job_id, **facts)


def _told(call: Call, job: Job) -> dict[str, Any]:
    """A task as a poll tells of it in `data`, and an event as a whole."""
    created, updated = int(job.submitted_at_s * 1000), int((job.ended_at_s or job.submitted_at_s) * 1000)
    told: dict[str, Any] = {"task_id": job.id, "task_status": STATUSES.get(job.state, "failed")}
    told |= {"task_info": {"external_task_id": job.facts["external"]}, "created_at": created, "updated_at": updated}
    if job.state is State.DONE:
        return told | {"task_result": _result(call, job), "final_unit_deduction": f"{job.facts['units']:g}"}
    if job.ended:
        return told | {"task_status_msg": f"The sandbox was asked to fail ({job.state}).", "final_unit_deduction": "0"}
    return told


def _result(call: Call, job: Job) -> dict[str, Any]:
    if job.kind == "image":
        return {"images": [{"index": index, "url": call.file_url(spec)} for index, spec in enumerate(job.made)]}
    films = [spec for spec in job.made if isinstance(spec, MovieSpec)]
    return {"videos": [_video(call, spec) for spec in films]}


def _video(call: Call, film: MovieSpec) -> dict[str, str]:
    return {"id": new_token(), "url": call.file_url(film), "duration": f"{film.duration_s + EXTRA_S:.3f}"}


KINDS: Final = ("videos/text2video", "videos/image2video", "videos/omni-video", "images/generations")

DIALECT = Dialect(
    name="kling",
    routes=(
        *(Route("POST", f"/v1/{path}", _submit(path.removeprefix("videos/"))) for path in KINDS),
        *(Route("GET", f"/v1/{path}/{{job}}", _query(path.removeprefix("videos/")), generates=False) for path in KINDS),
    ),
    say_error=say_error,
)
