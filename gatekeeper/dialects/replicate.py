"""Replicate: predictions of a model or of one of its versions, with inputs that are the model's own.

A prediction is a job that may have ended by the time its submission is answered (`Prefer: wait`). Its model stands in
the path, or in the body as a version: `owner/name`, `owner/name:version`, or the bare hash of one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest
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
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.hosted import READS, read_input
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.replicate_answer import read_event, read_prediction
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

ROUTES = RouteTable(
    row(
        "POST",
        "/models/{model*}/predictions",
        RouteKind.GENERATION,
        "models.predictions",
        upstream="/v1/models/{model*}/predictions",
    ),
    row("POST", "/predictions", RouteKind.GENERATION, "predictions", upstream="/v1/predictions"),
    row(
        "POST",
        "/deployments/{owner}/{name}/predictions",
        RouteKind.GENERATION,
        "deployments.predictions",
        upstream="/v1/deployments/{owner}/{name}/predictions",
    ),
    row("GET", "/predictions/{job}", RouteKind.POLL, "prediction", upstream="/v1/predictions/{job}"),
    row("POST", "/predictions/{job}/cancel", RouteKind.CANCEL, "cancel", upstream="/v1/predictions/{job}/cancel"),
    row("POST", "/files", RouteKind.FREE, "files", upstream="/v1/files", takes_body=True),
    row("GET", "/models/{owner}/{name}", RouteKind.FREE, "model", upstream="/v1/models/{owner}/{name}"),
    row(
        "GET",
        "/models/{owner}/{name}/versions",
        RouteKind.FREE,
        "versions",
        upstream="/v1/models/{owner}/{name}/versions",
    ),
    row(
        "GET",
        "/models/{owner}/{name}/versions/{id}",
        RouteKind.FREE,
        "version",
        upstream="/v1/models/{owner}/{name}/versions/{id}",
    ),
    prefixes=("/v1", ""),
)
"""The SDK of 2025 puts `/v1` into its paths, the one after it into its base URL."""

TRAITS = Traits(
    title="Replicate",
    address="https://api.replicate.com",
    links=("urls.get", "urls.cancel"),
    webhook=Webhook("json", "webhook", "standard", read_event),
    billing=(
        BillingRule(
            "failed",
            "nothing",
            "unverified: Replicate's terms speak of charges for failed runs of private models and deployments only",
        ),
        BillingRule("moderated", "nothing", "unverified: a refusal is a failed prediction like any other"),
        BillingRule(
            "cancelled",
            "as reported",
            "Replicate's page on a prediction's lifecycle: the time that it ran is charged; "
            "`metrics.predict_time` or `started_at` says that it ran",
        ),
        BillingRule("expired", "nothing", "the same page: `aborted` is a prediction that never began"),
    ),
    pointed="`Client(base_url='http://HOST:8080/NAME', api_token='gk_...')`",
    reads=("version", *(f"input.{name}" for name in READS)),
    settles_from="the addresses in `output`: their number, and a film's length where `metrics` states it",
    sdk="replicate: ReplicateError with status 402, after one attempt",
    corners=(
        "a deployment's model is not known: such requests need a `default_model`, at whose price they all are",
        "a bare version hash, which is all that the SDK sends of `owner/name:version`, is a model only where the "
        "catalog lists it as an upstream id: name the model alone, or `owner/name:version` in `version` by hand",
        "`stream: true` and `webhook_completed` are refused: the one leads past the gateway, `webhook` replaced the "
        "other",
        "lists of predictions show other teams' jobs, and files of others are not to be read: neither is open",
        "`FileOutput.read()` of the SDK sends the gatekeeper key to replicate.delivery, whose addresses are public: "
        "fetch `output.url` with another client",
        "an `aborted` prediction makes version 1 of the SDK raise a validation error of its own",
        "Replicate deletes inputs and outputs after an hour",
    ),
)

_HASH: Final = re.compile(r"[0-9a-f]{64}")

_FIELD_NAMES = {
    "outputs": "num_outputs",
    "duration_s": "duration",
    "audio": "generate_audio",
    "scale": "scale_factor",
    "input": "image",
}
"""Our names for what most models here call otherwise."""


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """What a prediction asks. Raises `Rejected` (malformed_request)."""
    fields = read_only_json(content_type, body)
    model = _model(route, fields)
    if fields.flag("stream"):
        fields.wrong("stream", "left out: a stream would lead past the gateway")
    if fields.given("webhook_completed"):
        fields.wrong("webhook_completed", "named webhook")
    inner = fields.inner("input")
    request = GenerationRequest(model=model) if inner is None else read_input(model, inner)
    fields.finish()
    return request


def _model(route: Route, fields: JsonFields) -> str | None:
    """The model of the path, or that of the version. Neither is known of a deployment.

    What the path does not name and the body does (or the other way round) may still be followed by the provider.
    """
    version, named = fields.text("version"), fields.text("model")
    told = None if version is None else version if _HASH.fullmatch(version) else version.partition(":")[0]
    if route.name == "deployments.predictions":
        for name in ("version", "model"):
            fields.wrong(name, "left out beside a deployment")
        return None
    model = route.model or told or named
    for name, value in (("version", told), ("model", named)):
        if value not in {None, model}:
            fields.wrong(name, f"of {model} or left out")
    return model


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a prediction, which is what a submission, a poll and a cancel are all answered with."""
    return JsonAnswer(status, read_prediction, about_job=route.kind is not RouteKind.GENERATION)


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """The prediction once more."""
    route = find_route("GET", f"/v1/predictions/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """A problem document (RFC 7807), of which the SDK shows type, title, status, detail and instance."""
    problem: Facts = {
        "type": f"urn:gatekeeper:rejection:{rejection.code.value}",
        "title": rejection.facts.title,
        "status": rejection.status,
        "detail": explain(rejection, _FIELD_NAMES),
        "instance": request_id,
    }
    headers = rejection_headers(rejection, "application/problem+json")
    return Rendered(rejection.status, headers, orjson.dumps(problem | rejection_facts(rejection, request_id)))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: no answer of this format is a stream."""
    return None
