"""Kling's open platform: pictures and videos as tasks, each kind with an address of its own for polls.

What other formats call a resolution is a `mode` here, and sound is `on` or `off`. A body that names its model in the
old field `model` is refused: Kling passes over it, makes its first model and bills that. Paths that name a model
(`/text-to-video/kling-3.0`) are a newer format, which is not open.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Final

import orjson

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.dialects.answers import Answer, filled_text, read_answer
from gatekeeper.dialects.base import (
    NO_HEADERS,
    Ask,
    BillingRule,
    CredentialPlace,
    JobLink,
    OutcomeReader,
    Rendered,
    Route,
    RouteKind,
    Traits,
    Webhook,
)
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer, inner, listed, read_amount, read_count, read_id, read_seconds
from gatekeeper.dialects.routes import RouteTable, Row, job_in_path, row

_VIDEO: Final = Operation.VIDEO_GENERATE

_KINDS: Final = {
    "/videos/text2video": ("text2video", _VIDEO),
    "/videos/image2video": ("image2video", _VIDEO),
    "/videos/omni-video": ("omni-video", _VIDEO),
    "/images/generations": ("images.generations", Operation.IMAGE_GENERATE),
}
"""Each kind of task by the address where it is submitted, and below which it is polled."""


def _rows() -> tuple[Row, ...]:
    rows = []
    for path, (name, operation) in _KINDS.items():
        rows.append(row("POST", path, RouteKind.GENERATION, name, operation, upstream=f"/v1{path}"))
        rows.append(row("GET", f"{path}/{{job}}", RouteKind.POLL, f"{name}.get", upstream=f"/v1{path}/{{job}}"))
    return tuple(rows)


ROUTES = RouteTable(*_rows(), prefixes=("/v1", ""))
"""Kling's addresses have `/v1`, and `base_url` has not; callers may leave it out."""

TIERS: Final = {"std": "720P", "pro": "1080P", "4k": "4K"}
"""What a `mode` comes to in lines of picture."""

MODE_DEFAULT: Final = "std"
"""What Kling makes when no mode is named, and its answers do not tell which it was."""

_MODEL_DEFAULTS: Final = {"omni-video": "kling-video-o1"}
_MODEL_DEFAULT: Final = "kling-v1"
"""What Kling makes when no model is named."""

_CODES: Final = {400: 1200, 401: 1000, 402: 1102, 403: 1103, 404: 1202, 409: 1203, 422: 1201, 429: 1302, 503: 5001}
"""Kling's own code for each status of ours: 1102 is an empty account. 5000 is an error of the server."""

_SERVER_ERROR: Final = 5000


def _read_event(body: bytes) -> tuple[str | None, Outcome]:
    """An event has what a poll's answer has in `data`."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    job_id = read_id(answer.get("task_id"))
    return job_id, _read_data(answer, job_id or "")


_ONLY_SUCCESS = "Kling's terms: a generation that fails deducts no units"

TRAITS = Traits(
    title="Kling AI",
    address="https://api-singapore.klingai.com",
    pointed="no Python SDK: `http://HOST:8080/NAME` in place of `https://api-singapore.klingai.com`, and the "
    "gatekeeper key itself in place of the signed token",
    credential=CredentialPlace("signed"),
    webhook=Webhook("json", "callback_url", "standard", _read_event),
    billing=(
        BillingRule("failed", "nothing", _ONLY_SUCCESS),
        BillingRule("moderated", "nothing", f"{_ONLY_SUCCESS}; content control fails the task"),
    ),
    reads=(
        "model_name",
        "prompt",
        "multi_shot",
        "multi_prompt[].prompt",
        "multi_prompt[].duration",
        "mode",
        "sound",
        "duration",
        "aspect_ratio",
        "image",
        "image_tail",
        "image_list",
        "video_list",
        "voice_list",
        "n",
        "resolution",
    ),
    settles_from="the videos or pictures of a task that succeeded; `duration` to the whole second in which Kling sells",
    sdk="none in Python: HTTP 402, `code` 1102",
    corners=(
        "GET of a kind without an id lists the tasks of every team and is not open",
        "a poll by `external_task_id` finds no job: polls go by `task_id`",
        "`voice_list` is refused: a voice of one's own costs more, and no price list here says how much",
        "a film that is made from a film (`video_list`) is an edit, which costs more; unless its `refer_type` is "
        "`feature` it is held at the longest, for it is as long as its source",
        "tasks cannot be cancelled",
        "multi-image2video, video-extend, lip-sync, effects, avatars, omni-image and the newer addresses that name a "
        "model are not open",
    ),
)

_FIELD_NAMES = {"duration_s": "duration", "outputs": "n", "model": "model_name", "audio": "sound"}


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads a picture's or a video's settings. Raises `Rejected` (malformed_request)."""
    fields = read_only_json(content_type, body)
    model = _model(route, fields)
    request = _ask_video(model, fields) if route.operation is _VIDEO else _ask_image(model, fields)
    fields.finish()
    return request


def _model(route: Route, fields: JsonFields) -> str | None:
    """What Kling will make: without `model_name` its first model, whatever `model` says."""
    if fields.given("model_name"):
        return fields.text("model_name")
    if fields.given("model"):
        fields.complaints.wrong("model_name", "only the old field model, which Kling ignores", "given")
    return _MODEL_DEFAULTS.get(route.name, _MODEL_DEFAULT)


