"""What Google's answers say was made: pictures of generateContent and of Imagen, and where a Veo operation stands.

A success without a picture is common: a filter took it, or the model answered in words. What counts is what is there.
"""

import json
import re
from collections.abc import Iterator
from typing import cast

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import (
    Answer,
    filled_text,
    not_told,
    output_tokens,
    png_pixels,
    read_answer,
    read_tokens,
    succeeded,
)
from gatekeeper.dialects.contenttype import is_event_stream
from gatekeeper.dialects.gemini_interaction import file_names
from gatekeeper.dialects.skim import Skimmer
from gatekeeper.dialects.sse import Event, EventSkimmer

OPERATION = re.compile(
    r"(?:projects/[A-Za-z0-9._:-]{1,40}/locations/[A-Za-z0-9-]{1,40}/)?(?:publishers/google/)?"
    r"models/[A-Za-z0-9._-]{1,64}/operations/[A-Za-z0-9_-]{1,64}"
)
"""The name of an operation, which is what a Veo job is called. No longer than the ledger takes for a job's name."""

_NO_PICTURE = ("video/", "audio/", "application/", "text/")
_WORD = re.compile(r"[A-Z0-9_]{1,64}")
_ANSWERED = frozenset({"STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED", ""})
"""The model came to its end by itself. Other reasons are a filter's, or a failure's."""


def google_error(status: int, answer: Answer | None) -> Failed:
    """A refusal by Google, named by its status and its status word."""
    error = answer.get("error") if answer is not None else None
    word = error.get("status") if isinstance(error, dict) else None
    return Failed(f"{status} {word}" if _is_word(word) else str(status))


