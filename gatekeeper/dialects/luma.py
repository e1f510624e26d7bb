"""Luma's Dream Machine API: videos and pictures as generations, which are asked for until they are completed.

Fields that no price here depends on are left alone. Facts: the official SDK, lumaai.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Tier, read_size
from gatekeeper.dialects.answers import Answer, filled_text, read_answer, read_job_id, read_object
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
from gatekeeper.dialects.facts import explain, rejection_facts, sdk_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

ROUTES = RouteTable(
    row("POST", "/generations/video", RouteKind.GENERATION, "generations.video", Operation.VIDEO_GENERATE),
    row("POST", "/generations/image", RouteKind.GENERATION, "generations.image", Operation.IMAGE_GENERATE),
    row("POST", "/generations/image/reframe", RouteKind.GENERATION, "generations.image.reframe", Operation.IMAGE_EDIT),
    row("GET", "/generations/{job}", RouteKind.POLL, "generation"),
    row("DELETE", "/generations/{job}", RouteKind.CANCEL, "generation.delete"),
    row("GET", "/generations/concepts/list", RouteKind.FREE, "concepts"),
    row("GET", "/ping", RouteKind.FREE, "ping"),
    prefixes=("/dream-machine/v1", ""),
)
"""With `/dream-machine/v1` before them or without: the SDK's own base URL ends in it."""

_UNSAID = "Luma does not say; UNVERIFIED, taken as the usual rule that a generation without a result is not charged"

FAILED_STATE = "failed"


def read_event(body: bytes) -> tuple[str | None, Outcome]:
    """A call-back: the generation itself, as a poll would give it. Never raises."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    return read_job_id(answer.get("id")), _read_generation(answer)


TRAITS = Traits(
    title="Luma Dream Machine",
    address="https://api.lumalabs.ai/dream-machine/v1",
    pointed="`LumaAI(base_url='http://HOST:8080/NAME/dream-machine/v1', auth_token='gk_...')`",
    webhook=Webhook("json", "callback_url", "none", read_event),
    billing=(
        BillingRule("failed", "nothing", _UNSAID),
        BillingRule("moderated", "nothing", _UNSAID),
        BillingRule("cancelled", "nothing", _UNSAID),
    ),
    reads=(
        "model",
        "prompt",
        "aspect_ratio",
        "resolution",
        "duration",
        "keyframes",
        "image_ref",
        "style_ref",
        "character_ref",
        "modify_image_ref",
        "generation_type",
    ),
    settles_from="the file under `assets` of the completed generation; its length and tier from `request` beside it",
    sdk="lumaai: APIStatusError with status_code 402, one attempt",
    corners=(
        "`/generations/{id}/upscale` and `/generations/{id}/audio` are not open: their price is that of a video whose "
        "length only Luma knows, and the id may be another team's",
        "`/generations/video/modify` and `/generations/video/reframe` are not open for the same reason",
        "keyframes of the type `generation` are refused: they may name another team's generation",
        "`GET /generations` is not open: it lists other teams' work. `GET /credits` shows the operator's own balance",
        "a generation that is deleted while it runs cannot be asked for any more: `on_unknown` decides",
    ),
)

_FIELD_NAMES = {"size": "resolution", "duration_s": "duration"}
"""Our names for what this format calls otherwise."""

_TYPES = {
    "generations.video": "video",
    "generations.image": "image",
    "generations.image.reframe": "reframe_image",
}
"""What `generation_type` says on each route."""

_SECONDS = re.compile(r"([1-9][0-9]{0,3})s")
_RUNNING = frozenset({"queued", "dreaming"})
_PICTURE_FIELDS = ("image_ref", "style_ref", "modify_image_ref")


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON. Raises `Rejected`: malformed_request, or missing_parameter for a generation without a model."""
    fields = read_only_json(content_type, body)
    request = GenerationRequest(
        model=fields.text("model"),
        operation=route.operation,
        aspect_ratio=fields.text("aspect_ratio"),
        resolution=fields.text("resolution"),
        duration_s=fields.quantity("duration", "s"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=_count_pictures(fields) or None,
    )
    if not fields.given("model"):
        fields.missing("model", "the name of a model")
    if fields.text("generation_type") not in (None, _TYPES[route.name]):
        fields.wrong("generation_type", f"{_TYPES[route.name]} here")
    fields.finish()
    return request


def _count_pictures(fields: JsonFields) -> int:
    """Pictures that go in: references of three kinds, the pictures of one character, first and last frame."""
    listed = sum(fields.count(name) for name in _PICTURE_FIELDS)
    character = fields.inner("character_ref")
    identity = None if character is None else character.inner("identity0")
    return listed + (0 if identity is None else identity.count("images")) + _count_frames(fields)


def _count_frames(fields: JsonFields) -> int:
    keyframes = fields.inner("keyframes")
    if keyframes is None:
        return 0
    frames = [frame for name in ("frame0", "frame1") if (frame := keyframes.inner(name)) is not None]
    for frame in frames:
        if frame.text("type") == "generation":
            frame.wrong("type", "image: a generation may be another team's")
    return len(frames)


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a generation, which every answer is. One that was asked for with `sync` is there at once."""
    return JsonAnswer(status, _read_generation, about_job=route.kind is not RouteKind.GENERATION)


def _read_generation(answer: Answer) -> Outcome:
    job_id, state = read_job_id(answer.get("id")), answer.get("state")
    if state == "completed":
        assets = read_object(answer.get("assets"))
        made = filled_text(assets.get("video")) or filled_text(assets.get("image"))
        return _made(job_id, read_object(answer.get("request"))) if made else Failed("no file in the answer")
    if state == FAILED_STATE:
        return Failed(FAILED_STATE)
    if isinstance(state, str) and state in _RUNNING and job_id is not None:
        return Pending(job_id)
    return Unknown("the answer does not say where the generation stands")


def _made(job_id: str | None, request: Answer) -> Made:
    """One file. Its length and tier are those of the request as Luma understood it, which an answer repeats."""
    length, tier = request.get("duration"), request.get("resolution")
    seconds = _SECONDS.fullmatch(length) if isinstance(length, str) else None
    meaning = read_size(tier) if isinstance(tier, str) else None
    return Made(
        1,
        (None,),
        duration_s=None if seconds is None else Fraction(seconds[1]),
        resolution=meaning.name if isinstance(meaning, Tier) else None,
        job_id=job_id,
    )


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    route = find_route("GET", f"/generations/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """`detail` is a sentence; the SDK shows the whole body in its exception, and obeys `x-should-retry`."""
    headers = sdk_headers(rejection, request_id)
    body = {"detail": explain(rejection, _FIELD_NAMES)} | rejection_facts(rejection, request_id)
    return Rendered(rejection.status, headers, orjson.dumps(body))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: there are no streams."""
    return None
