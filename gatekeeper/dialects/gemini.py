"""Google's formats on one mount: generateContent, Imagen, Veo and Interactions, on the Gemini API and on Vertex AI.

The model and the verb stand in the address, and so does the version of the API, which goes upstream as it came: the
base address of this provider is the bare host. Its credential is a key in a header, or, for Vertex AI, a token that
config has put into `Authorization`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from gatekeeper.core.outcome import Outcome, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.answers import Answer, Object, succeeded
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
)
from gatekeeper.dialects.complaints import no_job
from gatekeeper.dialects.contenttype import is_event_stream
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import read_json, read_only_json
from gatekeeper.dialects.gemini_answer import (
    OPERATION,
    content_reader,
    google_error,
    operation_outcome,
    poll_error,
    predict_outcome,
)
from gatekeeper.dialects.gemini_interaction import InteractionStream, interaction_outcome, read_interaction
from gatekeeper.dialects.gemini_request import read_content, read_predict, read_video
from gatekeeper.dialects.protofields import ProtoFields
from gatekeeper.dialects.routes import RouteTable, Row, row

VERSIONS: Final = frozenset({"v1", "v1beta", "v1alpha", "v1beta1"})
"""Of the API; they differ in what they know of, not in how it is spelled."""

_JSON = frozenset({"alt=json", "prettyPrint"})
_EVENTS = frozenset({"alt=sse", "alt=json"})
"""No other `alt`: an answer in another format could not be read, and would be free."""
_PAGES = frozenset({"pageSize", "pageToken", "queryBase", "filter"})

_MODELS = "/{version}/models"
_PUBLISHED = "/{version}/publishers/google/models"
_OF_PROJECT = "/{version}/projects/{project}/locations/{location}/publishers/google/models"


def _verbs(models: str) -> tuple[Row, ...]:
    """What a model of one of the three kinds of address can be asked to do."""
    generation = RouteKind.GENERATION
    return (
        row("POST", models + "/{model}:generateContent", generation, "generateContent", query=_JSON),
        row("POST", models + "/{model}:streamGenerateContent", generation, "streamGenerateContent", query=_EVENTS),
        row("POST", models + "/{model}:predict", generation, "predict", query=_JSON),
        row("POST", models + "/{model}:predictLongRunning", generation, "predictLongRunning", query=_JSON),
    )


def _fetch(models: str) -> Row:
    path = models + "/{model}:fetchPredictOperation"
    return row("POST", path, RouteKind.POLL, "fetchPredictOperation", query=_JSON, takes_body=True)


_INTERACTION = "/{version}/interactions/{job}"

ROUTES = RouteTable(
    *_verbs(_MODELS),
    *_verbs(_OF_PROJECT),
    *_verbs(_PUBLISHED),
    row("GET", _MODELS + "/{model}/operations/{job}", RouteKind.POLL, "operation", query=_JSON),
    _fetch(_OF_PROJECT),
    _fetch(_PUBLISHED),
    _fetch(_MODELS),
    row("GET", "/{version}/files/{file}:download", RouteKind.DOWNLOAD, "file", query=frozenset({"alt=media"})),
    row("POST", "/{version}/interactions", RouteKind.GENERATION, "interactions", query=_JSON),
    row("GET", _INTERACTION, RouteKind.POLL, "interaction", query=frozenset({"stream=false"})),
    row("POST", _INTERACTION + "/cancel", RouteKind.CANCEL, "interaction.cancel", takes_body=True),
    row("GET", _MODELS, RouteKind.FREE, "models", query=_PAGES),
    row("GET", _MODELS + "/{model}", RouteKind.FREE, "model"),
    row("GET", _PUBLISHED, RouteKind.FREE, "publishers.models", query=_PAGES),
    row("GET", _PUBLISHED + "/{model}", RouteKind.FREE, "publishers.model"),
)

TRAITS = Traits(
    title="Google Gemini API and Vertex AI",
    address="https://generativelanguage.googleapis.com",
    credential=CredentialPlace("header", "x-goog-api-key"),
    streams=True,
    pointed="`genai.Client(api_key='gk_...', http_options=HttpOptions(base_url='http://HOST:8080/NAME'))`; for Vertex "
    "AI `genai.Client(vertexai=True, project='...', location='...', credentials="
    "google.oauth2.credentials.Credentials(token='gk_...'), http_options=HttpOptions(base_url='http://HOST:8080/NAME'))`,"
    " or `vertexai=True, api_key='gk_...'` without project and location for its express mode. `generate_images` and "
    "`generate_videos` of google-genai 3.4 work with `vertexai=True` only",
    billing=(
        BillingRule("failed", "nothing", "ai.google.dev, pricing: requests that fail are not charged"),
        BillingRule(
            "moderated", "nothing", "ai.google.dev, Veo: no charge for a video that is blocked; for pictures unverified"
        ),
        BillingRule("cancelled", "nothing", "unverified: Google does not say what a cancelled interaction costs"),
        BillingRule("expired", "nothing", "unverified: nothing was delivered"),
    ),
    reads=(
        "the model in the address",
        "generationConfig.imageConfig.aspectRatio",
        "generationConfig.imageConfig.imageSize",
        "generationConfig.responseFormat",
        "generationConfig.responseModalities",
        "generationConfig.candidateCount",
        "parameters.sampleCount",
        "parameters.aspectRatio",
        "parameters.sampleImageSize",
        "parameters.mode",
        "parameters.upscaleConfig.upscaleFactor",
        "parameters.durationSeconds",
        "parameters.resolution",
        "parameters.generateAudio",
        "parameters.enhancePrompt",
        "instances[0].image, lastFrame, referenceImages, video, mask",
        "response_format",
        "generation_config.video_config.task",
        "serviceTier",
    ),
    settles_from="the pictures and videos in the answer: their number, a PNG's size, the tokens they cost",
    sdk="google-genai: errors.ClientError with code 402, its details hold the facts; client.interactions: "
    "APIStatusError with status_code 402",
    corners=(
        "a price for the words and thoughts beside a picture, which Google bills too: they cost nothing more here",
        "models of pictures as models of words: an answer in words alone is charged as quoted, for Google bills it too",
        "tools, cachedContent, routingConfig, serviceTier priority: refused, for what they cost is not known here",
        "agents in interactions; an interaction with previous_interaction_id counts as an edit",
        "a sampleCount left open: it counts as 4 for Imagen and as 1 for Veo, which are Google's defaults",
        "webhook_config by way of the gateway: Google itself calls that address, and signs",
        "links to files that lead here: the SDK's files.download comes here all the same, other clients fetch "
        "/v1beta/files/ID:download?alt=media, where ID is the one in the link",
        "files of others: one that a body names must be among the team's own outputs, but an address of a "
        "bucket is not checked",
        "cancelling an operation, deleting an interaction or streaming it again, uploading or listing files",
        "a project or location of config's: those in the address go upstream as they are",
        "minting Vertex AI's access tokens, which last an hour: give a key of its express mode, or renew the "
        "credential",
        "telling retries: google-genai's interactions client sends again after 409, 429 and 5xx, up to four times, and "
        "does not say so; where Google may have done the work the gateway therefore answers 424 and not 502 or 504",
    ),
)

_FIELD_NAMES = {
    "outputs": "sampleCount",
    "aspect_ratio": "aspectRatio",
    "duration_s": "durationSeconds",
    "audio": "generateAudio",
}
"""Our names for what this format calls otherwise."""

_STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    424: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    502: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's words by status. It has none for 402; what is missing there is a condition for the request."""

