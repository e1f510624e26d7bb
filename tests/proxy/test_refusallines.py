"""The log line of a refusal that is told again is the line of its event, with its own request's id."""

import io
import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from gatekeeper.core.rejection import Code, CreditFacts, Rejection, Violation
from gatekeeper.events import GenerationFacts
from gatekeeper.logs import configure_logs, emit, reset_logs
from gatekeeper.proxy.refusallines import tell_rejection

ASKED = {"model": "m", "size": "1000x1024"}


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    reset_logs()


def a_rejection() -> Rejection:
    """With violations and amounts that are no whole credits."""
    wrong = Violation(Code.UNSUPPORTED_SIZE, "size", "1000x1024", ("1024x1024",))
    return Rejection(
        Code.UNSUPPORTED_SIZE, "No.", violations=(wrong,), credits=CreditFacts(73_500_001, 1, 0)
    )  # fmt: skip


def facts_of(request_id: str, **facts: Any) -> GenerationFacts:
    """Of a request for a picture."""
    return GenerationFacts(request_id=request_id, model="m", size="1000x1024", **facts)


def lines(log: io.BytesIO) -> list[list[tuple[str, Any]]]:
    """Their fields in order, without the time."""
    told = [json.loads(line, parse_float=str) for line in log.getvalue().splitlines()]
    return [[(name, value) for name, value in each.items() if name != "timestamp"] for each in told]


def test_a_line_that_is_told_again_is_that_of_its_event() -> None:
    """Field by field and in order, whoever is refused."""
    several = [facts_of("a", team="one"), facts_of("b", team="two", credits=1), facts_of("c", team="one")]
    rejection, told, expected = a_rejection(), io.BytesIO(), io.BytesIO()
    configure_logs("info", "json", told)

    events = [tell_rejection(rejection, facts, ASKED)() for facts in (*several, *several)]

    configure_logs("info", "json", expected)
    for each in events:
        emit(each)
    assert lines(expected) == lines(told)


def test_every_line_has_its_time() -> None:
    """The last field, as in every other line."""
    rejection, log = a_rejection(), io.BytesIO()
    configure_logs("info", "json", log)
    for each in "abc":
        tell_rejection(rejection, facts_of(each), None)

    told = [json.loads(line) for line in log.getvalue().splitlines()]

    assert [("timestamp", 27, "Z")] * 3 == [(list(e)[-1], len(e["timestamp"]), e["timestamp"][-1]) for e in told]


@pytest.mark.parametrize(("level", "style", "expected"), [("warning", "json", 0), ("info", "pretty", 3)])
def test_it_goes_where_all_lines_go(
    capsys: pytest.CaptureFixture[str], level: str, style: Literal["json", "pretty"], expected: int
) -> None:
    """Nowhere below the level, and to people as people read it."""
    rejection = a_rejection()
    configure_logs(level, style)
    for each in "abc":
        tell_rejection(rejection, facts_of(each), None)

    assert expected == capsys.readouterr().out.count("generation.rejected")
