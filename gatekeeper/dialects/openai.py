"""OpenAI's Images and Videos formats, which many hosts share: generations, edits, videos, and the free list of models.

Fields that no price here depends on are left alone. `aspect_ratio` and `resolution` are not OpenAI's, but hosts that
copy its format take them. Sizes are read in any spelling; what the model takes is validated elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
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
from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.contenttype import is_event_stream, is_json
from gatekeeper.dialects.errorobject import render_error, render_error_event
from gatekeeper.dialects.fields import Fields, JsonFields, read_json
from gatekeeper.dialects.form import FormFields
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.known import KnownBodies, parted
from gatekeeper.dialects.multipart import read_form
from gatekeeper.dialects.openai_answer import StreamAnswer, read_images
from gatekeeper.dialects.openai_video import is_video, read_remix, read_video, video_answer
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

_QUERY = frozenset({"api-version"})
"""What hosts that copy this format take in the address, and what no price depends on."""

_PAGES = _QUERY | {"after", "before", "limit", "order"}
"""How lists are paged."""

ROUTES = RouteTable(
    row(
        "POST",
        "/images/generations",
        RouteKind.GENERATION,
        "images.generations",
        Operation.IMAGE_GENERATE,
        query=_QUERY,
    ),
    row("POST", "/images/edits", RouteKind.GENERATION, "images.edits", Operation.IMAGE_EDIT, query=_QUERY),
    row("POST", "/videos", RouteKind.GENERATION, "videos", Operation.VIDEO_GENERATE, query=_QUERY),
    row("POST", "/videos/{job}/remix", RouteKind.GENERATION, "videos.remix", Operation.VIDEO_GENERATE, query=_QUERY),
    row("GET", "/videos/{job}", RouteKind.POLL, "videos.retrieve", query=_QUERY),
    row("GET", "/videos/{job}/content", RouteKind.DOWNLOAD, "videos.content", query=_QUERY | {"variant"}),
    row("DELETE", "/videos/{job}", RouteKind.CANCEL, "videos.delete", query=_QUERY),
    row("GET", "/models", RouteKind.FREE, "models", query=_PAGES),
    row("GET", "/models/{model:}", RouteKind.FREE, "model", query=_QUERY),
    prefixes=("/v1", ""),
)
"""With `/v1` before them or without: SDKs are pointed at either."""

TRAITS = Traits(
    title="OpenAI Images and Videos",
    address="https://api.openai.com/v1",
    streams=True,
    pointed="`OpenAI(base_url='http://HOST:8080/NAME/v1', api_key='gk_...')`",
    billing=(
        BillingRule("failed", "nothing", "unverified: OpenAI does not say what a failed video costs"),
        BillingRule("moderated", "nothing", "unverified: OpenAI tells of it as of any other failure"),
        BillingRule("cancelled", "in full", "DELETE takes videos that have ended; its answer does not say how"),
    ),
    reads=(
        "model",
        "size",
        "n",
        "quality",
        "aspect_ratio",
        "resolution",
        "stream",
        "output_format",
        "seconds",
        "duration",
        "input_reference",
    ),
    settles_from="the images in the answer: their number, and their size from the PNG itself or from `size`; of a "
    "video its `seconds` and `size`; usage in tokens is recorded beside it",
    sdk="openai: APIStatusError with status_code 402",
    corners=(
        "POST /images/variations is not open: OpenAI takes no such requests any more",
        "GET /videos is not open: it lists the videos of every team behind the same credential",
        "POST /videos/edits, /videos/extensions and /videos/characters are not open: model, seconds and size come from "
        "a source that is not in the body; a remix takes them from the team's own job",
        "`output_format` gif (with `frame_count`) and svg (with a model of its own) are refused: none has a price",
        "`partial_images`, `input_fidelity` and pictures that go into an edit take tokens of their own at OpenAI, and "
        "cost nothing more here unless the price list has an add-on for them",
        "a video that is deleted before its end was read is charged as quoted",
    ),
)

_FORMATS = ("png", "jpeg", "jpg", "webp")
_OF_OTHER_FORMATS = ("frame_count", "svg")

_known: Final = KnownBodies()

_FIELD_NAMES = {"outputs": "n", "duration_s": "seconds"}
"""Our names for what this format calls otherwise."""


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON, and for edits and videos a form as well. Raises `Rejected`: malformed_request, missing_parameter."""
    if route.operation is Operation.IMAGE_GENERATE and is_json(content_type):
        return _read_known(route, body)
    return _read(route, _read_fields(route, content_type, body))


