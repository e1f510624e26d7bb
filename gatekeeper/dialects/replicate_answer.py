"""What a prediction says of itself: in the answer to its submission, in polls, in the answer to a cancel, in webhooks.

It is the same object everywhere. It names no cost; its `metrics` tell how long it ran and, for films, what was made.
"""

from fractions import Fraction
from typing import Final, cast

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.dialects.answers import (
    Answer,
    error_word,
    read_answer,
    read_job_id,
)
from gatekeeper.dialects.hosted import filmed_seconds

_STILL_RUNNING: Final = frozenset({"starting", "processing", "queued"})
_MEDIA_STARTS: Final = ("http://", "https://", "data:")

OUTPUT_DEPTH_MAX: Final = 3
"""A list of objects of addresses is the deepest output of any model in use."""

FILM_METRICS: Final = ("video_output_duration_seconds", "output_video_duration")
"""Unverified names of a film's length in `metrics`; where neither is there, the length is that asked for."""


def read_event(body: bytes) -> tuple[str | None, Outcome]:
    """The job and its outcome as a webhook tells them: the prediction itself."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    return read_job_id(answer.get("id")), read_prediction(answer)


def read_prediction(answer: Answer) -> Outcome:
    """How it stands, or how it ended."""
    job_id = read_job_id(answer.get("id"))
    match answer.get("status"):
        case str(status) if status in _STILL_RUNNING:
            return Unknown("accepted without a job id") if job_id is None else Pending(job_id)
        case "succeeded":
            return _read_output(answer, job_id)
        case "failed":
            return Failed(_reason("failed", answer))
        case "canceled":
            return Failed(_reason("canceled", answer), billable=_ran(answer))
        case "aborted":
            return Failed(_reason("aborted", answer))
        case _:
            return Unknown("the prediction has no status that is known")


def _read_output(answer: Answer, job_id: str | None) -> Outcome:
    count = _count(answer.get("output"), OUTPUT_DEPTH_MAX)
    if count:
        return Made(count, duration_s=_film_length(answer), job_id=job_id)
    if answer.get("data_removed"):
        return Unknown("the outputs have been deleted", gone=True)
    return Failed("no output in the prediction")


def _count(output: object, depth: int) -> int:
    """The addresses and data URIs in an output: one, a list of them, or objects, each of which shows one thing."""
    if isinstance(output, str):
        return int(output.startswith(_MEDIA_STARTS))
    if depth == 0 or not isinstance(output, list | dict):
        return 0
    if isinstance(output, list):
        return sum(_count(each, depth - 1) for each in output)
    return max((_count(each, depth - 1) for each in cast("Answer", output).values()), default=0)


def _metrics(answer: Answer) -> Answer:
    metrics = answer.get("metrics")
    return cast("Answer", metrics) if isinstance(metrics, dict) else {}


def _film_length(answer: Answer) -> Fraction | None:
    metrics = _metrics(answer)
    return next(filter(None, (filmed_seconds(metrics.get(name)) for name in FILM_METRICS)), None)


def _ran(answer: Answer) -> bool:
    """Whether it had begun, which is what is charged of a prediction that was cancelled."""
    return bool(_metrics(answer).get("predict_time")) or isinstance(answer.get("started_at"), str)


def _reason(status: str, answer: Answer) -> str:
    """The status, and a code word if the error is one; its text may quote the prompt."""
    word = error_word({"error": answer.get("error")})
    return f"{status}: {word}" if word else status
