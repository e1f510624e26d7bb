"""MiniMax: image-01 at once, Hailuo's videos as tasks that end with the id of a file.

Nearly every answer has HTTP status 200; whether it is an error stands in `base_resp`. That goes for polls too, where
an error, such as too many polls, says nothing about the task.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.dialects.answers import Answer, filled_text, png_pixels, read_answer, read_job_id, read_pixels
from gatekeeper.dialects.base import (
    NO_HEADERS,
    Ask,
    BillingRule,
    JobLink,
    OutcomeReader,
    Rendered,
    Route,
    RouteKind,
    Traits,
    Webhook,
)
from gatekeeper.dialects.complaints import no_job
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer, inner, read_count, read_id
from gatekeeper.dialects.routes import RouteTable, row

_POLL: Final = "/query/video_generation"
_GROUP: Final = frozenset({"GroupId"})
"""The account, which older keys need in the address; no price depends on it."""

ROUTES = RouteTable(
    row("POST", "/image_generation", RouteKind.GENERATION, "image_generation", Operation.IMAGE_GENERATE, query=_GROUP),
    row("POST", "/video_generation", RouteKind.GENERATION, "video_generation", Operation.VIDEO_GENERATE, query=_GROUP),
    row("GET", _POLL, RouteKind.POLL, "query.video_generation", query=_GROUP | {"task_id"}),
    row("GET", "/files/retrieve", RouteKind.DOWNLOAD, "files.retrieve", query=_GROUP | {"file_id"}),
    prefixes=("/v1", ""),
)
"""With `/v1` before them or without: `base_url` ends with it."""

_STATUS_CODES: Final = {400: 2013, 401: 1004, 402: 1008, 404: 2013, 422: 2013, 429: 1002}
"""MiniMax's own code for each status of ours: bad parameters, key, balance, too many requests. 1000 is unknown."""

_UNKNOWN_ERROR: Final = 1000


def _read_event(body: bytes) -> tuple[str | None, Outcome]:
    """An event has the body of a poll's answer, its status words in lower case."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    job_id = read_id(answer.get("task_id"))
    return job_id, _read_task(answer, job_id or "")


def _echo(body: bytes) -> bytes | None:
    """MiniMax tries an address out before it takes a task: within 3 s it wants its `challenge` back."""
    challenge = (read_answer(body) or {}).get("challenge")
    return orjson.dumps({"challenge": challenge}) if isinstance(challenge, str) else None


TRAITS = Traits(
    title="MiniMax (image-01, Hailuo)",
    address="https://api.minimax.io/v1",
    pointed="no SDK for pictures and videos: `http://HOST:8080/NAME/v1` in place of `https://api.minimax.io/v1`",
    webhook=Webhook("json", "callback_url", "none", _read_event, echo=_echo),
    billing=(
        BillingRule("failed", "nothing", "not published; tasks that fail are not billed elsewhere (not verified)"),
        BillingRule("moderated", "nothing", "codes 1026 and 1027 refuse or fail a task (not verified)"),
    ),
    reads=(
        "model",
        "prompt",
        "aspect_ratio",
        "width",
        "height",
        "n",
        "subject_reference",
        "prompt_optimizer",
        "first_frame_image",
        "last_frame_image",
        "duration",
        "resolution",
        "task_id",
        "file_id",
    ),
    settles_from="the pictures in the answer; for a video the task that succeeded, whose length and tier are those "
    "asked for: the answer has only its pixels",
    sdk="none for pictures and videos: HTTP 402, `base_resp.status_code` 1008",
    corners=(
        "tasks cannot be cancelled",
        "POST /v2/video_generation (H3, a list of contents) is not open",
        "POST /files/upload and video templates are not open",
    ),
)

_FIELD_NAMES = {"outputs": "n", "duration_s": "duration", "enhance_prompt": "prompt_optimizer"}


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads a picture's or a video's settings. Raises `Rejected` (malformed_request)."""
    fields = read_only_json(content_type, body)
    request = _ask_video(fields) if route.operation is Operation.VIDEO_GENERATE else _ask_image(fields)
    fields.finish()
    return request


