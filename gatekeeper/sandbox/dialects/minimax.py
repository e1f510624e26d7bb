"""MiniMax: pictures at once, videos as tasks that end with a file's id.

Errors of the request come in HTTP 200, in `base_resp`, as MiniMax's do; those of the server under their own status.
"""

import base64
import secrets
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
from gatekeeper.sandbox.sizing import SIDE_PX_MIN, film_pixels, pixels_asked, within_bounds

IMAGES_MAX = 9
DURATION_S = 6
RESOLUTION = "768P"

MODERATED = 1027
CODES = {400: 2013, 401: 1004, 402: 1008, 404: 2013, 422: 2013, 429: 1002}
SERVER_ERROR = 1000

STATUSES = {
    State.QUEUED: "Queueing",
    State.RUNNING: "Processing",
    State.DONE: "Success",
    State.FAILED: "Fail",
    State.MODERATED: "Fail",
    State.EXPIRED: "Fail",
    State.CANCELLED: "Fail",
}
TASK_MARK, FILE_MARK = "1", "2"
"""The first digit of a task's id, and of the id of its file, which is otherwise the same."""


async def generate_images(call: Call) -> Answer:
    """Pictures by URL or inline."""
    fields = json_object(call.body)
    count = whole_field(fields, "n", default=1, lowest=1, highest=IMAGES_MAX)
    specs = pictures(text_field(fields, "prompt"), text_field(fields, "model"), _pixels(fields), count)
    made = specs[: call.behaviour.made(count)]
    call.record.generated(specs[0].model, len(made))
    if not made:
        return json_answer({"id": new_token(), **_base_resp(1026, "input new_sensitive")})
    if fields.get("response_format") == "base64":
        images = [base64.b64encode(await call.studio.picture(spec)).decode() for spec in made]
        data = {"image_base64": images}
    else:
        data = {"image_urls": [call.file_url(spec) for spec in made]}
    counts = {"success_count": str(len(made)), "failed_count": str(count - len(made))}
    return json_answer({"id": new_token(), "data": data, "metadata": counts, **_base_resp()})


async def start_video(call: Call) -> Answer:
    """A task that makes one video."""
    fields = json_object(call.body)
    resolution = text_field(fields, "resolution", RESOLUTION)
    prompt = text_field(fields, "prompt", "a picture that moves")
    film = one_film(
        prompt, text_field(fields, "model"), film_pixels(resolution, "16:9"), fields.get("duration") or DURATION_S
    )
    url = fields.get("callback_url")
    if url and not await call.hooks.echoes(url):
        raise ProviderError(400, "invalid params, callback_url did not send the challenge back.")
    teller = call.hooks.plain(url, _event) if url else None
    job_id = TASK_MARK + "".join(secrets.choice("0123456789") for _ in range(17))
    call.jobs.start("video", film.model, (film,), call.behaviour, teller, job_id=job_id, minimax=True)
    return json_answer({"task_id": job_id, **_base_resp()})


async def query_video(call: Call) -> Answer:
    """Where a task stands."""
    job = call.jobs.find(call.query.get("task_id", ""))
    if job is None or "minimax" not in job.facts:
        raise ProviderError(400, "invalid params, task_id is not found.")
    return json_answer(_told(job))


async def retrieve_file(call: Call) -> Answer:
    """Where a finished video is."""
    file_id = call.query.get("file_id", "")
    job = call.jobs.find(TASK_MARK + file_id[1:]) if file_id.startswith(FILE_MARK) else None
    if job is None or not job.made:
        raise ProviderError(400, "invalid params, file_id is not found.")
    file = {"file_id": int(file_id), "bytes": 0, "created_at": int(call.now_s()), "filename": "output.mp4"}
    file |= {"purpose": "video_generation", "download_url": call.file_url(job.made[0])}
    return json_answer({"file": file, **_base_resp()})


def say_error(error: ProviderError) -> Answer:
    """`base_resp` with a code: in HTTP 200, but for errors of the server."""
    status = error.status if error.status >= 500 else 200
    code = CODES.get(error.status, SERVER_ERROR)
    return json_answer(_base_resp(code, error.message), status, retry_headers(status))


def _pixels(fields: Mapping[str, Any]) -> Pixels:
    """By the ratio, which outweighs width and height."""
    if fields.get("aspect_ratio") is None and "width" in fields:
        sides = {"default": 1024, "lowest": SIDE_PX_MIN, "highest": 2048}
        width, height = (whole_field(fields, side, **sides) for side in ("width", "height"))
        return within_bounds(Pixels(width, height), "width")
    return pixels_asked(None, None, text_field(fields, "aspect_ratio", "1:1"))


def _base_resp(code: int = 0, message: str = "success") -> dict[str, Any]:
    return {"base_resp": {"status_code": code, "status_msg": message}}


def _told(job: Job) -> dict[str, Any]:
    told: dict[str, Any] = {"task_id": job.id, "status": STATUSES[job.state], "file_id": ""}
    if job.state is State.DONE and job.made and isinstance(job.made[0], MovieSpec):
        film = job.made[0]
        told |= {"file_id": FILE_MARK + job.id[1:], "video_width": film.width, "video_height": film.height}
    failed = STATUSES[job.state] == "Fail"
    code = MODERATED if job.state is State.MODERATED else SERVER_ERROR
    return told | (_base_resp(code, "The sandbox was asked to fail.") if failed else _base_resp())


def _event(job: Job) -> dict[str, Any]:
    """What a poll tells, with the status in the words of events."""
    told = _told(job)
    return told | {"status": {"Success": "success", "Fail": "failed"}.get(told["status"], "processing")}


DIALECT = Dialect(
    name="minimax",
    routes=(
        Route("POST", "/image_generation", generate_images),
        Route("POST", "/video_generation", start_video),
        Route("GET", "/query/video_generation", query_video, generates=False),
        Route("GET", "/files/retrieve", retrieve_file, generates=False),
    ),
    say_error=say_error,
    prefixes=("/v1", ""),
)
