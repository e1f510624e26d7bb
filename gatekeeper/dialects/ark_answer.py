"""What came out of a call to Ark: pictures at once, as JSON or as events, and tasks that make a video.

A picture is counted when it is there; one of a series may have failed beside others. The tokens of a video are what
Ark bills, and are read from the end of its task.
"""

from fractions import Fraction

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import (
    Answer,
    carries_picture,
    error_word,
    filled_text,
    png_pixels,
    read_answer,
    read_job_id,
    stated_pixels,
)
from gatekeeper.dialects.jsonanswer import inner, listed, read_count, read_seconds, read_tier
from gatekeeper.dialects.sse import Event, EventSkimmer

PIXELS_KEPT_MAX = 100
"""Sizes are remembered for so many pictures of a stream; a series has 15."""


def read_images(answer: Answer) -> Outcome:
    """The pictures of an answer that came at once."""
    entries = listed(answer, "data")
    images = [entry for entry in entries if carries_picture(entry)]
    if images:
        missing = len(entries) - len(images)
        note = f"{missing} without an image" if missing else ""
        return Made(len(images), tuple(map(_pixels, images)), note=note, cost=_output_tokens(answer))
    word = error_word(answer) or next(filter(None, map(error_word, entries)), None)
    if answer.get("error") or word:
        return Failed(f"error in a success: {word or 'no code'}")
    return Failed("no image in the answer") if "data" in answer else Unknown("the answer has no list of images")


class StreamAnswer:
    """Reads pictures that come one after another as events."""

    __slots__ = ("_cost", "_done", "_error", "_events", "_made", "_pixels")

    def __init__(self) -> None:
        self._events = EventSkimmer()
        self._made = 0
        self._pixels: list[Pixels | None] = []
        self._error: str | None = None
        self._cost: Cost | None = None
        self._done = False

    def feed(self, chunk: bytes) -> None:
        for event in self._events.feed(chunk):
            self._take(event)

    def finish(self, *, complete: bool) -> Outcome:
        last = self._events.rest()
        if last is not None:
            self._take(last)
        if self._made:
            note = self._error or ("" if complete or self._done else "cut")
            return Made(self._made, tuple(self._pixels), note=note, cost=self._cost)
        if self._error or self._done:
            return Failed(self._error or "no image in the stream")
        return Unknown("the stream ended before an image" if complete else "the stream was cut before an image")

    def _take(self, event: Event) -> None:
        answer = read_answer(event.skeleton)
        if answer is None:
            self._done = self._done or event.skeleton.strip() == b"[DONE]"
            return
        kind = str(answer.get("type") or event.name).removeprefix("image_generation.")
        if answer.get("error") or kind in {"partial_failed", "error"}:
            self._error = self._error or f"error in the stream: {error_word(answer) or 'no code'}"
        elif kind == "partial_succeeded" and carries_picture(answer):
            self._made += 1
            if len(self._pixels) < PIXELS_KEPT_MAX:
                self._pixels.append(_pixels(answer))
        elif kind == "completed":
            self._done, self._cost = True, _output_tokens(answer)


def read_submitted(answer: Answer) -> Outcome:
    """A new task."""
    job_id = read_job_id(answer.get("id"))
    if job_id is not None:
        return Pending(job_id)
    if answer.get("error"):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}")
    return Unknown("accepted without a task id")


def read_task(answer: Answer, job_id: str) -> Outcome:
    """Where a task stands. Its end has tokens, and the length and the tier that were really made."""
    match answer.get("status"):
        case "queued" | "running":
            return Pending(job_id)
        case "succeeded":
            return _read_video(answer)
        case "failed":
            return Failed(f"failed: {error_word(answer) or 'no code'}")
        case "cancelled" | "expired" as end:
            return Failed(end)
        case _:
            return Unknown("the answer does not say where the task stands")


def _read_video(answer: Answer) -> Outcome:
    if not filled_text(inner(answer, "content").get("video_url")):
        return Failed("no video in the answer")
    usage, audio = inner(answer, "usage"), answer.get("generate_audio")
    total = read_count(usage.get("total_tokens")) or read_count(usage.get("completion_tokens"))
    return Made(
        1,
        duration_s=_duration_s(answer),
        resolution=read_tier(answer.get("resolution")),
        audio=audio if isinstance(audio, bool) else None,
        tokens=read_count(usage.get("completion_tokens")) or None,
        cost=Cost(Fraction(total), "total_tokens") if total else None,
    )


def _duration_s(answer: Answer) -> Fraction | None:
    """Told in seconds, or as frames where frames were asked for."""
    frames, rate = read_count(answer.get("frames")), read_count(answer.get("framespersecond"))
    return read_seconds(answer.get("duration")) or (Fraction(frames, rate) if frames and rate else None)


def _pixels(entry: Answer) -> Pixels | None:
    return png_pixels(entry.get("b64_json")) or stated_pixels(entry.get("size"))


def _output_tokens(answer: Answer) -> Cost | None:
    tokens = read_count(inner(answer, "usage").get("output_tokens"))
    return Cost(Fraction(tokens), "output_tokens") if tokens else None
