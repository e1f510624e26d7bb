"""Videos in OpenAI's format, which many hosts have copied: what a body asks for, and what a video says of itself.

OpenAI's own SDK sends a form even without a file; other clients send JSON.
"""

from functools import partial

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.dialects.answers import Answer, error_word, read_job_id, stated_pixels
from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.dialects.fields import JsonFields, read_quantity
from gatekeeper.dialects.form import FormFields
from gatekeeper.dialects.jsonanswer import JsonAnswer

_TAKEN_OVER = ("model", "seconds", "duration", "size", "resolution", "aspect_ratio", "n", "quality", "input_reference")
_RUNNING = frozenset({"queued", "in_progress"})


def read_video(fields: JsonFields | FormFields) -> GenerationRequest:
    """A new video, from a prompt alone or with a picture. `duration` is other hosts' word for `seconds`."""
    seconds, duration = fields.quantity("seconds", "s"), fields.quantity("duration", "s")
    if seconds is not None and duration is not None and seconds != duration:
        fields.complaints.wrong("duration", "another one", "left out beside seconds")
    return GenerationRequest(
        model=fields.text("model"),
        operation=Operation.VIDEO_GENERATE,
        resolution=fields.text("resolution"),
        aspect_ratio=fields.text("aspect_ratio"),
        size=fields.text("size"),
        outputs=fields.whole("n"),
        quality=fields.text("quality"),
        duration_s=duration if seconds is None else seconds,
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=1 if _has_picture(fields) else None,
    )


def read_remix(fields: JsonFields) -> GenerationRequest:
    """A video made anew from the one in the address, whose model, seconds and size it takes over."""
    for name in _TAKEN_OVER:
        fields.wrong(name, "left out: it is that of the video in the address")
    return GenerationRequest(
        operation=Operation.VIDEO_GENERATE,
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
    )


def _has_picture(fields: JsonFields | FormFields) -> bool:
    """A file, or in JSON a reference to one; forms of clients that copy the format may spell that as a text."""
    if isinstance(fields, FormFields) and any(fields.file_sizes_bytes("input_reference")):
        return True
    return fields.given("input_reference")


def video_answer(route: Route, status: int) -> JsonAnswer:
    """Reads a video object, when it is submitted and at every poll; and what is left of one that was deleted."""
    read = _read_deleted if route.kind is RouteKind.CANCEL else partial(_read_video, asked=route.job)
    return JsonAnswer(status, read, about_job=route.kind is not RouteKind.GENERATION)


def _read_video(answer: Answer, asked: str | None) -> Outcome:
    job_id = read_job_id(answer.get("id")) or asked
    match answer.get("status"):
        case str(status) if status in _RUNNING:
            return Unknown("a video without an id") if job_id is None else Pending(job_id)
        case "completed":
            return _made(answer, job_id)
        case "failed" | "cancelled" | "expired":
            return Failed(f"failed: {error_word(answer) or 'no code'}")
        case _:
            return Unknown("the answer says no status that is known")


def _read_deleted(answer: Answer) -> Outcome:
    """Only what has ended can be deleted. One of which nobody had read the end may have been made, and fetched."""
    if answer.get("deleted") is True:
        return Failed("deleted before its end was read", billable=True)
    return Unknown("not deleted")


def _made(answer: Answer, job_id: str | None) -> Made:
    pixels, seconds = stated_pixels(answer.get("size")), answer.get("seconds")
    return Made(1, (pixels,), duration_s=read_quantity(str(seconds), "s") or None, job_id=job_id)


def is_video(route: Route) -> bool:
    """Whether a route is one of videos."""
    return route.name.startswith("videos")
