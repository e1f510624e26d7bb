"""BytePlus ModelArk, which is Volcengine's Ark elsewhere: Seedream's pictures at once, Seedance's videos as tasks.

A series of pictures has no exact number: the most that may come is asked for, what came is counted. A video's settings
stand in fields or, in the old way, as flags in the text of its prompt; both are read, and must not contradict.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import TypeVar

from gatekeeper.core.outcome import Outcome, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import AUTO
from gatekeeper.dialects.answers import read_answer, read_job_id, succeeded
from gatekeeper.dialects.ark_answer import StreamAnswer, read_images, read_submitted, read_task
from gatekeeper.dialects.ark_flags import TEXT_BYTES_MAX, read_flags
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
from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.contenttype import is_event_stream, is_json
from gatekeeper.dialects.errorobject import render_error, render_error_event
from gatekeeper.dialects.fields import JsonFields, digest_of, joined_digest, read_json
from gatekeeper.dialects.jsonanswer import JsonAnswer, not_an_end
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

SERIES_MAX = 15
"""What `max_images` is when a series is asked for without it: Ark's own default and most."""

FRAMES_PER_S = 24
"""The only rate at which a number of frames is turned into a film."""

_TASKS = "/contents/generations/tasks"

ROUTES = RouteTable(
    row("POST", "/images/generations", RouteKind.GENERATION, "images.generations", Operation.IMAGE_GENERATE),
    row("POST", _TASKS, RouteKind.GENERATION, "tasks.create", Operation.VIDEO_GENERATE),
    row("GET", f"{_TASKS}/{{job}}", RouteKind.POLL, "tasks.get"),
    row("DELETE", f"{_TASKS}/{{job}}", RouteKind.CANCEL, "tasks.delete", takes_body=True),
    prefixes=("/api/v3", ""),
)
"""With `/api/v3` before them or without: `base_url` ends with it. The SDK sends an empty object with its DELETE."""


def _read_event(body: bytes) -> tuple[str | None, Outcome]:
    """An event has the body of a poll's answer."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    job_id = read_job_id(answer.get("id"))
    return job_id, read_task(answer, job_id or "")


_ONLY_SUCCESS = "ModelArk bills the tokens of videos that were made"

TRAITS = Traits(
    title="BytePlus ModelArk (Volcengine Ark)",
    address="https://ark.ap-southeast.bytepluses.com/api/v3",
    pointed="`Ark(base_url='http://HOST:8080/NAME/api/v3', api_key='gk_...')`",
    streams=True,
    webhook=Webhook("json", "callback_url", "none", _read_event),
    billing=(
        BillingRule("failed", "nothing", f"{_ONLY_SUCCESS}; a failed task reports no usage (not verified)"),
        BillingRule("moderated", "nothing", "a moderated task is a failed one (not verified)"),
        BillingRule("cancelled", "nothing", "only a task that is still queued can be cancelled"),
        BillingRule("expired", "nothing", f"{_ONLY_SUCCESS} (not verified for tasks that expired)"),
    ),
    reads=(
        "model",
        "prompt",
        "size",
        "image",
        "sequential_image_generation",
        "sequential_image_generation_options.max_images",
        "stream",
        "layer_decomposition",
        "content[].text",
        "content[].image_url",
        "content[].video_url",
        "resolution",
        "ratio",
        "duration",
        "frames",
        "generate_audio",
        "--resolution --rs --ratio --rt --duration --dur --frames",
    ),
    settles_from="the pictures in the answer, of the size they state; `usage.completion_tokens`, `duration`, "
    "`resolution` and `generate_audio` of a task that succeeded",
    sdk="volcenginesdkarkruntime, byteplussdkarkruntime: ArkAPIStatusError with status_code 402",
    corners=(
        "GET /contents/generations/tasks lists the tasks of every team and is not open",
        "a video from a draft (`draft_task`) is refused: its length and model are the draft's, which its request "
        "does not say",
        "`service_tier: flex` is half as dear at Ark and not here; a `draft` costs its tokens",
        "`layer_decomposition` is refused: it makes as many pictures as there are layers",
        "web search (`tools`) is not priced",
        "the length of a video that goes in is not in its request: the tokens at the task's end tell it",
    ),
)

_FIELD_NAMES = {"outputs": "max_images", "aspect_ratio": "ratio", "duration_s": "duration", "audio": "generate_audio"}

_PARTS = ("text", "image_url", "video_url", "audio_url")
"""What a part may hold: each is a type of the same name."""

_SOUND_UNLESS_REFUSED = re.compile(r"seedance-(?:1-5|[2-9])")
"""Models that make sound unless `generate_audio` is false; those before them make none."""


Said = TypeVar("Said", str | None, int | None)


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads a picture's or a video's settings. Raises `Rejected` (malformed_request)."""
    if not is_json(content_type):
        raise malformed("Content-Type must be application/json.")
    video = route.operation is Operation.VIDEO_GENERATE
    fields = read_json(body, string_bytes_max=TEXT_BYTES_MAX) if video else read_json(body)
    request = _ask_video(fields) if video else _ask_image(fields)
    fields.finish()
    return request


