"""Recraft's API, which the SDK of OpenAI speaks: pictures in the answer, and what they cost.

Without a model Recraft takes its newest one, at that one's price, so here a request without a model is refused. Facts:
recraft.ai/docs and the models of ComfyUI's nodes.
"""

from collections.abc import Mapping, Sequence

import orjson

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.dialects.answers import (
    Answer,
    error_word,
    filled_text,
    png_pixels,
    read_list,
    read_object,
    read_sum,
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
from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.contenttype import is_json
from gatekeeper.dialects.facts import explain, rejection_facts, sdk_headers
from gatekeeper.dialects.fields import JsonFields, read_json
from gatekeeper.dialects.form import FormFields
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.multipart import read_form
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

ROUTES = RouteTable(
    row("POST", "/images/generations", RouteKind.GENERATION, "images.generations", Operation.IMAGE_GENERATE),
    row("POST", "/images/imageToImage", RouteKind.GENERATION, "images.imageToImage", Operation.IMAGE_EDIT),
    row("POST", "/images/inpaint", RouteKind.GENERATION, "images.inpaint", Operation.IMAGE_EDIT),
    row("POST", "/images/replaceBackground", RouteKind.GENERATION, "images.replaceBackground", Operation.IMAGE_EDIT),
    row("POST", "/images/generateBackground", RouteKind.GENERATION, "images.generateBackground", Operation.IMAGE_EDIT),
    prefixes=("/v1", ""),
)
"""With `/v1` before them or without: clients are pointed at either."""

TRAITS = Traits(
    title="Recraft",
    address="https://external.api.recraft.ai/v1",
    pointed="`OpenAI(base_url='http://HOST:8080/NAME/v1', api_key='gk_...')`, Recraft's own fields in `extra_body`",
    billing=(
        BillingRule("failed", "nothing", "recraft.ai/docs: `credits` of an answer are what the request cost"),
        BillingRule("moderated", "nothing", "Recraft does not say; UNVERIFIED, a refusal has no `credits` in it"),
    ),
    reads=("model", "prompt", "size", "n", "response_format", "style", "substyle", "style_id"),
    settles_from="the pictures in `data`; `credits` (API units, 1000 to the dollar) is recorded beside the charge",
    sdk="openai: APIStatusError with status_code 402, one attempt",
    corners=(
        "upscales, vectorizing, removing backgrounds, erasing and styles are not open: they name no model",
        "`response_format: multipart` is refused: what cannot be read cannot be settled",
        "a vector `style` is refused where the model is none for vectors: Recraft takes double for it; so is any "
        "`style_id`, which may be one",
        "`GET /users/me` and `GET /styles` are not open: they show the operator's own account",
    ),
)

_FIELD_NAMES = {"outputs": "n"}
"""Our names for what this format calls otherwise."""

_VECTOR_STYLES = ("vector", "icon")
_RESPONSE_FORMATS = ("url", "b64_json")


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON, and for edits a form as well. Raises `Rejected`: malformed_request, or missing_parameter."""
    fields = _read_fields(route, content_type, body)
    request = GenerationRequest(
        model=fields.text("model"),
        operation=route.operation,
        size=fields.text("size"),
        outputs=fields.whole("n"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
    )
    if request.model is None:
        fields.missing("model", "the name of a model, for the price depends on it,")
    if fields.text("response_format") not in (None, *_RESPONSE_FORMATS):
        fields.complaints.wrong("response_format", "another", " or ".join(_RESPONSE_FORMATS))
    if "vector" not in (request.model or ""):
        _check_style(fields)
    fields.finish()
    return request


def _check_style(fields: JsonFields | FormFields) -> None:
    """A vector costs double. Icons are vectors; what a style of one's own is, only Recraft knows."""
    for name in ("style", "substyle"):
        style = (fields.text(name) or "").casefold().strip()
        if style.startswith(_VECTOR_STYLES):
            fields.complaints.wrong(name, "one for vectors", "a style for pictures, or go with a model for vectors")
    if fields.text("style_id") is not None:
        fields.complaints.wrong("style_id", "given", "left out: it may be a style for vectors, which cost double")


def _read_fields(route: Route, content_type: str, body: Sequence[bytes]) -> JsonFields | FormFields:
    if is_json(content_type):
        return read_json(body)
    if route.operation is not Operation.IMAGE_EDIT:
        raise malformed("Content-Type must be application/json.")
    if not content_type.lstrip().lower().startswith("multipart/form-data"):
        raise malformed("Content-Type must be multipart/form-data or application/json.")
    return read_form(content_type, body)


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a list of pictures and its cost."""
    return JsonAnswer(status, _read_data)


def _read_data(answer: Answer) -> Outcome:
    """A single picture stands in `image` where an edit can have only one."""
    single = answer.get("image")
    data = answer.get("data") if single is None else [single]
    entries = [read_object(entry) for entry in read_list(data)]
    made = [entry for entry in entries if filled_text(entry.get("url")) or filled_text(entry.get("b64_json"))]
    if made:
        missing = len(entries) - len(made)
        note = f"{missing} without an image" if missing else ""
        return Made(
            len(made), tuple(png_pixels(entry.get("b64_json")) for entry in made), note=note, cost=_cost(answer)
        )
    if answer.get("error"):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}")
    return Failed("no image in the answer") if isinstance(data, list) else Unknown("the answer has no list of images")


def _cost(answer: Answer) -> Cost | None:
    units = read_sum(answer.get("credits"))
    return None if units is None else Cost(units, "recraft_units")


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    return None


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """The code and a sentence, from which OpenAI's SDK makes its exception; it obeys `x-should-retry`."""
    headers = sdk_headers(rejection, request_id)
    body = {"message": explain(rejection, _FIELD_NAMES)} | rejection_facts(rejection, request_id)
    return Rendered(rejection.status, headers, orjson.dumps(body))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: there are no streams."""
    return None
