"""The gateway's own format: one body for pictures of every kind, and for quotes.

It is also what in-house backends speak. Unlike the others it knows all of its fields, so a field it does not know is
refused as the typing mistake it most likely is; what a provider alone understands goes into `provider_options`.
"""

import difflib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import islice
from typing import cast

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import AUTO, Pixels
from gatekeeper.dialects.answers import (
    SIDE_MAX,
    Answer,
    Object,
    error_word,
    failed,
    not_told,
    read_job_id,
    read_pixels,
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
from gatekeeper.dialects.complaints import VIOLATIONS_MAX, malformed
from gatekeeper.dialects.contenttype import is_json
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, read_json
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

FIELDS = (
    "model",
    "operation",
    "prompt",
    "resolution",
    "aspect_ratio",
    "size",
    "outputs",
    "duration_s",
    "audio",
    "scale",
    "quality",
    "enhance_prompt",
    "reference_images",
    "input_video",
    "input",
    "provider_options",
)
"""Every field of a body."""

DURATION_MAX_S = 86_400
"""A longer film is a mistake."""

_OPERATIONS = tuple(operation.value for operation in Operation)

ROUTES = RouteTable(
    row("POST", "/v1/generations", RouteKind.GENERATION, "generations"),
    row("GET", "/v1/generations/{job:}", RouteKind.POLL, "generation"),
    row("DELETE", "/v1/generations/{job:}", RouteKind.CANCEL, "cancel"),
)

_BILLING_SOURCE = "docs/native.md: a backend that charges for it answers `succeeded` with what it made"

TRAITS = Traits(
    title="gatekeeper's own format",
    pointed="plain HTTP: `POST http://HOST:8080/v1/generations`, or below `/NAME`, the key in "
    "`Authorization: Bearer gk_...`",
    reads=FIELDS,
    billing=(
        BillingRule("failed", "nothing", _BILLING_SOURCE),
        BillingRule("cancelled", "nothing", _BILLING_SOURCE),
    ),
    settles_from="the outputs in the answer: their number, and their width and height where they say so",
    sdk="none: problem documents (RFC 9457), status 402",
)


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """What a generation asks. Raises `Rejected`: malformed_request, or operation_not_supported for an unknown word."""
    if not is_json(content_type):
        raise malformed("Content-Type must be application/json.")
    return read_body(body)


def read_body(body: Sequence[bytes], beside: Sequence[str] = ()) -> GenerationRequest:
    """The body of a generation or a quote, whatever route it came by. `beside` are fields that somebody else reads.
    Raises as `read_request` does."""
    fields, known = read_json(body), (*FIELDS, *beside)
    unknown = (name for name in fields.names() if name not in known)
    for name in islice(unknown, VIOLATIONS_MAX):
        fields.complaints.unknown(name, known, nearest_name(name, known))
    auto = fields.holds_text("duration_s") and (fields.text("duration_s") or "").lower() == AUTO
    request = GenerationRequest(
        model=fields.text("model"),
        operation=_read_operation(fields),
        resolution=fields.text("resolution"),
        aspect_ratio=fields.text("aspect_ratio"),
        size=_read_size(fields),
        outputs=fields.whole("outputs"),
        duration_s=None if auto else fields.quantity("duration_s", "s"),
        duration_auto=auto,
        audio=fields.flag("audio"),
        scale=fields.quantity("scale", "x"),
        input_pixels=_read_rectangle(fields, "input"),
        quality=fields.text("quality"),
        enhance_prompt=fields.flag("enhance_prompt"),
        reference_images=fields.whole("reference_images"),
        input_video=fields.flag("input_video") or False,
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
    )
    fields.finish()
    return request


def nearest_name(word: str, known: Sequence[str]) -> str | None:
    """The name that somebody may have meant."""
    return next(iter(difflib.get_close_matches(word[:64].lower(), known, n=1)), None)


def _read_operation(fields: JsonFields) -> Operation | None:
    text = fields.text("operation")
    if text is None or text in _OPERATIONS:
        return Operation(text) if text else None
    fields.complaints.unknown_operation(text, _OPERATIONS, nearest_name(text, _OPERATIONS))
    return None


def _read_size(fields: JsonFields) -> str | None:
    """A text in any spelling, or an object, which is spelled with a star because that always means pixels."""
    if fields.holds_text("size"):
        return fields.text("size")
    pixels = _read_rectangle(fields, "size")
    return None if pixels is None else f"{pixels.width}*{pixels.height}"


def _read_rectangle(fields: JsonFields, name: str) -> Pixels | None:
    """A width and a height, both at least 1: a picture of no size would cost nothing."""
    wanted = "a text or an object with width and height" if name == "size" else "an object with width and height"
    inner = fields.inner(name, wanted)
    if inner is None:
        return None
    for side in ("width", "height"):
        value = inner.whole(side)
        if value is None and not inner.given(side):
            inner.missing(side, "a number of pixels")
        if value is not None and not 1 <= value <= SIDE_MAX:
            inner.wrong(side, f"a number of pixels from 1 to {SIDE_MAX}")
    return read_pixels(inner.whole("width"), inner.whole("height"))


class _Reader:
    """Reads the answer of a native backend: to a generation, or about a job."""

    __slots__ = ("_about_job", "_object", "_status")

    def __init__(self, status: int, *, about_job: bool) -> None:
        self._status = status
        self._about_job = about_job
        self._object = Object()

    def feed(self, chunk: bytes) -> None:
        self._object.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        answer = self._object.read()
        if not succeeded(self._status):
            return not_told(self._status, answer) if self._about_job else failed(self._status, answer)
        if answer is None or (self._about_job and not complete):
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        if self._about_job:
            return _read_job(answer)
        return _read_accepted(answer) if self._status == 202 else _read_outputs(answer)


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for 200 with outputs, 202 with a job, or an error; and for where a job stands."""
    return _Reader(status, about_job=route.kind is not RouteKind.GENERATION)


def _read_job(answer: Answer) -> Outcome:
    """`queued`, `running`, or one of the three ends."""
    job_id, status = read_job_id(answer.get("id")), answer.get("status")
    if status == "succeeded":
        return _read_outputs(answer)
    if status == "failed":
        return Failed(f"job failed: {error_word(answer) or 'no code'}")
    if status == "cancelled":
        return Failed("job cancelled")
    if status in ("queued", "running") and job_id is not None:
        return Pending(job_id)
    return Unknown("the answer has no status of a job")


def _read_accepted(answer: Answer) -> Outcome:
    job_id = read_job_id(answer.get("id"))
    return Unknown("accepted without a job id") if job_id is None else Pending(job_id)


def _read_outputs(answer: Answer) -> Outcome:
    outputs = answer.get("outputs")
    if isinstance(outputs, list) and outputs:
        pixels = tuple(_output_pixels(output) for output in outputs)
        return Made(len(outputs), pixels, duration_s=_output_duration_s(outputs))
    if answer.get("error"):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}")
    return Failed("no output in the answer") if isinstance(outputs, list) else Unknown("the answer has no outputs")


def _output_pixels(output: object) -> Pixels | None:
    if not isinstance(output, dict):
        return None
    entry = cast("Answer", output)
    return read_pixels(entry.get("width"), entry.get("height"))


def _output_duration_s(outputs: list[object]) -> Fraction | None:
    """The longest of those that say how long they are, in seconds."""
    told = [output.get("duration_s") for output in outputs if isinstance(output, dict)]
    numbers = [each for each in told if isinstance(each, int | float) and not isinstance(each, bool)]
    return max((Fraction(str(each)) for each in numbers if 0 < each <= DURATION_MAX_S), default=None)


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """`GET /v1/generations/{id}`."""
    route = find_route("GET", f"/v1/generations/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """A problem document (RFC 9457)."""
    problem: Facts = {
        "type": f"urn:gatekeeper:rejection:{rejection.code.value}",
        "title": rejection.facts.title,
        "status": rejection.status,
        "detail": explain(rejection),
    }
    headers = rejection_headers(rejection, "application/problem+json")
    return Rendered(rejection.status, headers, orjson.dumps(problem | rejection_facts(rejection, request_id)))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: this format has no streams, so there is nothing to say in the middle of one."""
    return None