_FINAL_STATUS = 424
"""Failed Dependency: Google took the request and gave no answer. The interactions client sends any 5xx again, up to
four times, whatever a header says; this it does not."""

_READERS: dict[str, Callable[[Route, ProtoFields], GenerationRequest]] = {
    "generateContent": read_content,
    "streamGenerateContent": read_content,
    "predict": read_predict,
    "predictLongRunning": read_video,
    "interactions": lambda _route, body: read_interaction(body),
}


routes = ROUTES.routes


def find_route(method: str, path: str) -> Route | None:
    """The route, if the address begins with a version that exists."""
    return ROUTES.find(method, path) if path[1:].partition("/")[0] in VERSIONS else None


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON. Raises `Rejected`: malformed_request, or missing_parameter."""
    fields = ProtoFields(read_only_json(content_type, body))
    request = _READERS[route.name](route, fields)
    fields.finish()
    return request


class _Reader:
    """Reads one JSON object as what its route answers with."""

    __slots__ = ("_object", "_route", "_status")

    def __init__(self, route: Route, status: int) -> None:
        self._route = route
        self._status = status
        self._object = Object()

    def feed(self, chunk: bytes) -> None:
        self._object.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        answer = self._object.read()
        if not succeeded(self._status):
            is_submit = self._route.kind is RouteKind.GENERATION
            return google_error(self._status, answer) if is_submit else poll_error(self._status, answer)
        if answer is None:
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        return self._read(answer)

    def _read(self, answer: Answer) -> Outcome:
        if self._route.name == "predict":
            return predict_outcome(answer)
        if self._route.name.startswith("interaction"):
            return interaction_outcome(answer)
        return operation_outcome(answer, _operation_of(self._route))


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    if route.name in {"generateContent", "streamGenerateContent"}:
        return content_reader(status, content_type)
    if route.name == "interactions" and succeeded(status) and is_event_stream(content_type):
        return InteractionStream()
    return _Reader(route, status)


def _operation_of(route: Route) -> str | None:
    """The operation that a poll's address names."""
    return f"models/{route.model}/operations/{route.job}" if route.name == "operation" else None