def _is_word(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _objects(value: object) -> Iterator[Answer]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield cast("Answer", each)


class Tally:
    """Counts what one answer, or each piece of a streamed one, brings."""

    __slots__ = ("_blocked", "_candidates", "_cost", "_image_tokens", "_pixels", "_reason", "_words", "error", "seen")

    def __init__(self) -> None:
        self.seen = False
        self.error: str | None = None
        self._pixels: list[Pixels | None] = []
        self._words = False
        self._blocked: str | None = None
        self._reason = ""
        self._candidates = False
        self._cost: int | None = None
        self._image_tokens: int | None = None

    def take(self, answer: Answer) -> None:
        self.seen = True
        if answer.get("error"):
            self.error = self.error or google_error(200, answer).reason
        feedback = answer.get("promptFeedback")
        if isinstance(feedback, dict) and _is_word(feedback.get("blockReason")):
            self._blocked = str(feedback["blockReason"])
        for candidate in _objects(answer.get("candidates")):
            self._candidates = True
            self._take_candidate(candidate)
        self._take_usage(answer.get("usageMetadata"))

    def _take_candidate(self, candidate: Answer) -> None:
        if _is_word(candidate.get("finishReason")):
            self._reason = str(candidate["finishReason"])
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in _objects(parts):
            if part.get("thought") is not True:
                self._take_part(part)

    def _take_part(self, part: Answer) -> None:
        self._words = self._words or filled_text(part.get("text"))
        for name, place in (("inlineData", "data"), ("fileData", "fileUri")):
            media = part.get(name)
            if isinstance(media, dict) and _is_picture(media.get("mimeType")) and filled_text(media.get(place)):
                self._pixels.append(png_pixels(media.get(place)))

    def _take_usage(self, usage: object) -> None:
        """The last word counts: in a stream each piece tells the sum so far."""
        if not isinstance(usage, dict):
            return
        made, thought = (read_tokens(usage.get(f"{name}TokenCount")) for name in ("candidates", "thoughts"))
        self._cost = (made or 0) + (thought or 0) or self._cost
        pictures = (each for each in _objects(usage.get("candidatesTokensDetails")) if each.get("modality") == "IMAGE")
        self._image_tokens = sum(read_tokens(each.get("tokenCount")) or 0 for each in pictures) or self._image_tokens

    def outcome(self, note: str = "") -> Outcome:
        """What came. Words in place of a picture are billed by Google like any other answer, and so here."""
        cost = output_tokens(self._cost)
        if self._pixels:
            said = note or ("" if self._reason in _ANSWERED else self._reason)
            tokens = self._image_tokens or self._cost
            return Made(len(self._pixels), tuple(self._pixels), note=said, tokens=tokens, cost=cost)
        if self.error is not None:
            return Failed(f"error in a success: {self.error.removeprefix('200').strip() or 'no word'}")
        if self._blocked is not None:
            return Failed(f"prompt blocked: {self._blocked}", cost=cost)
        if self._reason not in _ANSWERED:
            return Failed(f"no image: {self._reason}", cost=cost)
        if self._words:
            return Failed("words and no picture", billable=True, cost=cost)
        return Failed("no image in the answer", cost=cost) if self._candidates else Unknown("no candidates told")


def _is_picture(mime_type: object) -> bool:
    """What does not say that it is something else is a picture: a part may come without its type."""
    return not (isinstance(mime_type, str) and mime_type.lower().startswith(_NO_PICTURE))


class ContentAnswer:
    """Reads generateContent: one object, or for a stream without events a list of them."""

    __slots__ = ("_skimmer", "_status")

    def __init__(self, status: int) -> None:
        self._status = status
        self._skimmer = Skimmer(is_answer=True)

    def feed(self, chunk: bytes) -> None:
        self._skimmer.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        answers = _read_answers(self._skimmer.skeleton)
        if not succeeded(self._status):
            return google_error(self._status, answers[0] if answers else None)
        tally = Tally()
        for answer in answers:
            tally.take(answer)
        if not tally.seen:
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        return tally.outcome()


def _read_answers(skeleton: bytes) -> tuple[Answer, ...]:
    one = read_answer(skeleton)
    if one is not None:
        return (one,)
    try:
        several: object = orjson.loads(skeleton)
    except json.JSONDecodeError:
        return ()
    return tuple(_objects(several))


class ContentStream:
    """Reads streamGenerateContent with events."""

    __slots__ = ("_events", "_tally")

    def __init__(self) -> None:
        self._events = EventSkimmer()
        self._tally = Tally()

    def feed(self, chunk: bytes) -> None:
        for event in self._events.feed(chunk):
            self._take(event)

    def finish(self, *, complete: bool) -> Outcome:
        last = self._events.rest()
        if last is not None:
            self._take(last)
        outcome = self._tally.outcome("" if complete else "cut")
        if complete or isinstance(outcome, Made):
            return outcome if self._tally.seen else Unknown("the stream ended before an image")
        return Unknown("the stream was cut before an image")

    def _take(self, event: Event) -> None:
        answer = read_answer(event.skeleton)
        if answer is not None:
            self._tally.take(answer)


def content_reader(status: int, content_type: str) -> ContentAnswer | ContentStream:
    """Events only on success: errors come as JSON."""
    return ContentStream() if succeeded(status) and is_event_stream(content_type) else ContentAnswer(status)


def predict_outcome(answer: Answer) -> Outcome:
    """Imagen's pictures. Where a filter took one there is a reason in its place, or nothing at all."""
    entries = list(_objects(answer.get("predictions")))
    images = [e for e in entries if filled_text(e.get("bytesBase64Encoded")) or filled_text(e.get("gcsUri"))]
    filtered = sum(filled_text(entry.get("raiFilteredReason")) for entry in entries)
    if images:
        pixels = tuple(png_pixels(image.get("bytesBase64Encoded")) for image in images)
        return Made(len(images), pixels, note=f"{filtered} filtered" if filtered else "")
    if answer.get("error"):
        return Failed(
            f"error in a success: {google_error(200, answer).reason.removeprefix('200').strip() or 'no word'}"
        )
    return Failed("every picture was filtered" if filtered else "no image in the answer")


def operation_outcome(answer: Answer, asked: str | None) -> Outcome:
    """Where an operation stands. It says no status, only whether it is done; `asked` is its name where it says none."""
    name = answer.get("name")
    known = name if isinstance(name, str) and OPERATION.fullmatch(name) else asked
    if answer.get("done") is not True:
        if answer.get("error"):
            return Failed(f"failed: {_error_code(answer)}")
        return Unknown("no operation in the answer") if known is None else Pending(known)
    if answer.get("error"):
        return Failed(f"failed: {_error_code(answer)}")
    return _videos(answer.get("response"), known)


def _error_code(answer: Answer) -> str:
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return str(code) if isinstance(code, int) and abs(code) < 1000 else "no code"


def _videos(response: object, job_id: str | None) -> Outcome:
    """Vertex AI has `videos`, the Gemini API `generateVideoResponse.generatedSamples`; each its count of filtered."""
    told = cast("Answer", response) if isinstance(response, dict) else {}
    inner = told.get("generateVideoResponse")
    told = told | cast("Answer", inner) if isinstance(inner, dict) else told
    found = [*_objects(told.get("videos")), *(_sample(each) for each in _objects(told.get("generatedSamples")))]
    videos = [each for each in found if any(filled_text(each.get(name)) for name in _VIDEO_PLACES)]
    filtered = read_tokens(told.get("raiMediaFilteredCount")) or 0
    if not videos:
        return Failed("every video was filtered" if filtered else "no video in the answer")
    files = tuple(name for each in videos for name in file_names(each.get("uri")))
    return Made(len(videos), note=f"{filtered} filtered" if filtered else "", job_id=job_id, files=files)


_VIDEO_PLACES = ("gcsUri", "bytesBase64Encoded", "uri", "encodedVideo")


def _sample(sample: Answer) -> Answer:
    video = sample.get("video")
    return cast("Answer", video) if isinstance(video, dict) else {}


def poll_error(status: int, answer: Answer | None) -> Unknown:
    """An HTTP error of a poll says nothing of the job, but that there is none (any more)."""
    return Unknown(google_error(status, answer).reason, gone=not_told(status, answer).gone)
