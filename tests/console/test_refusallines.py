"""Refusals and jobs as lines: what was asked, what is allowed, and nothing that the log would not have."""

from typing import Any

import pytest

from gatekeeper.console.joblines import ENDS, HEARD, asked_at, ended_lines, job_lines
from gatekeeper.console.refusallines import Filter, line_of
from gatekeeper.core.credits import MICRO
from gatekeeper.core.rejection import Alternative, Code, CreditFacts, LimitFacts, Rejection, Violation
from gatekeeper.events import GenerationFacts, GenerationRejected, JobEnd, JobFinished, JobVia
from gatekeeper.recent import Recent, Refusal
from tests.proxy.jobs.test_record import a_record

PROMPT = "a secret plan of the client"


def refusal(rejection: Rejection, **facts: Any) -> Refusal:
    """As the feed has it."""
    recent, known = Recent(), {"team": "studio", "model": "nano-banana-2"} | facts
    event = GenerationRejected(
        facts=GenerationFacts(request_id="r1", **known),
        code=rejection.code,
        codes=rejection.codes,
        status=rejection.status,
        credits_required=rejection.credits.required if rejection.credits else None,
        credits_available=rejection.credits.available if rejection.credits else None,
        asked={"model": "nano-banana-2", "resolution": "8K", "duration_s": "5", "audio": False, "prompt": True},
    )
    recent.refused(lambda: event, rejection)
    (found,) = recent.seen_after(0)
    assert isinstance(found, Refusal)
    return found


def test_a_line_says_what_was_asked_and_what_is_allowed() -> None:
    """With the nearest, and with what else would be accepted at which price."""
    violation = Violation(Code.UNSUPPORTED_RESOLUTION, "resolution", "8K", ("1K", "2K"), "2K")
    other = Alternative(73_500_000, resolution="2K", outputs=1, audio=False)
    line = line_of(refusal(Rejection(Code.UNSUPPORTED_RESOLUTION, "no", (violation,), (other,)), member="amy"))

    assert ("resolution 8K", "duration 5 s", "no audio") == line.asked
    assert ("resolution", "8K", ("1K", "2K"), "2K") == (
        line.allowed[0].field,
        line.allowed[0].requested,
        line.allowed[0].values,
        line.allowed[0].nearest,
    )
    assert ("2K, 1 output, without sound for 73.5\u202fcr",) == line.instead
    assert ("amy", "the caller's") == (line.who, line.whose)


def test_a_line_says_which_limit_stood_in_the_way() -> None:
    """With what is used and held of it, and what would be needed."""
    limits = (
        LimitFacts("team", "month", 100 * MICRO, 60 * MICRO, 5 * MICRO),
        LimitFacts("team", "minute", 10, 10, 0),
    )
    money = CreditFacts(49 * MICRO, 40 * MICRO, 0, limits)
    line = line_of(refusal(Rejection(Code.LIMIT_EXCEEDED, "no", credits=money)))

    assert ("team per month: 60 + 5 held of 100", "team per minute: 10 of 10") == line.limits
    assert "49 cr needed; 40 available" == line.money


def test_what_a_caller_wrote_is_not_repeated() -> None:
    """A prompt where a size belongs is not shown, nor is the sentence that quotes it."""
    violation = Violation(Code.UNSUPPORTED_SIZE, "size", PROMPT, ("1024x1024",))

    found = refusal(Rejection(Code.UNSUPPORTED_SIZE, f"{PROMPT} is no size", (violation,)))

    assert PROMPT not in repr((found, line_of(found)))
    assert "(not logged)" == line_of(found).allowed[0].requested


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        ({}, True),
        ({"code": "unsupported_size"}, True),
        ({"code": "unsupported_audio"}, True),
        ({"code": "team_frozen"}, False),
        ({"team": "STUD"}, True),
        ({"team": "other"}, False),
        ({"model": "banana"}, True),
        ({"model": "banana", "team": "other"}, False),
        ({"team": "x" * 999}, False),
    ],
)
def test_a_filter_takes_what_it_names(wanted: dict[str, str], takes: bool) -> None:
    """A code that it has among others, a part of a name, whatever its case."""
    rejection = Rejection(Code.UNSUPPORTED_SIZE, "no", other_codes=(Code.UNSUPPORTED_AUDIO,))

    assert takes is Filter.of(wanted).takes(refusal(rejection))


def test_an_open_job_is_overdue_past_its_deadline() -> None:
    """The oldest comes first; who asked last, as far as it is remembered."""
    young, old = a_record(submitted_at_ms=100_000, deadline_s=60), a_record(submitted_at_ms=0, deadline_s=60)

    lines = job_lines([young, old], {young.hold_id: 110_000}, 120_000)

    assert [("Overdue", 120.0, -60.0), ("Running", 20.0, 40.0)] == [
        (line.state.word, line.age_s, line.left_s) for line in lines
    ]
    assert 10.0 == lines[0].asked_s


def test_every_end_of_a_job_has_its_word() -> None:
    """And so has whoever learnt it."""
    assert (set(JobEnd.__args__), set(JobVia.__args__)) == (set(ENDS), set(HEARD))  # type: ignore[attr-defined]


def test_jobs_that_ended_come_backwards() -> None:
    """The last one first; questions about jobs are no ends."""
    recent = Recent()
    for outcome in ("made", "failed"):
        recent.ended(
            JobFinished(facts=GenerationFacts(request_id="r"), job="j", outcome=outcome, via="poll", age_s=1)  # type: ignore[arg-type]
        )
    recent.asked("h1")
    seen = recent.seen_after(0)

    assert ["Failed", "Made"] == [line.state.word for line in ended_lines(seen)]
    assert ["h1"] == list(asked_at(seen))