def _ask_image(fields: JsonFields) -> GenerationRequest:
    width, height = fields.whole("width"), fields.whole("height")
    for side, other in (("width", "height"), ("height", "width")):
        if fields.given(other) and not fields.given(side):
            fields.missing(side, f"a number of pixels beside {other}")
    return GenerationRequest(
        model=fields.text("model"),
        operation=Operation.IMAGE_GENERATE,
        aspect_ratio=fields.text("aspect_ratio"),
        size=None if width is None or height is None else f"{width}*{height}",
        outputs=fields.whole("n"),
        enhance_prompt=fields.flag("prompt_optimizer"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=fields.count("subject_reference") or None,
    )


def _ask_video(fields: JsonFields) -> GenerationRequest:
    images = sum(fields.count(name) for name in ("first_frame_image", "last_frame_image", "subject_reference"))
    if fields.given("content"):
        fields.wrong("content", "left out: it is the newer format's, which is not open here")
    return GenerationRequest(
        model=fields.text("model"),
        operation=Operation.VIDEO_GENERATE,
        resolution=fields.text("resolution"),
        duration_s=fields.quantity("duration", "s"),
        enhance_prompt=fields.flag("prompt_optimizer"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=images or None,
    )


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for pictures, for a new task, or for where a task stands."""
    match route.kind, route.operation:
        case RouteKind.GENERATION, Operation.VIDEO_GENERATE:
            return JsonAnswer(status, _read_submitted)
        case RouteKind.GENERATION, _:
            return JsonAnswer(status, _read_images)
        case _:
            return JsonAnswer(status, partial(_read_task, job_id=None), about_job=True)


def _error_code(answer: Answer) -> int | None:
    """The code by which an answer is an error; None for one that is none."""
    return read_count(inner(answer, "base_resp").get("status_code")) or None


def _read_images(answer: Answer) -> Outcome:
    data = inner(answer, "data")
    urls = [each for each in _texts(data.get("image_urls")) if filled_text(each)]
    encoded = [each for each in _texts(data.get("image_base64")) if filled_text(each)]
    images = max(urls, encoded, key=len)
    if images:
        missing = read_count(inner(answer, "metadata").get("failed_count"))
        note = f"{missing} without an image" if missing else ""
        return Made(len(images), tuple(map(png_pixels, images)), note=note)
    if (code := _error_code(answer)) is not None:
        return Failed(f"error in a success: {code}")
    return Failed("no image in the answer") if data else Unknown("the answer has no images")


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _read_submitted(answer: Answer) -> Outcome:
    if (code := _error_code(answer)) is not None:
        return Failed(f"error in a success: {code}")
    job_id = read_id(answer.get("task_id"))
    return Unknown("accepted without a task id") if job_id is None else Pending(job_id)


def _read_task(answer: Answer, job_id: str | None) -> Outcome:
    """Where a task stands, if the answer says so at all: an error beside no status is the poll's own."""
    status, code = answer.get("status"), _error_code(answer)
    match status.lower() if isinstance(status, str) else None:
        case "queueing" | "preparing" | "processing":
            return Pending(job_id or read_id(answer.get("task_id")) or "")
        case "success":
            return _read_video(answer)
        case "fail" | "failed":
            return Failed(f"failed: {code or 'no code'}")
        case _:
            return Unknown(str(code) if code else "the answer does not say where the task stands")


def _read_video(answer: Answer) -> Outcome:
    """A file is there as soon as it has an id; its address is asked for by that."""
    file_id = read_id(answer.get("file_id"))
    if file_id is None:
        return Failed("no file in the answer")
    pixels = read_pixels(answer.get("video_width"), answer.get("video_height"))
    return Made(1, () if pixels is None else (pixels,), files=(file_id,))


def job_named(route: Route, query: Mapping[str, str], body: Sequence[bytes]) -> str:
    """The task or the file in the address."""
    name = read_job_id(query.get("file_id" if route.kind is RouteKind.DOWNLOAD else "task_id"))
    if name is None:
        raise no_job()
    return name


def ask(link: JobLink) -> Ask | None:
    """By the task's id, which stands in the query."""
    route = ROUTES.find("GET", _POLL)
    return None if route is None else Ask("GET", route, query=f"task_id={link.job_id}")


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """MiniMax's own error shape with its own code, under an honest status, and the facts beside it."""
    message = explain(rejection, _FIELD_NAMES)
    body: Facts = {
        "base_resp": {"status_code": _STATUS_CODES.get(rejection.status, _UNKNOWN_ERROR), "status_msg": message},
        "error": rejection_facts(rejection, request_id) | {"message": message},
    }
    headers = (*rejection_headers(rejection, "application/json"), ("x-request-id", request_id))
    return Rendered(rejection.status, headers, orjson.dumps(body))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    return None
