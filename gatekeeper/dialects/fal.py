"""fal.ai: a model's own path, called at once (`run`) or through the queue, with inputs that are the model's own.

The id of a model is its path. Addresses about a job keep the first two segments of it only, so what a job was is told
by its record and never by its path. `run` and `queue` are hosts of their own, which the SDK is given one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import orjson

from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.answers import succeeded
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
from gatekeeper.dialects.contenttype import is_event_stream
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fal_answer import OutputAnswer, StreamAnswer, read_event, read_status, read_submitted
from gatekeeper.dialects.fields import read_only_json
from gatekeeper.dialects.hosted import READS, read_input
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.routes import RouteTable, Row, job_in_path, row

QUEUE: Final = "queue"
"""The segment of the queue's address."""

NAMESPACES: Final = ("workflows", "comfy")
"""What may stand before the owner of an app (fal_client 1.0.3, `APP_NAMESPACES`)."""

ENDED: Final = "queue.ended"
"""A result that is asked for because the job is over: any error of a model is then its end."""

_SUBMIT_QUERY = frozenset({"fal_webhook", "fal_max_queue_length"})


def _job_rows(app: str) -> tuple[Row, ...]:
    """The routes about a job of such an app. Both addresses of a result are in use."""
    job = f"{app}/requests/{{job}}"

    def line(method: str, end: str, kind: RouteKind, name: str, query: frozenset[str] = frozenset()) -> Row:
        return row(method, f"/queue{job}{end}", kind, name, upstream=job + end, base=QUEUE, query=query)

    return (
        line("GET", "/status", RouteKind.POLL, "queue.status", frozenset({"logs"})),
        line("GET", "", RouteKind.POLL, "queue.result"),
        line("GET", "/response", RouteKind.POLL, "queue.result"),
        line("PUT", "/cancel", RouteKind.CANCEL, "queue.cancel"),
    )


ROUTES = RouteTable(
    row("POST", "/run/{model*}/stream", RouteKind.GENERATION, "run.stream", upstream="/{model*}/stream"),
    row("POST", "/run/{model*}", RouteKind.GENERATION, "run", upstream="/{model*}"),
    row(
        "POST",
        "/queue/{model*}",
        RouteKind.GENERATION,
        "queue.submit",
        upstream="/{model*}",
        base=QUEUE,
        query=_SUBMIT_QUERY,
    ),
    *_job_rows("/{owner}/{app}"),
    *(line for namespace in NAMESPACES for line in _job_rows(f"/{namespace}/{{owner}}/{{app}}")),
)

TRAITS = Traits(
    title="fal",
    address="https://fal.run",
    credential=CredentialPlace("bearer", "Key"),
    bases={QUEUE: "https://queue.fal.run"},
    links=("status_url", "response_url", "cancel_url"),
    webhook=Webhook("query", "fal_webhook", "fal", read_event),
    billing=(
        BillingRule(
            "failed",
            "as reported",
            "fal's FAQ: its own errors (5xx) are never charged, a 422 may be if GPU time was spent; "
            "the result's x-fal-billable-units says so, and without it nothing is charged",
        ),
        BillingRule("moderated", "as reported", "a refusal by content policy is a 422 like any other"),
        BillingRule(
            "cancelled", "nothing", "fal's FAQ: what is cancelled in the queue is not processed, and nothing is charged"
        ),
        BillingRule("expired", "nothing", "a time-out is a 504, and 5xx is never charged"),
    ),
    streams=True,
    pointed="`FAL_RUN_HOST=HOST/NAME/run` and `FAL_QUEUE_RUN_HOST=HOST/NAME/queue`, behind https, before the import; "
    "`FAL_KEY=gk_...`. The SDK speaks https only: put a TLS proxy in front and set `server.public_url: https://...`, "
    "else the queue's links lead to http, and `submit` and `subscribe` fail; a certificate of one's own goes into "
    "`SSL_CERT_FILE`",
    reads=READS,
    settles_from="the files in the output: their number, their pixels and length where it states them; what fal bills "
    "(`x-fal-billable-units`) is recorded beside the charge",
    sdk="fal_client: FalClientHTTPError with status_code 402, after one attempt",
    corners=(
        "the SDK sends 408, 409 and 429 again up to ten times, whatever the answer says",
        "`upload_*` and realtime connections go to hosts that are fixed in the SDK: pass files as data URIs or by URL",
        "`proxyUrl` of the JavaScript client, which names its target in `x-fal-target-url`, is not open",
        "`/status/stream` is not open: poll `/status`",
        "an upscale priced by the picture that goes in needs it as a PNG in a data URI: a URL tells no size",
        "fal keeps a result for an hour, one of 10 KB and more for six minutes",
    ),
)

_FIELD_NAMES = {
    "outputs": "num_images",
    "duration_s": "duration",
    "audio": "generate_audio",
    "scale": "upscale_factor",
    "input": "image_url",
    "size": "image_size",
}
"""Our names for what most models here call otherwise."""


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """What a model's input asks. Raises `Rejected` (malformed_request)."""
    fields = read_only_json(content_type, body)
    request = read_input(route.model, fields, stream=route.name == "run.stream")
    fields.finish()
    return request


def outcome_reader(
    route: Route, status: int, content_type: str, headers: Mapping[str, str] = NO_HEADERS
) -> OutcomeReader:
    """A reader for an output, a submission, a status or a result. What a cancel answers is no end."""
    match route.name:
        case "queue.submit":
            return JsonAnswer(status, read_submitted)
        case "queue.status" | "queue.cancel":
            return JsonAnswer(status, partial(read_status, job=route.job or ""), about_job=True)
        case "queue.result" | "queue.ended":
            return OutputAnswer(status, headers, job=route.job or "", certain=route.name == ENDED)
        case _ if succeeded(status) and is_event_stream(content_type):
            return StreamAnswer(headers)
        case _:
            return OutputAnswer(status, headers)


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """How the job stands, and for the result once it is over: at the addresses that fal would have named."""
    parts = link.submit_path.strip("/").split("/")
    app = "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])
    route = find_route("GET", f"/queue/{app}/requests/{link.job_id}{'' if link.ended else '/status'}")
    if route is None:
        return None
    return Ask("GET", replace(route, name=ENDED) if link.ended else route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """What the SDK makes its message (`detail`) and `error_type` of, and all facts beside them."""
    headers = rejection_headers(rejection, "application/json")
    return Rendered(rejection.status, headers, orjson.dumps(_error(rejection, request_id)))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """An event; the SDK hands it on as it hands on every other, and the connection then ends."""
    return b"event: error\ndata: " + orjson.dumps({"error": _error(rejection, request_id)}) + b"\n\n"


def _error(rejection: Rejection, request_id: str) -> Facts:
    told: Facts = {"detail": explain(rejection, _FIELD_NAMES), "error_type": rejection.code.value}
    return told | rejection_facts(rejection, request_id)