def _ask_video(model: str | None, fields: JsonFields) -> GenerationRequest:
    if fields.count("voice_list"):
        fields.wrong("voice_list", "left out, for no price list here has a price for it")
    mode = fields.text("mode") or MODE_DEFAULT
    images = sum(fields.count(name) for name in ("image", "image_tail", "image_list"))
    films = fields.objects("video_list")
    same_length = any(film.text("refer_type") != "feature" for film in films)
    return GenerationRequest(
        model=model,
        operation=Operation.VIDEO_EDIT if films else _VIDEO,
        resolution=TIERS.get(mode.lower(), mode),
        aspect_ratio=fields.text("aspect_ratio"),
        duration_s=None if same_length else _seconds(fields),
        duration_auto=same_length,
        audio=_sound(fields),
        prompt_length=_prompt_length(fields),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=images or None,
        input_video=bool(films),
    )


def _seconds(fields: JsonFields) -> Fraction | None:
    """As Kling has it, `duration` says how long the shots of a film are together. It must: whether they are passed
    over depends on other fields."""
    said = fields.quantity("duration", "s")
    shots = sum((shot.quantity("duration", "s") or Fraction(0) for shot in fields.objects("multi_prompt")), Fraction(0))
    if shots and said != shots:
        fields.complaints.wrong("duration", "another length", f"the {shots} seconds that its shots come to")
    return said


def _sound(fields: JsonFields) -> bool:
    """Off unless it is asked for, as Kling documents it."""
    sound = fields.text("sound")
    if sound is not None and sound not in {"on", "off"}:
        fields.wrong("sound", "on or off")
    return sound == "on"


def _prompt_length(fields: JsonFields) -> int | None:
    """The prompt's, or for a film of several shots those of their prompts."""
    shots = [shot.text_length("prompt") or 0 for shot in fields.objects("multi_prompt")]
    length = fields.text_length("prompt")
    return (length or 0) + sum(shots) if shots and fields.flag("multi_shot") else length


def _ask_image(model: str | None, fields: JsonFields) -> GenerationRequest:
    return GenerationRequest(
        model=model,
        operation=Operation.IMAGE_GENERATE,
        resolution=fields.text("resolution"),
        aspect_ratio=fields.text("aspect_ratio"),
        outputs=fields.whole("n"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=fields.count("image") or None,
    )


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a new task, or for where a task stands."""
    if route.kind is RouteKind.GENERATION:
        return JsonAnswer(status, _read_submitted)
    return JsonAnswer(status, partial(_read_task, job_id=route.job or ""), about_job=True)


def _error_code(answer: Answer) -> str | None:
    """The code by which an answer is an error; None for one that is none."""
    code = read_count(answer.get("code"))
    return str(code) if code else None


def _read_submitted(answer: Answer) -> Outcome:
    if (code := _error_code(answer)) is not None:
        return Failed(f"error in a success: {code}")
    job_id = read_id(inner(answer, "data").get("task_id"))
    return Unknown("accepted without a task id") if job_id is None else Pending(job_id)


def _read_task(answer: Answer, job_id: str) -> Outcome:
    """Where a task stands. An error of the poll itself says nothing about that."""
    data = inner(answer, "data")
    if (code := _error_code(answer)) is not None and "task_status" not in data:
        return Unknown(code)
    return _read_data(data, job_id)


def _read_data(data: Answer, job_id: str) -> Outcome:
    match data.get("task_status"):
        case "submitted" | "processing":
            return Pending(job_id)
        case "succeed":
            return _read_result(data)
        case "failed":
            return Failed("failed", cost=_cost(data))
        case _:
            return Unknown("the answer does not say where the task stands")


def _read_result(data: Answer) -> Outcome:
    result = inner(data, "task_result")
    made = [entry for name in ("videos", "images") for entry in listed(result, name) if filled_text(entry.get("url"))]
    if not made:
        return Failed("nothing in the answer", cost=_cost(data))
    seconds = read_seconds(made[0].get("duration"))
    return Made(len(made), duration_s=_as_sold(seconds), cost=_cost(data))


def _as_sold(seconds: Fraction | None) -> Fraction | None:
    """A film has some frames more than it was sold with: 5.041 s are 5."""
    return None if seconds is None else Fraction(max(1, round(seconds)))


def _cost(data: Answer) -> Cost | None:
    """The units that Kling took off the resource pack; 0 and nothing are the same here."""
    units = read_amount(data.get("final_unit_deduction"))
    return None if units is None else Cost(units, "kling_units")


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """Below the address where it was submitted: each kind knows only its own tasks."""
    route = ROUTES.find("GET", f"{link.submit_path}/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """Kling's own envelope with its own code, under an honest status, and the facts beside it."""
    message = _explain(rejection)
    body: Facts = {
        "code": _CODES.get(rejection.status, _SERVER_ERROR),
        "message": message,
        "request_id": request_id,
        "error": rejection_facts(rejection, request_id) | {"message": message},
    }
    headers = (*rejection_headers(rejection, "application/json"), ("x-request-id", request_id))
    return Rendered(rejection.status, headers, orjson.dumps(body))


def _explain(rejection: Rejection) -> str:
    """Tiers are modes here, so a message that speaks of them says which is which."""
    message = explain(rejection, _FIELD_NAMES)
    if any(violation.field == "resolution" for violation in rejection.violations):
        modes = ", ".join(f"{mode} is {tier}" for mode, tier in TIERS.items())
        message += f" As a mode of a video, {modes}."
    return message


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    return None
