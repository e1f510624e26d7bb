"""What came out of a call to DashScope: pictures at once, a task, or what a task has come to.

Two protocols answer in two shapes (`results` and `choices`), and errors may come in HTTP 200. A task that DashScope
does not know is `UNKNOWN`, in HTTP 200 too, and stays so.
"""

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import (
    Answer,
    error_word,
    filled_text,
    read_answer,
    read_job_id,
    read_pixels,
    stated_pixels,
)
from gatekeeper.dialects.jsonanswer import inner, listed, read_count, read_seconds, read_tier
from gatekeeper.dialects.sse import Event, EventSkimmer

IMAGES_MAX = 100
"""No request makes so many: a series has 12."""


def read_made_or_submitted(answer: Answer) -> Outcome:
    """Pictures at once, or a new task."""
    output = inner(answer, "output")
    job_id = read_job_id(output.get("task_id"))
    if job_id is not None:
        return read_task(answer, job_id)
    if (made := _read_images(answer)) is not None:
        return made
    if filled_text(answer.get("code")):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}")
    return Failed("no image in the answer") if output else Unknown("the answer has no output")


def read_task(answer: Answer, job_id: str) -> Outcome:
    """Where a task stands. An error in place of it says nothing about the task."""
    output = inner(answer, "output")
    match output.get("task_status"):
        case "PENDING" | "RUNNING" | "SUSPENDED":
            return Pending(job_id)
        case "SUCCEEDED":
            return _read_video(answer) or _read_images(answer) or Failed("nothing in the answer")
        case "FAILED":
            return Failed(f"failed: {error_word(output) or 'no code'}")
        case "CANCELED":
            return Failed("cancelled")
        case "UNKNOWN":
            return Unknown("the provider does not know the task", gone=True)
        case _:
            return Unknown(error_word(answer) or "the answer does not say where the task stands")


class StreamAnswer:
    """Reads pictures that come in events, each of which may hold all that came before."""

    __slots__ = ("_error", "_events", "_images", "_pixels")

    def __init__(self) -> None:
        self._events = EventSkimmer()
        self._images = 0
        self._pixels: Pixels | None = None
        self._error: str | None = None

    def feed(self, chunk: bytes) -> None:
        for event in self._events.feed(chunk):
            self._take(event)

    def finish(self, *, complete: bool) -> Outcome:
        last = self._events.rest()
        if last is not None:
            self._take(last)
        if self._images:
            return Made(self._images, (self._pixels,) * self._images, note=self._error or ("" if complete else "cut"))
        if self._error:
            return Failed(self._error)
        return Unknown("the stream ended before an image" if complete else "the stream was cut before an image")

    def _take(self, event: Event) -> None:
        answer = read_answer(event.skeleton)
        if answer is None:
            return
        if filled_text(answer.get("code")):
            self._error = self._error or f"error in the stream: {error_word(answer) or 'no code'}"
        counted = min(read_count(inner(answer, "usage").get("image_count")) or 0, IMAGES_MAX)
        self._images = max(self._images, counted, min(_images_in(answer)[0], IMAGES_MAX))
        self._pixels = _stated_pixels(answer) or self._pixels


def _read_images(answer: Answer) -> Made | None:
    images, missing = _images_in(answer)
    if not images:
        return None
    note = f"{missing} without an image" if missing else ""
    return Made(images, (_stated_pixels(answer),) * images, note=note)


def _images_in(answer: Answer) -> tuple[int, int]:
    """How many pictures there are, and how many are missing from the list that should hold them."""
    output = inner(answer, "output")
    results = listed(output, "results")
    images = sum(filled_text(result.get("url")) for result in results)
    missing = len(results) - images
    for choice in listed(output, "choices"):
        images += sum(filled_text(part.get("image")) for part in listed(inner(choice, "message"), "content"))
    return images, missing


def _stated_pixels(answer: Answer) -> Pixels | None:
    usage = inner(answer, "usage")
    return read_pixels(usage.get("width"), usage.get("height")) or stated_pixels(usage.get("size"))


def _read_video(answer: Answer) -> Made | None:
    """A video, as long as it says it is itself: `duration` counts the length of videos that went in, too."""
    output, usage = inner(answer, "output"), inner(answer, "usage")
    urls = [output.get("video_url"), inner(output, "results").get("video_url")]
    if not any(map(filled_text, urls)):
        return None
    told = (usage.get(name) for name in ("output_video_duration", "video_duration", "duration"))
    pixels = _stated_pixels(answer)
    return Made(
        1,
        () if pixels is None else (pixels,),
        duration_s=next(filter(None, map(read_seconds, told)), None),
        resolution=read_tier(usage.get("SR")),
    )
