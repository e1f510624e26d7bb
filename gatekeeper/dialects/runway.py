"""Runway's developer API: pictures, videos and upscales as tasks, which tell what they cost.

Field names are Runway's own, in camelCase. Fields that no price here depends on are left alone; those that change
Runway's own price in a way that no price list here can follow are refused by name. Facts: the official SDK, runwayml.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

import orjson

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import AUTO
from gatekeeper.dialects.answers import Answer, code_word, filled_text, read_job_id, read_list, read_object, read_sum
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
from gatekeeper.dialects.facts import explain, rejection_facts, sdk_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.picturesize import encoded_pixels
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

ROUTES = RouteTable(
    row("POST", "/v1/text_to_image", RouteKind.GENERATION, "text_to_image", Operation.IMAGE_GENERATE),
    row("POST", "/v1/text_to_video", RouteKind.GENERATION, "text_to_video", Operation.VIDEO_GENERATE),
    row("POST", "/v1/image_to_video", RouteKind.GENERATION, "image_to_video", Operation.VIDEO_GENERATE),
    row("POST", "/v1/video_to_video", RouteKind.GENERATION, "video_to_video", Operation.VIDEO_EDIT),
    row("POST", "/v1/image_upscale", RouteKind.GENERATION, "image_upscale", Operation.IMAGE_UPSCALE),
    row("GET", "/v1/tasks/{job}", RouteKind.POLL, "task"),
    row("DELETE", "/v1/tasks/{job}", RouteKind.CANCEL, "task.cancel"),
    row("POST", "/v1/uploads", RouteKind.FREE, "uploads", takes_body=True),
)

_REPORTED = "runwayml SDK, task_retrieve_response.py: an ended task has `cost.credits`, 0 when it was refunded in full"

TRAITS = Traits(
    title="Runway",
    address="https://api.dev.runwayml.com",
    pointed="`RunwayML(base_url='http://HOST:8080/NAME', api_key='gk_...')`",
    billing=(
        BillingRule("failed", "as reported", _REPORTED),
        BillingRule("moderated", "as reported", _REPORTED),
        BillingRule("cancelled", "as reported", f"{_REPORTED}; a task that was running is not refunded"),
    ),
    reads=(
        "model",
        "promptText",
        "ratio",
        "resolution",
        "targetAspectRatio",
        "duration",
        "audio",
        "outputCount",
        "quality",
        "promptImage",
        "referenceImages",
        "references",
        "keyframes",
        "promptVideo",
        "videoUri",
        "referenceVideos",
        "mode",
        "scaleFactor",
        "imageUri",
        "outputFormat",
        "draftTaskId",
        "providerSettings.multiPrompt",
    ),
    settles_from="the files in `output` of the succeeded task; `cost.credits` is recorded beside the charge",
    sdk="runwayml: APIStatusError with status_code 402, one attempt",
    corners=(
        "POST /v1/generate/image and /v1/generate/video choose the model by themselves, so they have no price here",
        "video upscales, HDR, performances, sound, speech, avatars, recipes and workflows are not open",
        "`outputFormat` of a video other than mp4 and mov is refused: Runway charges it extra by the second",
        "`providerSettings.multiPrompt` is refused: its shots say their own lengths",
        "`draftTaskId` is refused: it may name another team's task",
        "a `resolution` of a model that has none in the SDK leaves the tier open, unless `ratio` says it",
        "what is left open (`auto`) is charged as the dearest it can be: Runway's answers tell neither length nor size",
        "`GET /v1/organization` is not open: it shows the operator's own balance",
        "a task that is deleted while it runs is charged by Runway; if it cannot be asked for any more, `on_unknown` "
        "decides",
    ),
)

SCALE_DEFAULT = Fraction(2)
"""What an upscale without `scaleFactor` does, by the SDK's own words."""

_FIELD_NAMES = {
    "size": "ratio",
    "outputs": "outputCount",
    "duration_s": "duration",
    "scale": "scaleFactor",
    "prompt": "promptText",
    "input": "imageUri",
}
"""Our names for what this format calls otherwise."""

_VIDEO_FORMATS = ("mp4", "mov")
_PICTURE_FIELDS = ("promptImage", "referenceImages", "references", "keyframes")
_VIDEO_FIELDS = ("promptVideo", "videoUri", "referenceVideos")
_LEFT_OPEN = frozenset({AUTO, "adaptive"})
_LEFT_OPEN_IN_TIER = "auto_"
_TIERS = {"standard": "720p", "pro": "1080p", "4k": "4k"}
_TIER_NAMED = re.compile(r"kling(?:3\.0|O3)_(standard|pro|4k)")
_TIERED = frozenset({"hailuo3", "grok_imagine_1_5", "happyhorse_1_0", "h3_max"})
"""The models that the SDK knows a `resolution` of."""

