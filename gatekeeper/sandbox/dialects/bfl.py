"""Black Forest Labs: a task for every request, with an absolute address to poll and its cost, and one picture or film.

Shapes as the blackforest SDK and BFL's own pages have them. A task that made nothing is told by a status inside a
200; the cost (three credits for a picture, ten a second of film) is made up.
"""

from typing import Any, Literal

from gatekeeper.core.sizes import Auto, Pixels, Ratio, read_size
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
from gatekeeper.sandbox.hosted import film_pixels
from gatekeeper.sandbox.jobs import Job, State
from gatekeeper.sandbox.movie import movie_spec
from gatekeeper.sandbox.picture import Format, picture_spec
from gatekeeper.sandbox.sizing import pixels_asked, within_bounds
from gatekeeper.sandbox.studio import Spec

FILM = "flux-3-video"
TIERS = {"hd": "720P", "fhd": "1080P"}
BATCH_MAX = 4
PICTURE_CREDITS = 3.0
SECOND_CREDITS = 10.0
SIZE_DEFAULT = Pixels(1024, 768)

STATUSES = {
    State.QUEUED: "Pending",
    State.RUNNING: "Pending",
    State.DONE: "Ready",
    State.FAILED: "Error",
    State.MODERATED: "Content Moderated",
    State.EXPIRED: "Error",
    State.CANCELLED: "Error",
}


async def submit(call: Call) -> Answer:
    """A task."""
    fields, model = json_object(call.body), call.path_values["model"]
    outputs = _films(fields) if model == FILM else (_picture(model, fields),)
    url, secret = fields.get("webhook_url"), text_field(fields, "webhook_secret", "")
    hook = None if url is None else call.hooks.bfl(str(url), secret, lambda job: _show(call, job))
    cost = sum(map(_credits, outputs))
    job = call.jobs.start(_kind(model), model, outputs, call.behaviour, hook, cost=cost, prompt=fields.get("prompt"))
    told: dict[str, Any] = {"id": job.id, "polling_url": f"{call.base_url}/bfl/v1/get_result?id={job.id}", "cost": cost}
    return json_answer(told if url is None else told | {"status": "Accepted", "webhook_url": url})


async def get_result(call: Call) -> Answer:
    """How it stands, always with a 200."""
    name = call.query.get("id", "")
    job = call.jobs.find(name)
    if job is None:
        return json_answer({"id": name, "status": "Task not found", "result": None, "progress": None, "details": None})
    return json_answer(_show(call, job))


def say_error(error: ProviderError) -> Answer:
    """A text; of a field, a list of what is wrong with it."""
    detail: Any = error.message
    status = 422 if error.param and error.status == 400 else error.status
    if error.param:
        detail = [{"loc": ["body", error.param], "msg": error.message, "type": error.code or "value_error"}]
    return json_answer({"detail": detail}, status, retry_headers(error.status))


def _show(call: Call, job: Job) -> dict[str, Any]:
    status = STATUSES[job.state] if job.made or job.state is not State.DONE else "Error"
    return {
        "id": job.id, "status": status, "result": _result(call, job), "progress": job.progress(call.now_s()),
        "details": None, "cost": job.facts["cost"] if status in {"Ready", "Pending"} else 0.0,
    }  # fmt: skip


def _result(call: Call, job: Job) -> dict[str, Any] | None:
    urls = [call.file_url(spec) for spec in job.made]
    if not urls:
        return None
    samples: dict[str, Any] = {"sample": urls[0]} if len(urls) == 1 else {"samples": urls}
    ran_s = (job.ended_at_s or 0.0) - (job.started_at_s or 0.0)
    return samples | {"prompt": job.facts["prompt"], "seed": 1, "duration": ran_s}


def _picture(model: str, fields: dict[str, Any]) -> Spec:
    # A Flux without a prompt has its pictures to go by.
    prompt = text_field(fields, "prompt", "a picture")
    format_ = text_field(fields, "output_format", "jpeg")
    if format_ not in {"jpeg", "png"}:
        raise ProviderError(400, "output_format is jpeg or png.", code="enum", param="output_format")
    pixels = _pixels(fields)
    return picture_spec(prompt, model, pixels.width, pixels.height, Format(format_))


def _pixels(fields: dict[str, Any]) -> Pixels:
    bounds = {"default": 0, "lowest": 0, "highest": 10_000}
    width, height = (whole_field(fields, name, **bounds) for name in ("width", "height"))
    if width and height:
        return within_bounds(Pixels(width, height), "width")
    ratio = fields.get("aspect_ratio")
    return SIZE_DEFAULT if ratio is None else pixels_asked(None, "1K", str(ratio))


def _kind(model: str) -> Literal["image", "video"]:
    return "video" if model == FILM else "image"


def _films(fields: dict[str, Any]) -> tuple[Spec, ...]:
    count = whole_field(fields, "batch", default=1, lowest=1, highest=BATCH_MAX)
    tier, length = TIERS.get(text_field(fields, "resolution", "hd")), fields.get("duration", "auto")
    ratio = read_size(text_field(fields, "aspect_ratio", "auto"))
    if tier is None or not isinstance(ratio, Auto | Ratio):
        raise ProviderError(400, "resolution is hd or fhd.", code="enum", param="resolution")
    seconds = 5 if length == "auto" else whole_field(fields, "duration", default=5, lowest=1, highest=20)
    pixels = film_pixels(tier, ratio.label if isinstance(ratio, Ratio) else "16:9")
    spec = movie_spec(text_field(fields, "prompt", "a film"), FILM, pixels.width, pixels.height, seconds)
    return (spec,) * count


def _credits(spec: Spec) -> float:
    return PICTURE_CREDITS if not hasattr(spec, "duration_s") else SECOND_CREDITS * spec.duration_s


DIALECT = Dialect(
    name="bfl",
    routes=(
        Route("GET", "/v1/get_result", get_result, generates=False),
        Route("POST", "/v1/{model}", submit),
    ),
    say_error=say_error,
)