def _read_known(route: Route, body: Sequence[bytes]) -> GenerationRequest:
    """The same of a JSON body, where what is around its prompt is remembered, once it was found right."""
    parts = parted(body)
    known = None if parts is None else _known.find(*parts)
    if known is not None:
        return known
    fields = read_json(body)
    request = _read(route, fields)
    if parts is not None:
        _known.learn(parts[0], fields, request)
    return request


def _read(route: Route, fields: JsonFields | FormFields) -> GenerationRequest:
    if route.job is not None and isinstance(fields, JsonFields):
        request = read_remix(fields)
    elif is_video(route):
        request = read_video(fields)
    else:
        request = _ask(route, fields)
        _refuse_unpriced(fields)
    if route.operation is Operation.IMAGE_EDIT and not _has_image(fields):
        fields.missing("image", "a picture to edit")
    fields.finish()
    return request


def _ask(route: Route, fields: Fields) -> GenerationRequest:
    return GenerationRequest(
        model=fields.text("model"),
        operation=route.operation,
        resolution=fields.text("resolution"),
        aspect_ratio=fields.text("aspect_ratio"),
        size=fields.text("size"),
        outputs=fields.whole("n"),
        quality=fields.text("quality"),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        stream=bool(fields.flag("stream")),
    )


def _refuse_unpriced(fields: JsonFields | FormFields) -> None:
    """Films in a GIF and drawings in SVG cost by their frames and by another model's words."""
    form = fields.text("output_format")
    if form is not None and form.lower() not in _FORMATS:
        fields.complaints.wrong("output_format", "another", f"{', '.join(_FORMATS)}: others are not priced here")
    for name in _OF_OTHER_FORMATS:
        # In a form `svg` is `svg[model]`, which is found by asking for the text.
        if fields.given(name) or fields.text(name) is not None:
            fields.complaints.wrong(name, "given", "left out: what it costs is not known here")


def _read_fields(route: Route, content_type: str, body: Sequence[bytes]) -> JsonFields | FormFields:
    if is_json(content_type):
        return read_json(body)
    if route.operation is Operation.IMAGE_GENERATE or route.job is not None:
        raise malformed("Content-Type must be application/json.")
    if not content_type.lstrip().lower().startswith("multipart/form-data"):
        raise malformed("Content-Type must be multipart/form-data, or application/json where the provider takes it.")
    return read_form(content_type, body)


def _has_image(fields: JsonFields | FormFields) -> bool:
    if isinstance(fields, FormFields):
        return any(fields.file_sizes_bytes("image"))
    return fields.given("image") or fields.given("images")


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """Events only on success: errors come as JSON even to a request that asked for a stream."""
    if is_video(route):
        return video_answer(route, status)
    is_stream = succeeded(status) and is_event_stream(content_type)
    return StreamAnswer() if is_stream else JsonAnswer(status, read_images)


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    route = find_route("GET", f"/videos/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """The error body that OpenAI's SDK takes apart; `x-should-retry` tells it whether to send again by itself."""
    return render_error(rejection, request_id, _FIELD_NAMES)


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """An event that makes the SDK raise in the middle of a stream."""
    return render_error_event(rejection, request_id, _FIELD_NAMES)
