"""Topaz' image API: upscales to a size, as processes with a status and a download.

What comes out has the size that was asked for; with one side given, the other follows the input's shape. Credits are
made up: one for every 24 megapixels that come out.
"""

import asyncio
import math
from typing import Any

from gatekeeper.core.sizes import Pixels
from gatekeeper.sandbox.call import Answer, Call, Dialect, ProviderError, Route, json_answer, retry_headers, text_field
from gatekeeper.sandbox.forms import Part, read_form
from gatekeeper.sandbox.inputs import UNSEEN, picture_in
from gatekeeper.sandbox.jobs import Job, State
from gatekeeper.sandbox.picture import picture_spec
from gatekeeper.sandbox.sizing import within_bounds

MODEL_DEFAULT = "Standard V2"
MEGAPIXELS_A_CREDIT = 24
EXPIRY_S = 3600

STATUSES = {
    State.QUEUED: "Pending",
    State.RUNNING: "Processing",
    State.DONE: "Completed",
    State.CANCELLED: "Cancelled",
}
"""Every other end is `Failed`."""


async def enhance(call: Call) -> Answer:
    """Takes an image to be made larger."""
    parts = await asyncio.to_thread(read_form, call.headers.get("Content-Type", ""), call.body)
    fields: dict[str, Any] = {p.name: p.data.decode("utf-8", "replace") for p in parts if p.file_name is None}
    given = _given(fields, parts)
    pixels = _wanted(fields, given)
    spec = picture_spec("upscaled", text_field(fields, "model", MODEL_DEFAULT), pixels.width, pixels.height)
    url = fields.get("webhook_url")
    teller = call.hooks.plain(url, _status) if url else None
    job = call.jobs.start("image", spec.model, (spec,), call.behaviour, teller, given=given, wanted=pixels)
    eta = int(call.now_s())
    return json_answer({"process_id": job.id, "eta": eta}, headers={"X-Process-ID": job.id, "X-ETA": str(eta)})


async def show(call: Call) -> Answer:
    """Where a process stands."""
    return json_answer(_status(_find(call)))


async def download(call: Call) -> Answer:
    """Where its picture is."""
    job = _find(call)
    if not job.made:
        raise ProviderError(409, "The output is not ready.")
    url = call.file_url(job.made[0])
    return json_answer({"download_url": url, "head_url": url, "expiry": int(call.now_s()) + EXPIRY_S})


async def cancel(call: Call) -> Answer:
    """Ends a process that has not ended."""
    if not await _find(call).cancel():
        raise ProviderError(409, "The process has ended.")
    return json_answer({"message": "Cancelled"})


def _status(job: Job) -> dict[str, Any]:
    given, wanted = job.facts["given"], job.facts["wanted"]
    lost = job.state is State.DONE and not job.made
    return {
        "process_id": job.id,
        "status": "Failed" if lost else STATUSES.get(job.state, "Failed"),
        "progress": 100 if job.ended else 0,
        "model": job.model,
        "input_width": given.width,
        "input_height": given.height,
        "output_width": wanted.width,
        "output_height": wanted.height,
        "credits": math.ceil(wanted.area / 1e6 / MEGAPIXELS_A_CREDIT) if job.made or not job.ended else 0,
    }


def _given(fields: dict[str, Any], parts: list[Part]) -> Pixels:
    image = next((part for part in parts if part.name == "image" and part.file_name is not None), None)
    if image is not None:
        return picture_in(bytes(image.data), "image")
    if fields.get("source_url"):
        return UNSEEN
    raise ProviderError(400, "image or source_url is required.", param="image")


def _wanted(fields: dict[str, Any], given: Pixels) -> Pixels:
    width, height = (int(text) if (text := fields.get(name, "")).isdigit() else 0 for name in SIDES)
    if not width and not height:
        return within_bounds(Pixels(given.width * 2, given.height * 2), "output_width")
    wanted = Pixels(
        width or round(given.width * height / given.height), height or round(given.height * width / given.width)
    )
    return within_bounds(wanted, "output_width")


SIDES = ("output_width", "output_height")


def _find(call: Call) -> Job:
    job = call.jobs.find(call.path_values["process"])
    if job is None:
        raise ProviderError(404, "No such process.")
    return job


def say_error(error: ProviderError) -> Answer:
    """A code and a sentence."""
    body = {"error": {"code": error.code or str(error.status), "message": error.message}}
    return json_answer(body, error.status, retry_headers(error.status))


DIALECT = Dialect(
    name="topaz",
    routes=(
        Route("POST", "/enhance/async", enhance),
        Route("POST", "/enhance-gen/async", enhance),
        Route("GET", "/status/{process}", show, generates=False),
        Route("GET", "/download/{process}", download, generates=False),
        Route("DELETE", "/cancel/{process}", cancel, generates=False),
    ),
    say_error=say_error,
)
