"""Black Forest Labs: a model's own path, one picture a request, always as a job with an address to poll.

What it costs is told when it is submitted. The address to poll may be at another of BFL's clusters; it is kept with
the job, and the caller gets one of the gateway's in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final, cast

import orjson

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import AUTO
from gatekeeper.dialects.answers import (
    Answer,
    error_word,
    filled_text,
    read_answer,
    read_job_id,
    read_pixels,
)
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
from gatekeeper.dialects.complaints import no_job
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json, read_sides
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.routes import RouteTable, row

ROUTES = RouteTable(
    row("GET", "/get_result", RouteKind.POLL, "get_result", upstream="/v1/get_result", query=frozenset({"id"})),
    row("POST", "/flux-{model}", RouteKind.GENERATION, "generate", upstream="/v1/flux-{model}"),
    prefixes=("/v1", ""),
)
"""Every model's path begins so; others are not for making pictures."""

FILM: Final = "flux-3-video"
"""The one path that makes films; sound is on there unless it is turned off."""

_TIERS: Final = {"hd": "720P", "fhd": "1080P"}
"""BFL's words for the tiers of its films."""

_EDIT_MODES: Final = frozenset({"v2v", "draft_enhance"})
_INPUTS: Final = ("image", "image_prompt", "input_image", *(f"input_image_{number}" for number in range(2, 9)))
_FILM_INPUTS: Final = ("input_video", "video", "draft_id")

_STILL_RUNNING: Final = frozenset({"Pending", "Queued", "Processing"})
_MODERATED: Final = frozenset({"Request Moderated", "Content Moderated"})

COST_MAX: Final = 10**9
"""More credits than any request costs; beyond it a figure is a mistake."""


def read_event(body: bytes) -> tuple[str | None, Outcome]:
    """The job and its outcome as a webhook tells them: what a poll would."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    job_id = read_job_id(answer.get("id")) or read_job_id(answer.get("task_id"))
    return job_id, read_task(answer)


def read_task(answer: Answer) -> Outcome:
    """How a task stands, or how it ended."""
    match answer.get("status"):
        case "Ready":
            return _read_result(answer, _cost(answer))
        case str(status) if status in _MODERATED:
            return Failed(status)
        case "Error":
            return Failed(f"Error: {error_word(answer)}" if error_word(answer) else "Error")
        case "Task not found":
            return Unknown("Task not found", gone=True)
        case str(status):
            return _read_pending(answer, known=status in _STILL_RUNNING)
        case other:
            return _read_pending(answer, known=other is None)


def _read_pending(answer: Answer, *, known: bool) -> Outcome:
    """A task that is under way: `known` by its status, else by an address to poll."""
    job_id, url = read_job_id(answer.get("id")), answer.get("polling_url")
    if job_id is None:
        return Unknown("accepted without a job id")
    if not known and not filled_text(url):
        return Unknown("the task has no status that is known")
    return Pending(job_id, cast("str", url) if filled_text(url) else None, cost=_cost(answer))


def _read_result(answer: Answer, cost: Cost | None) -> Outcome:
    """What is there. Its `duration` is that of the work, not of a film."""
    value = answer.get("result")
    result = cast("Answer", value) if isinstance(value, dict) else {}
    samples = _texts(result.get("sample")) or _texts(result.get("samples"))
    if not samples:
        return Failed("no output in the result")
    pixels = read_pixels(result.get("width"), result.get("height"))
    return Made(samples, (pixels,) * samples if pixels else (), cost=cost)


def _texts(value: object) -> int:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    return sum(1 for each in listed if filled_text(each))


def _cost(answer: Answer) -> Cost | None:
    """BFL's own credits, a US cent each."""
    value = answer.get("cost")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= cast("float", value) <= COST_MAX:
        return None
    return Cost(Fraction(str(value)), "bfl_credits")


