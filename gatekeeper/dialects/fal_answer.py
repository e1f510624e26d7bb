"""What came out of a call to fal: a model's output, a place in the queue, or how a job stands.

A job that is over is only `COMPLETED`: whether it made anything is told by its result, which has the model's own
status. The quantity that fal bills stands in a header of that result.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final, cast

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import (
    Answer,
    Object,
    error_word,
    failed,
    filled_text,
    not_told,
    png_pixels,
    read_answer,
    read_job_id,
    read_pixels,
    succeeded,
)
from gatekeeper.dialects.hosted import filmed_seconds
from gatekeeper.dialects.sse import Event, EventSkimmer

UNITS_HEADER: Final = "x-fal-billable-units"
ERROR_HEADER: Final = "x-fal-error-type"

PIXELS_KEPT_MAX: Final = 100
"""No request asks for more pictures."""

_UNITS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_STILL_RUNNING: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})
_NO_END: Final = frozenset({401, 403, 404, 405, 408, 409, 410, 425, 429})
"""Statuses that tell of the question, not of the job."""

HTTP_BAD_REQUEST: Final = 400
"""Said of a model's input, and of a result that is asked for too early: an end only of what is known to be over."""

_PICTURES: Final = ("images", "image")
_FILMS: Final = ("videos", "video")
_DATA_PNG: Final = "data:image/png;base64,"


class OutputAnswer:
    """Reads a model's output, asked for at once or as a job's result (`job`), where an HTTP error may be no end.

    `certain`: the job is known to be over, so that every error which a model may have given is its end.
    """

    __slots__ = ("_certain", "_headers", "_job", "_object", "_status")

    def __init__(
        self, status: int, headers: Mapping[str, str], *, job: str | None = None, certain: bool = False
    ) -> None:
        self._status = status
        self._headers = headers
        self._job = job
        self._certain = certain
        self._object = Object()

    def feed(self, chunk: bytes) -> None:
        self._object.feed(chunk)

    def finish(self, *, complete: bool) -> Outcome:
        answer = self._object.read()
        if not succeeded(self._status):
            return self._read_error(answer)
        if answer is None:
            return Unknown("the answer is no JSON object" if complete else "the answer was cut")
        if self._job and _is_running(answer):
            return Pending(self._job)
        return read_output(answer, billed_units(self._headers))

    def _read_error(self, answer: Answer | None) -> Outcome:
        word = error_type(answer, self._headers)
        may_be_early = self._status in _NO_END or (self._status == HTTP_BAD_REQUEST and not self._certain)
        if self._job and (may_be_early or not (self._certain or _of_model(answer, word))):
            return not_told(self._status, answer)
        units = billed_units(self._headers)
        reason = f"{self._status} {word}" if word else failed(self._status, answer).reason
        return Failed(reason, _is_billed(self._status, units), units)


def read_submitted(answer: Answer) -> Outcome:
    """What a submission is answered with."""
    job_id = read_job_id(answer.get("request_id"))
    return Unknown("accepted without a job id") if job_id is None else Pending(job_id)


def read_status(answer: Answer, job: str) -> Outcome:
    """How the job stands."""
    if _is_running(answer):
        return Pending(job)
    over = answer.get("status") == "COMPLETED"
    return Pending(job, ended=True) if over else Unknown("the answer names no status that is known")


class StreamAnswer:
    """Reads a model's output as server-sent events: each shows the whole picture as far as it is, the last counts."""

    __slots__ = ("_error", "_events", "_headers", "_last")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._events = EventSkimmer()
        self._headers = headers
        self._last: Made | None = None
        self._error: str | None = None

    def feed(self, chunk: bytes) -> None:
        for event in self._events.feed(chunk):
            self._take(event)

    def finish(self, *, complete: bool) -> Outcome:
        last = self._events.rest()
        if last is not None:
            self._take(last)
        if self._last is not None:
            return self._last if complete else replace(self._last, note="cut")
        if self._error is not None:
            return Failed(f"error in the stream: {self._error}")
        return Unknown("the stream ended before an output" if complete else "the stream was cut before an output")

    def _take(self, event: Event) -> None:
        answer = read_answer(event.skeleton)
        if answer is None:
            return
        outcome = read_output(answer, billed_units(self._headers))
        if isinstance(outcome, Made):
            self._last = outcome
        elif event.name == "error" or answer.get("error") or answer.get("detail"):
            self._error = error_type(answer, self._headers) or "no code"