_RUNNING = frozenset({"PENDING", "THROTTLED", "RUNNING"})
_NOT_READ = {
    "draftTaskId": "left out: the task may be another team's",
    "multiPrompt": "left out: several shots have no price here",
}


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON. Raises `Rejected`: malformed_request, or missing_parameter for a task without a model."""
    fields = read_only_json(content_type, body)
    request = _ask_for_upscale(fields) if route.operation is Operation.IMAGE_UPSCALE else _ask_for(route, fields)
    if not fields.given("model"):
        fields.missing("model", "the name of a model")
    fields.finish()
    return request


def _ask_for_upscale(fields: JsonFields) -> GenerationRequest:
    """The size of what goes in is known where the picture itself is in the body."""
    return GenerationRequest(
        model=fields.text("model"),
        operation=Operation.IMAGE_UPSCALE,
        scale=fields.quantity("scaleFactor", "x") if fields.given("scaleFactor") else SCALE_DEFAULT,
        input_pixels=encoded_pixels(fields.beginning("imageUri") or ""),
    )


def _ask_for(route: Route, fields: JsonFields) -> GenerationRequest:
    _refuse_unpriced(route, fields)
    size, tier = _read_ratio(fields)
    resolution = _read_tier(fields)
    if resolution is not None and size is None and not _is_tiered(fields):
        size = AUTO
    duration_auto = fields.holds_text("duration") and fields.text("duration") == AUTO
    return GenerationRequest(
        model=fields.text("model"),
        operation=_operation(route, fields),
        size=size,
        resolution=resolution or tier,
        aspect_ratio=fields.text("targetAspectRatio"),
        outputs=fields.whole("outputCount"),
        duration_s=None if duration_auto else fields.quantity("duration", "s"),
        duration_auto=duration_auto,
        audio=fields.flag("audio"),
        quality=fields.text("quality"),
        prompt_length=fields.text_length("promptText"),
        prompt_digest=fields.text_digest("promptText"),
        reference_images=sum(fields.count(name) for name in _PICTURE_FIELDS) or None,
        input_video=sum(fields.count(name) for name in _VIDEO_FIELDS) > 0,
    )


def _read_ratio(fields: JsonFields) -> tuple[str | None, str | None]:
    """`ratio` is a size in pixels or a shape, or left open within a tier: `auto_720p`. The size, or the tier."""
    ratio = fields.text("ratio")
    if ratio is not None and ratio.startswith(_LEFT_OPEN_IN_TIER):
        return None, ratio.removeprefix(_LEFT_OPEN_IN_TIER)
    if ratio in _LEFT_OPEN:
        return (None if fields.given("resolution") else AUTO), None
    return ratio, None


def _read_tier(fields: JsonFields) -> str | None:
    """What `resolution` says. A model whose name says it takes no other."""
    said, named = fields.text("resolution"), _tier_named(fields)
    if said is not None and named is not None and said.lower() != named:
        fields.wrong("resolution", "left out: the model's name says it")
    return named or said


def _is_tiered(fields: JsonFields) -> bool:
    """Whether the model takes a `resolution`, or is one in itself; others may pass over it."""
    return fields.text("model") in _TIERED or _tier_named(fields) is not None


def _tier_named(fields: JsonFields) -> str | None:
    """The tier that a model's name says, for models that are one in the catalog and several here."""
    named = _TIER_NAMED.fullmatch(fields.text("model") or "")
    return None if named is None else _TIERS[named[1]]


def _operation(route: Route, fields: JsonFields) -> Operation | None:
    extends = fields.text("mode") == "extend" and route.operation is Operation.VIDEO_EDIT
    return Operation.VIDEO_EXTEND if extends else route.operation


def _refuse_unpriced(route: Route, fields: JsonFields) -> None:
    """What would have Runway make more than can be read from the other fields."""
    pictures = route.operation is Operation.IMAGE_GENERATE
    if not pictures and fields.text("outputFormat") not in (None, *_VIDEO_FORMATS):
        fields.wrong("outputFormat", f"{' or '.join(_VIDEO_FORMATS)}: others are charged extra, and not priced here")
    settings = fields.inner("providerSettings")
    for name, inner in (("draftTaskId", fields), ("multiPrompt", settings)):
        if inner is not None and inner.given(name):
            inner.wrong(name, _NOT_READ[name])


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a task that was created, or for where one stands."""
    if route.kind is RouteKind.GENERATION:
        return JsonAnswer(status, _read_created)
    return JsonAnswer(status, _read_task, about_job=True)


def _read_created(answer: Answer) -> Outcome:
    job_id = read_job_id(answer.get("id"))
    if job_id is None:
        return Unknown("accepted without a task id")
    return Pending(job_id, cost=_cost(answer, "estimatedCost"))


def _read_task(answer: Answer) -> Outcome:
    status, job_id = answer.get("status"), read_job_id(answer.get("id"))
    if isinstance(status, str) and status in _RUNNING and job_id is not None:
        return Pending(job_id, cost=_cost(answer, "estimatedCost"))
    cost = _cost(answer, "cost")
    billable = cost is not None and cost.amount > 0
    match status:
        case "SUCCEEDED":
            return _read_output(answer, cost)
        case "FAILED":
            return Failed(code_word(answer.get("failureCode")) or "failed", billable, cost)
        case "CANCELLED":
            return Failed("cancelled", billable, cost)
        case _:
            return Unknown("the answer does not say where the task stands")


def _read_output(answer: Answer, cost: Cost | None) -> Outcome:
    made = sum(filled_text(entry) for entry in read_list(answer.get("output")))
    if not made:
        return Failed("no output in the answer", cost is not None and cost.amount > 0, cost)
    return Made(made, (None,) * made, cost=cost)


def _cost(answer: Answer, field: str) -> Cost | None:
    amount = read_sum(read_object(answer.get(field)).get("credits"))
    return None if amount is None else Cost(amount, "runway_credits")


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    route = find_route("GET", f"/v1/tasks/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """`error` is a sentence; the SDK shows the whole body in its exception, and obeys `x-should-retry`."""
    headers = sdk_headers(rejection, request_id)
    body = {"error": explain(rejection, _FIELD_NAMES)} | rejection_facts(rejection, request_id)
    return Rendered(rejection.status, headers, orjson.dumps(body))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: there are no streams."""
    return None
