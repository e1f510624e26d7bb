"""Alibaba's DashScope (Model Studio): Qwen-Image, Z-Image and Wan at once or as tasks, Wan's videos as tasks.

One field can stand in several places, by the generation of the model: pictures that go in are counted in all of them.
Wan makes four pictures where nobody says how many, so four are asked for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final

import orjson

from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import AUTO
from gatekeeper.dialects.answers import succeeded
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
from gatekeeper.dialects.contenttype import is_event_stream
from gatekeeper.dialects.dashscope_answer import StreamAnswer, read_made_or_submitted, read_task
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, joined_digest, read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer, not_an_end
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

WAN_IMAGES_DEFAULT: Final = 4
"""How many pictures a Wan model makes when `n` is not given."""

SERIES_DEFAULT: Final = 12
"""The most that a series of pictures (`enable_sequential`) may have."""

INTERLEAVED_DEFAULT: Final = 5
"""How many pictures a text with pictures in it (`enable_interleave`) may have without `max_images`."""

_WAN: Final = re.compile(r"wanx?[0-9]")
_SIZED: Final = re.compile(r"wan(?:x2\.1|2\.[0-6])-(?!i2v|kf2v)")
"""Models of films, up to Wan 2.6, that take pixels (`size`). Those that begin with a picture, and all later ones, take
a tier (`resolution`). Alibaba's pages of wan2.5: what they do not take, they pass over, and make 1920*1080."""

_SERVICES: Final = "/services/aigc"
_IMAGE, _EDIT, _VIDEO = Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT, Operation.VIDEO_GENERATE

ROUTES = RouteTable(
    row("POST", f"{_SERVICES}/multimodal-generation/generation", RouteKind.GENERATION, "multimodal-generation", _IMAGE),
    row("POST", f"{_SERVICES}/image-generation/generation", RouteKind.GENERATION, "image-generation", _IMAGE),
    row("POST", f"{_SERVICES}/text2image/image-synthesis", RouteKind.GENERATION, "text2image", _IMAGE),
    row("POST", f"{_SERVICES}/image2image/image-synthesis", RouteKind.GENERATION, "image2image", _EDIT),
    row("POST", f"{_SERVICES}/video-generation/video-synthesis", RouteKind.GENERATION, "video-generation", _VIDEO),
    row("POST", f"{_SERVICES}/image2video/video-synthesis", RouteKind.GENERATION, "image2video", _VIDEO),
    row("GET", "/tasks/{job}", RouteKind.POLL, "tasks.get"),
    row("POST", "/tasks/{job}/cancel", RouteKind.CANCEL, "tasks.cancel"),
    prefixes=("/api/v1", ""),
)
"""With `/api/v1` before them or without: `base_url` ends with it."""

_ONLY_SUCCESS = "Model Studio bills what was made; a failed call costs nothing"

TRAITS = Traits(
    title="Alibaba Model Studio (DashScope)",
    address="https://dashscope-intl.aliyuncs.com/api/v1",
    pointed="`dashscope.base_http_api_url = 'http://HOST:8080/NAME/api/v1'` or `DASHSCOPE_HTTP_BASE_URL`, and "
    "`dashscope.api_key = 'gk_...'`",
    streams=True,
    billing=(
        BillingRule("failed", "nothing", _ONLY_SUCCESS),
        BillingRule("moderated", "nothing", f"{_ONLY_SUCCESS}; moderation fails it (DataInspectionFailed)"),
        BillingRule("cancelled", "nothing", "only a task that is still PENDING can be cancelled"),
        BillingRule("expired", "nothing", f"{_ONLY_SUCCESS} (not verified for tasks that vanished)"),
    ),
    reads=(
        "model",
        "input.prompt",
        "input.messages[].content[]",
        "input.media[]",
        "input.img_url and its relatives",
        "input.audio_url",
        "parameters.size",
        "parameters.resolution",
        "parameters.ratio",
        "parameters.n",
        "parameters.max_images",
        "parameters.enable_sequential",
        "parameters.enable_interleave",
        "parameters.duration",
        "parameters.audio",
        "parameters.prompt_extend",
        "input.extend_prompt",
    ),
    settles_from="the pictures in the answer or in the task, of the size that `usage` states; a video's `usage`: "
    "`output_video_duration` or `duration`, and `SR`",
    sdk="dashscope: InvalidTask from the `call` of a task, with the message; from all else no exception but a response "
    "with status_code 402, code and message",
    corners=(
        "GET /tasks lists the tasks of every team and is not open",
        "a video that goes in makes an edit of it, for Alibaba bills its seconds too: how many is not in the request",
        "a film's `size` or `resolution`, given to a model that takes the other, leaves its tier open",
        "files for `oss://` addresses are uploaded past the gateway, to Alibaba's own host",
    ),
)

_FIELD_NAMES = {"outputs": "n", "aspect_ratio": "ratio", "duration_s": "duration", "enhance_prompt": "prompt_extend"}