def read_output(answer: Answer, units: Cost | None) -> Outcome:
    """The files that a model's output names, or that there are none."""
    films = _files(answer, _FILMS)
    # A picture beside a film is a still of it.
    made = films or _files(answer, _PICTURES) or _other_files(answer)
    if made:
        pixels = tuple(_pixels(each) for each in made[:PIXELS_KEPT_MAX])
        return Made(len(made), pixels, duration_s=_duration(answer, films), cost=units)
    if answer.get("error") or answer.get("detail"):
        return Failed(f"error in a success: {error_type(answer, {}) or 'no code'}", _is_billed(200, units), units)
    if any(name in answer for name in (*_PICTURES, *_FILMS)):
        return Failed("no output in the answer", _is_billed(200, units), units)
    return Unknown("the answer has no output of a known kind")


def read_event(body: bytes) -> tuple[str | None, Outcome]:
    """The job and its outcome as a webhook tells them. What a failure was billed is told by the result alone."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    job_id = read_job_id(answer.get("request_id"))
    payload = answer.get("payload")
    if answer.get("status") == "OK" and isinstance(payload, dict):
        return job_id, read_output(cast("Answer", payload), None)
    if answer.get("status") in ("OK", "ERROR") and job_id is not None:
        return job_id, Pending(job_id, ended=True)
    return job_id, Unknown("the event tells no end")


def billed_units(headers: Mapping[str, str]) -> Cost | None:
    """What fal bills, in the unit of the model's price."""
    text = headers.get(UNITS_HEADER, "").strip()
    return Cost(Fraction(text), "fal_units") if _UNITS.fullmatch(text) else None


def error_type(answer: Answer | None, headers: Mapping[str, str]) -> str | None:
    """fal's own word for what went wrong."""
    named = (answer or {}).get("error_type") or headers.get(ERROR_HEADER)
    return error_word({"code": named}) or (error_word(answer) if answer else None)


def _is_running(answer: Answer) -> bool:
    status = answer.get("status")
    return isinstance(status, str) and status in _STILL_RUNNING


def _is_billed(status: int, units: Cost | None) -> bool:
    """fal never charges for its own errors (5xx); for any other failure it says by how many units."""
    return status < 500 and units is not None and units.amount > 0


def _of_model(answer: Answer | None, word: str | None) -> bool:
    """Whether an error was a model's: it has a type, or lists what was wrong with the input."""
    return word is not None or isinstance((answer or {}).get("detail"), list)


def _files(answer: Answer, names: tuple[str, ...]) -> list[Answer]:
    """The files that are really there, under the first of these names that has any."""
    for name in names:
        value = answer.get(name)
        listed = cast("list[object]", value) if isinstance(value, list) else [value]
        found = [entry for entry in map(_file, listed) if entry is not None]
        if found:
            return found
    return []


def _other_files(answer: Answer) -> list[Answer]:
    """Files under a name that no output in use has: in the place that has the most. A bare text may be anything."""
    places = (value if isinstance(value, list) else [value] for value in answer.values())
    found = ([each for each in map(_file, place) if each is not None and each in place] for place in places)
    return max(found, key=len, default=[])


def _file(value: object) -> Answer | None:
    """A file as an object, or as the bare address that some models give."""
    if filled_text(value):
        return {"url": value}
    entry = cast("Answer", value) if isinstance(value, dict) else {}
    return entry if filled_text(entry.get("url")) or filled_text(entry.get("file_data")) else None


def _pixels(entry: Answer) -> Pixels | None:
    url = entry.get("url")
    shown = png_pixels(url.removeprefix(_DATA_PNG)) if isinstance(url, str) and url.startswith(_DATA_PNG) else None
    return shown or read_pixels(entry.get("width"), entry.get("height"))


def _duration(answer: Answer, films: list[Answer]) -> Fraction | None:
    if not films:
        return None
    return filmed_seconds(films[0].get("duration")) or filmed_seconds(answer.get("duration"))
