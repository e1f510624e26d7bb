"""The vocabulary of refusals: closed, complete, and safe for clients that retry by themselves."""

import pytest

from gatekeeper.core.rejection import (
    FACTS,
    QUOTED_LENGTH_MAX,
    Code,
    Fault,
    Rejected,
    Rejection,
    Violation,
    quoted,
    refuse,
)
from tests.cases import each_case

MONEY = (Code.INSUFFICIENT_CREDITS, Code.LIMIT_EXCEEDED, Code.REQUEST_CAP_EXCEEDED)


def test_every_code_is_described() -> None:
    """The closed list and its facts have the same members."""
    assert set(Code) == set(FACTS)


@each_case("code", Code)
def test_statuses_are_the_published_ones(code: Code) -> None:
    """No code answers with a status that the contract does not name."""
    assert FACTS[code].status in {400, 401, 402, 403, 404, 409, 413, 422, 429, 502, 503, 504}


@each_case("code", Code)
def test_titles_tell_codes_apart(code: Code) -> None:
    """A title stands for one code only, and ends without a full stop."""
    titles = [facts.title for facts in FACTS.values()]

    assert (1, False) == (titles.count(FACTS[code].title), FACTS[code].title.endswith("."))


@pytest.mark.parametrize("code", MONEY)
def test_money_is_402(code: Code) -> None:
    """A refusal for money is 402, which no provider's SDK sends again, and is nobody's fault but the team's."""
    assert (402, Fault.TEAM, False) == (FACTS[code].status, FACTS[code].fault, FACTS[code].retryable)


@each_case("code", [c for c in Code if FACTS[c].status == 422])
def test_what_the_caller_must_mend_is_not_retryable(code: Code) -> None:
    """A request that cannot be valid does not become valid by waiting."""
    assert (Fault.CALLER, False) == (FACTS[code].fault, FACTS[code].retryable)


def test_a_timeout_is_never_sent_again() -> None:
    """A provider that did not answer may have done the work."""
    assert not FACTS[Code.PROVIDER_TIMEOUT].retryable


def test_final_takes_the_retry_away() -> None:
    """Even a retryable code must not be retried when the provider may have done the work."""
    before = Rejection(Code.PROVIDER_UNAVAILABLE, "Cut off.")
    after = Rejection(Code.PROVIDER_UNAVAILABLE, "Cut off.", final=True)

    assert (True, False) == (before.retryable, after.retryable)


def test_codes_lists_each_once_with_the_leading_one_first() -> None:
    """The codes of a refusal are its own, its violations' and the others', each once."""
    violations = (
        Violation(Code.TOO_MANY_OUTPUTS, "outputs", "9"),
        Violation(Code.UNSUPPORTED_RESOLUTION, "resolution", "8K"),
    )
    rejection = Rejection(
        Code.UNSUPPORTED_RESOLUTION, "No.", violations=violations, other_codes=(Code.TOO_MANY_OUTPUTS,)
    )

    assert (Code.UNSUPPORTED_RESOLUTION, Code.TOO_MANY_OUTPUTS) == rejection.codes


def test_refuse_carries_its_rejection() -> None:
    """The exception brings the whole rejection to the edge and names its code in its text."""
    raised = refuse(Code.RATE_LIMITED, "Slow down.", retry_after_s=3)

    assert isinstance(raised, Rejected)
    assert (429, 3, "rate_limited: Slow down.") == (
        raised.rejection.status,
        raised.rejection.retry_after_s,
        str(raised),
    )


@each_case("text", ["a" * 5000, "\ud800" * 50, "high", ""])
def test_quoted_text_is_short_and_encodable(text: str) -> None:
    """Whatever a caller wrote can be repeated in an answer and a log line."""
    assert len(quoted(text).encode()) <= QUOTED_LENGTH_MAX * 4