TRAITS = Traits(
    title="Black Forest Labs",
    address="https://api.bfl.ai",
    credential=CredentialPlace("header", "x-key"),
    links=("polling_url",),
    webhook=Webhook("json", "webhook_url", "bfl", read_event, secret_field="webhook_secret"),  # noqa: S106  # a name
    billing=(
        BillingRule("failed", "nothing", "unverified: BFL's pages promise it for moderated tasks only"),
        BillingRule("moderated", "nothing", "help.bfl.ai (June 2026): moderated requests are not charged"),
        BillingRule("expired", "nothing", "unverified: a task that is not found any more has no charge that is known"),
    ),
    pointed="`BFLClient(api_key='gk_...', base_url='http://HOST_OF_THIS_PROVIDER')`: the SDK drops a path from its "
    "base URL, so this provider needs a `host` of its own in the configuration. `gatekeeper demo` has it at "
    "`http://bfl.localhost:8080`; where that name does not resolve, the hosts file wants `127.0.0.1 bfl.localhost`",
    drops_path=True,
    reads=("width", "height", "aspect_ratio", "resolution", "duration", "generate_audio", "batch", "mode",
           "prompt_upsampling", "prompt", *_INPUTS, *_FILM_INPUTS),
    settles_from="the samples in the result; `cost`, in BFL's credits, is recorded beside the charge",
    sdk="blackforest: BFLError, its text ours, after one attempt",
    corners=(
        "the SDK knows no Flux 2 and no Flux 3, and ends its polling on `Ready` alone: a moderated task is polled "
        "until it gives up after a minute",
        "a film whose length was left to the model is charged as the longest: its result does not tell the length",
        "fine-tunes, licences and the account's credits are not open",
    ),
)  # fmt: skip

_FIELD_NAMES = {"outputs": "batch", "duration_s": "duration", "audio": "generate_audio", "size": "width, height"}
"""Our names for what this format calls otherwise."""


routes = ROUTES.routes


def find_route(method: str, path: str) -> Route | None:
    found = ROUTES.find(method, path)
    return found if found is None or found.model is None else replace(found, model=f"flux-{found.model}")


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """What a task asks. Raises `Rejected` (malformed_request)."""
    fields = read_only_json(content_type, body)
    request = _film(fields) if route.model == FILM else _picture(route, fields)
    fields.finish()
    return request


def _picture(route: Route, fields: JsonFields) -> GenerationRequest:
    """Pictures to start from make an edit of it."""
    inputs = sum(map(fields.count, _INPUTS))
    return GenerationRequest(
        model=route.model,
        operation=Operation.IMAGE_EDIT if inputs else Operation.IMAGE_GENERATE,
        size=read_sides(fields),
        aspect_ratio=fields.text("aspect_ratio"),
        resolution=fields.text("resolution"),
        outputs=fields.whole("batch"),
        enhance_prompt=fields.flag("prompt_upsampling"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=inputs or None,
    )


def _film(fields: JsonFields) -> GenerationRequest:
    auto = fields.raw("duration") == AUTO
    inputs = sum(map(fields.count, (*_INPUTS, "keyframes")))
    film = bool([name for name in _FILM_INPUTS if fields.given(name)])
    edits = fields.text("mode") in _EDIT_MODES or film
    sound = fields.flag("generate_audio")
    tier = fields.text("resolution")
    if tier is not None and tier not in _TIERS:
        fields.wrong("resolution", " or ".join(_TIERS))
    return GenerationRequest(
        model=FILM,
        operation=Operation.VIDEO_EDIT if edits else Operation.VIDEO_GENERATE,
        size=read_sides(fields),
        aspect_ratio=fields.text("aspect_ratio"),
        resolution=None if tier is None else _TIERS.get(tier),
        outputs=fields.whole("batch"),
        duration_s=None if auto else fields.quantity("duration", "s"),
        duration_auto=auto,
        audio=True if sound is None else sound,
        audio_unsaid=sound is None,
        enhance_prompt=fields.flag("prompt_upsampling"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=inputs or None,
        input_video=film,
    )


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a task."""
    return JsonAnswer(status, read_task, about_job=route.kind is not RouteKind.GENERATION)


def job_named(route: Route, query: Mapping[str, str], body: Sequence[bytes]) -> str:
    """The task in the address."""
    job_id = read_job_id(query.get("id"))
    if job_id is None:
        raise no_job()
    return job_id


def ask(link: JobLink) -> Ask | None:
    """The task once more, at the cluster that took it."""
    route = find_route("GET", "/v1/get_result")
    return None if route is None else Ask("GET", route, query=f"id={link.job_id}", absolute=True)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """`message` is what the SDK shows, `detail` what BFL itself and other clients say."""
    said = explain(rejection, _FIELD_NAMES)
    told: Facts = {"detail": said, "message": said}
    headers = rejection_headers(rejection, "application/json")
    return Rendered(rejection.status, headers, orjson.dumps(told | rejection_facts(rejection, request_id)))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: no answer of this format is a stream."""
    return None