def job_named(route: Route, query: Mapping[str, str], body: Sequence[bytes]) -> str:
    """An operation by its full name, a file as `files/...`, an interaction by its id. Raises `Rejected` without one."""
    if route.name == "fetchPredictOperation":
        return _operation_in(body)
    name = _operation_of(route) or (f"files/{route.job}" if route.name == "file" else route.job)
    if name is None or (route.name == "operation" and not OPERATION.fullmatch(name)):
        raise no_job()
    return name


def _operation_in(body: Sequence[bytes]) -> str:
    fields = ProtoFields(read_json(body))
    name = fields.text("operationName")
    fields.finish()
    if name is None or not OPERATION.fullmatch(name):
        raise no_job()
    return name


def ask(link: JobLink) -> Ask | None:
    """An operation of Vertex AI is asked for with a body, as its SDK does; of the Gemini API by its own address. Of the
    express mode's the name may not tell which it is; where it was submitted does."""
    version = "/" + link.submit_path[1:].partition("/")[0]
    model, is_operation, _ = link.job_id.rpartition("/operations/")
    if not is_operation:
        return _ask("GET", f"{version}/interactions/{link.job_id}", query="stream=false")
    is_published = link.submit_path.startswith(f"{version}/publishers/")
    if model.startswith("models/") and not is_published:
        return _ask("GET", f"{version}/{link.job_id}")
    asked_at = link.submit_path.rpartition(":")[0] if is_published else f"{version}/{model}"
    body = orjson.dumps({"operationName": link.job_id})
    return _ask("POST", f"{asked_at}:fetchPredictOperation", body=body)


def _ask(method: str, path: str, *, query: str = "", body: bytes = b"") -> Ask | None:
    route = find_route(method, path)
    return None if route is None else Ask(method, route, query, body, "application/json" if body else "")


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """Google's error body. `google-genai` keeps all of it as `details`."""
    headers = rejection_headers(rejection, "application/json")
    return Rendered(_status(rejection), headers, orjson.dumps({"error": _error(rejection, request_id)}))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """An event that makes the SDK raise. Its data must begin with the error, and no line name the event: the SDK tells
    an error by the one and takes the other for data."""
    event = orjson.dumps({"error": _error(rejection, request_id), "event_type": "error"})
    return b"data: " + event + b"\n\n"


def _status(rejection: Rejection) -> int:
    """The rejection's, unless the SDK would pay again for work that may have been done."""
    return _FINAL_STATUS if rejection.final and rejection.status >= 500 else rejection.status


def _error(rejection: Rejection, request_id: str) -> Facts:
    detail: Facts = {"@type": f"urn:gatekeeper:rejection:{rejection.code.value}"}
    return {
        "code": _status(rejection),
        "message": explain(rejection, _FIELD_NAMES),
        "status": _STATUS_WORDS.get(_status(rejection), "INTERNAL"),
        "details": [detail | rejection_facts(rejection, request_id)],
    }
