"""xAI's REST format: pictures at once or deferred, and videos, which are always jobs.

It has OpenAI's paths and error objects, and fields of its own. Files kept at xAI are refused as inputs: they belong to
the account behind the gateway, and whose they are cannot be told from their ids.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.dialects.answers import (
    Answer,
    Object,
    error_word,
    failed,
    filled_text,
    not_told,
    png_pixels,
    read_job_id,
    succeeded,
)
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
)
from gatekeeper.dialects.errorobject import render_error, render_error_event
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

TICKS_PER_USD = 10_000_000_000
"""xAI reports what a request cost in these."""

VIDEO_SECONDS_DEFAULT = Fraction(8)
EXTENSION_SECONDS_DEFAULT = Fraction(6)
"""What a video and an extension last when the body does not say (xAI's own types)."""

ROUTES = RouteTable(
    row("POST", "/images/generations", RouteKind.GENERATION, "images.generations", Operation.IMAGE_GENERATE),
    row("POST", "/images/edits", RouteKind.GENERATION, "images.edits", Operation.IMAGE_EDIT),
    row("GET", "/images/{job}", RouteKind.POLL, "images"),
    row("POST", "/videos/generations", RouteKind.GENERATION, "videos.generations", Operation.VIDEO_GENERATE),
    row("POST", "/videos/edits", RouteKind.GENERATION, "videos.edits", Operation.VIDEO_EDIT),
    row("POST", "/videos/extensions", RouteKind.GENERATION, "videos.extensions", Operation.VIDEO_EXTEND),
    row("GET", "/videos/{job}", RouteKind.POLL, "videos"),
    row("GET", "/models", RouteKind.FREE, "models"),
    row("GET", "/models/{model}", RouteKind.FREE, "model"),
    row("GET", "/image-generation-models", RouteKind.FREE, "image-generation-models"),
    row("GET", "/image-generation-models/{model}", RouteKind.FREE, "image-generation-model"),
    row("GET", "/video-generation-models", RouteKind.FREE, "video-generation-models"),
    row("GET", "/video-generation-models/{model}", RouteKind.FREE, "video-generation-model"),
    prefixes=("/v1", ""),
)
"""With `/v1` before them or without: SDKs are pointed at either."""

TRAITS = Traits(
    title="xAI",
    address="https://api.x.ai/v1",
    pointed="`OpenAI(base_url='http://HOST:8080/NAME/v1', api_key='gk_...')` for pictures, with `extra_body` for "
    "`aspect_ratio` and `resolution`; plain HTTP for edits and videos",
    billing=(
        BillingRule("failed", "nothing", "unverified: xAI does not say; its answer then reports no cost"),
        BillingRule("moderated", "in full", "fal.ai, xai/grok-imagine-video: a violation is still charged"),
        BillingRule("expired", "nothing", "unverified: nothing was delivered"),
    ),
    reads=(
        "model",
        "n",
        "size",
        "aspect_ratio",
        "resolution",
        "quality",
        "deferred",
        "duration",
        "seconds",
        "generate_audio",
        "image",
        "images",
        "reference_images",
        "keyframes",
        "last_frame",
        "video",
    ),
    settles_from="the pictures in the answer, or the video's duration; usage.cost_in_usd_ticks is recorded beside it",
    sdk="openai: APIStatusError with status_code 402",
    corners=(
        "the Python SDK xai_sdk speaks gRPC and cannot be used: take OpenAI's, or plain HTTP",
        "an edit of a video is held at the longest the model makes: its source's length is not in the body",
        "file_id, a file kept at xAI, is refused as input: give an address or the data itself",
        "output and storage_options are refused: what is made must be in the answer to be counted",
        "an extension is charged for the seconds it asks for: the duration in its answer may count the source too",
        "deferred chat completions and the Files API are not open",
    ),
)

_FIELD_NAMES = {"outputs": "n", "duration_s": "duration", "audio": "generate_audio"}
"""Our names for what this format calls otherwise."""

_INPUTS = ("image", "images", "reference_images", "keyframes", "last_frame")
_OTHER_PLACES = ("output", "storage_options")
"""Where xAI may put what it made beside, or in place of, the answer; what is not in the answer is not counted."""

_NO_JOBS = frozenset({"generations", "edits", "extensions"})
"""Words that stand where a job's id does, in addresses for something else."""
_AUDIO_INPUTS = ("reference_audios",)


routes = ROUTES.routes


def find_route(method: str, path: str) -> Route | None:
    found = ROUTES.find(method, path)
    return None if found is not None and found.job in _NO_JOBS else found


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON. Raises `Rejected`: malformed_request, or missing_parameter."""
    fields = read_only_json(content_type, body)
    pictures = sum(_count(fields, name) for name in _INPUTS)
    _check_inputs(route, fields, pictures)
    request = GenerationRequest(
        model=fields.text("model"),
        operation=route.operation,
        resolution=fields.text("resolution"),
        aspect_ratio=fields.text("aspect_ratio"),
        size=fields.text("size"),
        outputs=fields.whole("n"),
        quality=fields.text("quality"),
        duration_s=_duration(route, fields),
        duration_auto=route.operation is Operation.VIDEO_EDIT,
        audio=fields.flag("generate_audio"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=pictures or None,
        input_video=_count(fields, "video") > 0,
    )
    fields.finish()
    return request


def _count(fields: JsonFields, name: str) -> int:
    """How many inputs a field holds: a list of them or one, each an address or an object with one."""
    if not fields.given(name):
        return 0
    if fields.holds_text(name):
        return 1
    if not fields.holds_list(name):
        inner = fields.inner(name)
        return 0 if inner is None else _checked(inner)
    return sum(_checked(each) for each in fields.objects(name))


def _checked(item: JsonFields) -> int:
    item.wrong("file_id", "left out: give an address or the data itself")
    for name in ("image", "file"):
        if item.given(name) and not item.holds_text(name) and (inner := item.inner(name)) is not None:
            inner.wrong("file_id", "left out: give an address or the data itself")
    return 1


def _check_inputs(route: Route, fields: JsonFields, pictures: int) -> None:
    for name in _AUDIO_INPUTS:
        _count(fields, name)
    for name in _OTHER_PLACES:
        fields.wrong(name, "left out: what is made must be in the answer")
    if route.operation is Operation.IMAGE_EDIT and not pictures:
        fields.missing("image", "a picture to edit")
    if route.operation in {Operation.VIDEO_EDIT, Operation.VIDEO_EXTEND} and not fields.given("video"):
        fields.missing("video", "a video to start from")


def _duration(route: Route, fields: JsonFields) -> Fraction | None:
    """In seconds, under either of its two names. An edit is as long as its source and takes none."""
    if fields.given("duration") and fields.given("seconds"):
        fields.wrong("seconds", "left out beside duration")
    asked = fields.quantity("duration", "s") or fields.quantity("seconds", "s")
    match route.operation:
        case Operation.VIDEO_GENERATE:
            return VIDEO_SECONDS_DEFAULT if asked is None else asked
        case Operation.VIDEO_EXTEND:
            return EXTENSION_SECONDS_DEFAULT if asked is None else asked
        case _:
            return None


class _Reader:
    """Reads pictures, an accepted job, or where one stands."""

    __slots__ = ("_object", "_route", "_status")

    def __init__(self, route: Route, status: int) -> None:
        self._route = route
        self._status = status
        self._object = Object()

    def feed(self, chunk: bytes) -> None:
        self._object.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        answer = self._object.read()
        is_poll = self._route.kind is RouteKind.POLL
        if not succeeded(self._status):
            return not_told(self._status, answer) if is_poll else failed(self._status, answer)
        if is_poll and self._status == 202:
            return self._pending(answer or {})
        if answer is None:
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        return self._read_poll(answer) if is_poll else self._read_submit(answer)

    def _pending(self, answer: Answer) -> Outcome:
        """A job that runs; the answer about it may be empty."""
        job_id = read_job_id(answer.get("request_id")) or read_job_id(self._route.job)
        return Unknown("no job in the answer") if job_id is None else Pending(job_id)

    def _read_submit(self, answer: Answer) -> Outcome:
        job_id = read_job_id(answer.get("request_id"))
        if job_id is not None and "data" not in answer:
            return Pending(job_id)
        return _read_data(answer, is_list_needed=True)

    def _read_poll(self, answer: Answer) -> Outcome:
        match answer.get("status"):
            case "pending" | "queued" | "processing":
                return self._pending(answer)
            case "failed":
                return Failed(f"failed: {error_word(answer) or 'no code'}", cost=_cost(answer))
            case "expired":
                return Failed("expired", cost=_cost(answer))
            case "done" | None if "video" in answer or "data" in answer:
                return _read_video(answer) if self._route.name == "videos" else _read_data(answer)
            case "done":
                return Failed("nothing in the answer", cost=_cost(answer))
            case _:
                return Unknown("the answer says no status that is known")


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    return _Reader(route, status)


def _read_data(answer: Answer, *, is_list_needed: bool = False) -> Outcome:
    """Pictures by address or in the answer. What moderation took away is charged by xAI all the same."""
    data = answer.get("data")
    entries = [cast("Answer", each) for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    images = [each for each in entries if filled_text(each.get("url")) or filled_text(each.get("b64_json"))]
    cost, moderated = _cost(answer), any(each.get("respect_moderation") is False for each in entries)
    if images:
        missing = len(entries) - len(images)
        pixels = tuple(png_pixels(image.get("b64_json")) for image in images)
        return Made(len(images), pixels, note=f"{missing} without an image" if missing else "", cost=cost)
    if moderated:
        return Failed("moderated", billable=True, cost=cost)
    if answer.get("error"):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}", cost=cost)
    if is_list_needed and not isinstance(data, list):
        return Unknown("the answer has no list of images")
    return Failed("no image in the answer", cost=cost)


def _read_video(answer: Answer) -> Outcome:
    video = answer.get("video")
    told = cast("Answer", video) if isinstance(video, dict) else {}
    cost = _cost(answer)
    if told.get("respect_moderation") is False:
        return Failed("moderated", billable=True, cost=cost)
    if not filled_text(told.get("url")) and not filled_text(told.get("file_id")):
        return Failed("no video in the answer", cost=cost)
    return Made(1, duration_s=_seconds(told.get("duration")), cost=cost)


SECONDS_MAX = 10_000
"""A longer video is a mistake in the answer."""


def _seconds(value: object) -> Fraction | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Fraction(str(value)) if is_number and 0 < cast("float", value) < SECONDS_MAX else None


def _cost(answer: Answer) -> Cost | None:
    """What xAI says it cost, exactly."""
    usage = answer.get("usage")
    ticks = usage.get("cost_in_usd_ticks") if isinstance(usage, dict) else None
    if not isinstance(ticks, int) or isinstance(ticks, bool) or not 0 < ticks < 10**18:
        return None
    return Cost(Fraction(ticks, TICKS_PER_USD), "usd")


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """By the address for its kind, which the address that made it tells."""
    kind = link.submit_path[1:].partition("/")[0]
    route = find_route("GET", f"/{kind}/{link.job_id}")
    return None if route is None or route.kind is not RouteKind.POLL else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """The first of the two error bodies that xAI's clients know, which is OpenAI's."""
    return render_error(rejection, request_id, _FIELD_NAMES)


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    return render_error_event(rejection, request_id, _FIELD_NAMES)