def _ask_image(fields: JsonFields) -> GenerationRequest:
    images = fields.count("image")
    if fields.flag("layer_decomposition"):
        fields.wrong("layer_decomposition", "left out, for nobody knows how many pictures come of it")
    return GenerationRequest(
        model=fields.text("model"),
        operation=Operation.IMAGE_EDIT if images else Operation.IMAGE_GENERATE,
        size=fields.text("size"),
        outputs=_series(fields),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=images or None,
        stream=bool(fields.flag("stream")),
    )


def _series(fields: JsonFields) -> int | None:
    """How many pictures may come. A series is whatever is not switched off."""
    mode = fields.text("sequential_image_generation")
    options = fields.inner("sequential_image_generation_options")
    most = None if options is None else options.whole("max_images")
    if mode is None or mode.lower() == "disabled":
        return None
    return SERIES_MAX if most is None else most


def _ask_video(fields: JsonFields) -> GenerationRequest:
    parts = fields.objects("content")
    texts = [text for part in parts if (text := part.prose("text")) is not None]
    for part in parts:
        _check_part(part)
    flags = read_flags(texts, fields.complaints)
    model, audio = fields.text("model"), fields.flag("generate_audio")
    unsaid = audio is None and model is not None and _SOUND_UNLESS_REFUSED.search(model) is not None
    seconds, auto = _length(fields, flags)
    ratio = _same(fields, "ratio", fields.text("ratio"), flags.get("ratio"))
    videos = sum(part.given("video_url") for part in parts)
    return GenerationRequest(
        model=model,
        operation=Operation.VIDEO_GENERATE,
        resolution=_same(fields, "resolution", fields.text("resolution"), flags.get("resolution")),
        aspect_ratio=AUTO if ratio == "adaptive" else ratio,
        duration_s=seconds,
        duration_auto=auto,
        audio=True if unsaid else audio,
        audio_unsaid=unsaid,
        prompt_length=sum(map(len, texts)) if texts else None,
        prompt_digest=joined_digest(map(digest_of, texts)),
        reference_images=sum(part.given("image_url") for part in parts) or None,
        input_video=videos > 0,
    )


def _check_part(part: JsonFields) -> None:
    """A part is what its type says. What stands beside that Ark may pass over, and a video has a rate of its own."""
    if part.given("draft_task"):
        part.wrong("draft_task", "left out, for what it costs stands in the draft")
    held = [name for name in _PARTS if part.given(name)]
    kind = part.text("type") or next(iter(held), None)
    for name in held:
        if name != kind:
            part.wrong(name, "left out of a part of another type")


def _same(fields: JsonFields, name: str, field: Said, flag: Said) -> Said:
    """What the field and the flag say, if they do not contradict: which of two words Ark follows is not known."""
    if field is not None and flag is not None and str(field).lower() != str(flag).lower():
        fields.wrong(name, f"what --{name} in the text says")
    return flag if field is None else field


def _length(fields: JsonFields, flags: Mapping[str, str]) -> tuple[Fraction | None, bool]:
    """Seconds, and whether the model chooses them (-1). Frames outweigh seconds at Ark; both are refused."""
    whole = {name: int(flags[name]) if name in flags else None for name in ("duration", "frames")}
    duration = _same(fields, "duration", fields.whole("duration"), whole["duration"])
    frames = _same(fields, "frames", fields.whole("frames"), whole["frames"])
    if frames is not None and duration is not None:
        fields.complaints.wrong("frames", "a second length", "left out where duration is given")
    if frames is not None:
        return Fraction(frames, FRAMES_PER_S), False
    return (None, True) if duration == -1 else (None if duration is None else Fraction(duration), False)


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """Events only on success: errors come as JSON even to a request that asked for a stream."""
    match route.kind, route.operation:
        case RouteKind.GENERATION, Operation.VIDEO_GENERATE:
            return JsonAnswer(status, read_submitted)
        case RouteKind.GENERATION, _:
            if succeeded(status) and is_event_stream(content_type):
                return StreamAnswer()
            return JsonAnswer(status, read_images)
        case RouteKind.POLL, _:
            return JsonAnswer(status, partial(read_task, job_id=route.job or ""), about_job=True)
        case _:
            return JsonAnswer(status, not_an_end, about_job=True)


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """By the task's own address."""
    route = ROUTES.find("GET", f"{_TASKS}/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """The error body that Ark's SDK takes apart; like OpenAI's it obeys `x-should-retry`."""
    return render_error(rejection, request_id, _FIELD_NAMES)


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """An event that makes the SDK raise in the middle of a stream."""
    return render_error_event(rejection, request_id, _FIELD_NAMES)