_IMAGES_IN = (
    "img_url",
    "image_url",
    "first_frame_url",
    "last_frame_url",
    "head_frame",
    "tail_frame",
    "base_image_url",
    "mask_image_url",
    "sketch_image_url",
    "ref_img",
    "ref_image_url",
    "ref_images_url",
    "images",
)
_VIDEOS_IN = (
    "video_url",
    "reference_video",
    "reference_video_url",
    "reference_video_urls",
    "reference_url",
    "reference_urls",
)
"""Where pictures and videos go in, one or a list. `reference_urls` may be either: the dearer of the two."""


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads what stands in `input` and in `parameters`. Raises `Rejected` (malformed_request)."""
    fields = read_only_json(content_type, body)
    request = _ask(route, fields)
    fields.finish()
    return request


@dataclass(frozen=True, slots=True)
class _Input:
    """What goes in: the prompt's length, how many pictures, whether a video, whether a sound that the video gets, and
    the setting that the SDK puts here although it belongs to the others."""

    prompt_length: int | None = None
    prompt_digest: bytes | None = None
    images: int = 0
    video: bool = False
    audio: bool = False
    extend: bool | None = None


def _ask(route: Route, fields: JsonFields) -> GenerationRequest:
    model, what = fields.text("model"), _read_input(fields.inner("input"))
    settings = fields.inner("parameters") or JsonFields({}, {}, fields.complaints)
    duration, ratio, audio = settings.whole("duration"), settings.text("ratio"), settings.flag("audio")
    extend = settings.flag("prompt_extend")
    size, resolution = _size(route, model, settings)
    operation = _EDIT if route.operation is _IMAGE and what.images else route.operation
    if operation is _VIDEO and what.video:
        operation = Operation.VIDEO_EDIT
    return GenerationRequest(
        model=model,
        operation=operation,
        size=size,
        resolution=resolution,
        aspect_ratio=AUTO if ratio == "adaptive" else ratio,
        outputs=_outputs(route, model, settings),
        duration_s=None if duration is None or duration == -1 else Fraction(duration),
        duration_auto=duration == -1,
        audio=True if what.audio else audio,
        enhance_prompt=what.extend if extend is None else extend,
        prompt_length=what.prompt_length,
        prompt_digest=what.prompt_digest,
        reference_images=what.images or None,
        input_video=what.video,
    )


def _size(route: Route, model: str | None, settings: JsonFields) -> tuple[str | None, str | None]:
    """Size and tier. A film's model takes one of the two and passes over the other, so that what stands in the other
    alone leaves open what is made."""
    size, resolution = settings.text("size"), settings.text("resolution")
    if route.operation is not _VIDEO or model is None or (size is None) is (resolution is None):
        return size, resolution
    by_size = _SIZED.match(model) is not None
    if resolution is None:
        return size, None if by_size else AUTO
    return AUTO if by_size else None, resolution


def _read_input(fields: JsonFields | None) -> _Input:
    if fields is None:
        return _Input()
    messages = fields.objects("messages")
    plain = [message for message in messages if message.holds_text("content")]
    parts = [part for message in messages if not message.holds_text("content") for part in message.objects("content")]
    texts = [(fields, "prompt"), *((message, "content") for message in plain), *((part, "text") for part in parts)]
    lengths = [each.text_length(name) for each, name in texts]
    kinds = [medium.text("type") or "" for medium in fields.objects("media")]
    images = sum(fields.count(name) for name in _IMAGES_IN) + sum(part.count("image") for part in parts)
    images += sum("frame" in kind or "image" in kind for kind in kinds)
    videos = sum(fields.count(name) for name in _VIDEOS_IN) + sum(part.count("video") for part in parts)
    videos += sum("video" in kind or "clip" in kind for kind in kinds)
    said = [length for length in lengths if length is not None]
    return _Input(
        prompt_length=sum(said) if said else None,
        prompt_digest=joined_digest(each.text_digest(name) for each, name in texts),
        images=images,
        video=videos > 0,
        audio=fields.count("audio_url") > 0,
        extend=fields.flag("extend_prompt"),
    )


def _outputs(route: Route, model: str | None, settings: JsonFields) -> int | None:
    """The most pictures that may come: a series has its own rules, and Wan a default of its own."""
    n, most = settings.whole("n"), settings.whole("max_images")
    series, interleaved = settings.flag("enable_sequential"), settings.flag("enable_interleave")
    if route.operation is _VIDEO:
        return n
    if interleaved:
        return max(n or 1, INTERLEAVED_DEFAULT if most is None else most)
    if n is None and series:
        return SERIES_DEFAULT
    if n is None and model is not None and _WAN.match(model):
        return WAN_IMAGES_DEFAULT
    return n


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """One reader for pictures and new tasks: which of them comes is for a header of the request to say."""
    match route.kind:
        case RouteKind.GENERATION:
            if succeeded(status) and is_event_stream(content_type):
                return StreamAnswer()
            return JsonAnswer(status, read_made_or_submitted, about_job=False)
        case RouteKind.POLL:
            return JsonAnswer(status, partial(read_task, job_id=route.job or ""), about_job=True)
        case _:
            return JsonAnswer(status, not_an_end, about_job=True)


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """By the task's own address, the same for every kind."""
    route = ROUTES.find("GET", f"/tasks/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """DashScope's flat error body, with the facts beside its own fields."""
    error: Facts = {"message": explain(rejection, _FIELD_NAMES)}
    headers = (*rejection_headers(rejection, "application/json"), ("x-request-id", request_id))
    return Rendered(rejection.status, headers, orjson.dumps(rejection_facts(rejection, request_id) | error))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """An event of the kind by which DashScope tells of an error in the middle of a stream."""
    body = render_rejection(rejection, request_id).body
    return b"event:error\n:HTTP_STATUS/" + str(rejection.status).encode() + b"\ndata:" + body + b"\n\n"
