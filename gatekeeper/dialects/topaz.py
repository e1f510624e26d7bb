"""Topaz' image API: forms in, upscales as processes that are asked for and then downloaded.

Topaz takes the size that is to come out, and no factor; prices here are by the picture that goes in and the factor. So
the picture in the form is asked for its size, and the factor is what lies between the two. Facts:
developer.topazlabs.com; there is no official SDK.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import orjson

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import Answer, read_answer, read_job_id, read_pixels, read_sum
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
from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.facts import explain, rejection_facts, rejection_headers
from gatekeeper.dialects.form import FormFields
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.multipart import read_form
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

ROUTES = RouteTable(
    row("POST", "/enhance/async", RouteKind.GENERATION, "enhance", Operation.IMAGE_UPSCALE),
    row("POST", "/enhance-gen/async", RouteKind.GENERATION, "enhance-gen", Operation.IMAGE_UPSCALE),
    row("GET", "/status/{job}", RouteKind.POLL, "status"),
    row("GET", "/download/{job}", RouteKind.DOWNLOAD, "download"),
    row("DELETE", "/cancel/{job}", RouteKind.CANCEL, "cancel"),
    prefixes=("/image/v1", ""),
)
"""With `/image/v1` before them or without: Topaz' own base URL ends in it."""

_UNSAID = "Topaz does not say; UNVERIFIED, taken as the usual rule that a process without a result is not charged"


def read_event(body: bytes) -> tuple[str | None, Outcome]:
    """A call-back: the process as its status would tell it. Never raises."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    return read_job_id(answer.get("process_id")), _read_status(answer)


TRAITS = Traits(
    title="Topaz (image)",
    address="https://api.topazlabs.com/image/v1",
    credential=CredentialPlace("header", "X-API-Key"),
    pointed="plain HTTP: `POST http://HOST:8080/NAME/image/v1/enhance/async`, the key in `X-API-Key: gk_...`",
    webhook=Webhook("form", "webhook_url", "none", read_event),
    billing=(
        BillingRule("failed", "nothing", _UNSAID),
        BillingRule("cancelled", "nothing", _UNSAID),
    ),
    reads=("model", "image", "output_width", "output_height", "source_url", "source_id"),
    settles_from="the `output_width` and `output_height` of the completed process; `credits` is recorded beside it",
    sdk="no official one: status 402, the sentence in `error.message`",
    corners=(
        "the answers that wait for the picture (/enhance) are not open, nor are sharpen, denoise, restore, lighting "
        "and video: they have no factor to price",
        "`source_url` is refused, for the size of what is there is not known; `source_id`, for it may name another "
        "team's picture",
        "TIFF, HEIC and raw files are refused, for their size cannot be read here",
        "a photograph that its EXIF note turns by 90 degrees is measured as it lies in the file",
        "an output size is read as the least factor that covers it on both sides; it must be one that is sold",
        "lists of processes and deleting them are not open: they show other teams' work",
    ),
)

_FIELD_NAMES = {
    "scale": "output_width or output_height over those of the image",
    "input": "image (PNG, JPEG or WebP)",
}
"""Our names for what this format calls otherwise."""

_ELSEWHERE = {
    "source_url": "the size of what is there is not known here",
    "source_id": "it may name another team's picture",
}
"""Ways to name a picture that is not in the form."""

_RUNNING = frozenset({"pending", "processing"})


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads a form. Raises `Rejected`: malformed_request, or missing_parameter where there is no price without."""
    if not content_type.lstrip().lower().startswith("multipart/form-data"):
        raise malformed("Content-Type must be multipart/form-data.")
    fields = read_form(content_type, body)
    given = fields.file_pixels("image")
    request = GenerationRequest(
        model=fields.text("model"),
        operation=route.operation,
        scale=_read_scale(fields, given),
        input_pixels=given,
    )
    if request.model is None:
        fields.missing("model", "the name of a model, for Topaz chooses one otherwise,")
    if given is None:
        fields.missing("image", "a file whose size can be read (PNG, JPEG or WebP)")
    for name, reason in _ELSEWHERE.items():
        if fields.text(name) is not None:
            fields.complaints.wrong(name, "given", f"left out: {reason}")
    fields.finish()
    return request


def _read_scale(fields: FormFields, given: Pixels | None) -> Fraction | None:
    """The least factor that covers the size asked for."""
    width, height = fields.whole("output_width"), fields.whole("output_height")
    if width is None and height is None:
        fields.missing("output_width", "output_width or output_height")
    for name, side in (("output_width", width), ("output_height", height)):
        if side is not None and side < 1:
            fields.complaints.wrong(name, str(side), "a number of pixels")
    if given is None:
        return None
    factors = [Fraction(side, of) for side, of in ((width, given.width), (height, given.height)) if side is not None]
    return max(factors, default=None)


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a process that was begun, or for where one stands."""
    if route.kind is RouteKind.GENERATION:
        return JsonAnswer(status, _read_begun)
    return JsonAnswer(status, _read_status, about_job=True)


def _read_begun(answer: Answer) -> Outcome:
    job_id = read_job_id(answer.get("process_id"))
    return Unknown("accepted without a process id") if job_id is None else Pending(job_id)


def _read_status(answer: Answer) -> Outcome:
    status, job_id = answer.get("status"), read_job_id(answer.get("process_id"))
    word = status.lower() if isinstance(status, str) else ""
    if word in _RUNNING and job_id is not None:
        return Pending(job_id)
    match word:
        case "completed":
            pixels = read_pixels(answer.get("output_width"), answer.get("output_height"))
            return Made(1, (pixels,), cost=_cost(answer))
        case "failed" | "cancelled":
            return Failed(word, cost=_cost(answer))
        case _:
            return Unknown("the answer does not say where the process stands")


def _cost(answer: Answer) -> Cost | None:
    amount = read_sum(answer.get("credits"))
    return None if amount is None else Cost(amount, "topaz_credits")


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    route = find_route("GET", f"/status/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """An `error` with its code and a sentence, and all the facts beside them."""
    error = {"message": explain(rejection, _FIELD_NAMES)} | rejection_facts(rejection, request_id)
    headers = rejection_headers(rejection, "application/json")
    return Rendered(rejection.status, headers, orjson.dumps({"error": error}))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: there are no streams."""
    return None
