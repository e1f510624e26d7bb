"""How what the ledger says becomes a refusal, where a running gateway shows it only by luck."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.core.rejection import Code, Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerHistoryLost, LedgerUnavailable
from gatekeeper.ledger.records import (
    HoldResult,
    HoldState,
    Mismatch,
    Refusal,
    RefusalCode,
    Refused,
    Repeated,
    TooManyNames,
)
from gatekeeper.proxy.refusals import LEDGER_RETRY_AFTER_S, ledger_away, not_held
from tests.cases import each_case
from tests.factories import a_model

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
NO_ADMISSION: Any = None
"""No refusal in this file looks for alternatives."""


def refusal(code: RefusalCode = RefusalCode.RATE_LIMITED, per: str = "minute", resets_in_s: float = 30) -> Refusal:
    """A limit of two that is used up."""
    resets_at_ms = int((NOW + timedelta(seconds=resets_in_s)).timestamp() * 1000)
    return Refusal(code, "team", per, 2, 2, 2, 0, resets_at_ms, fits_after_release=False)


def rejection_of(result: HoldResult) -> Rejection:
    return not_held(result, NO_ADMISSION, NOW).rejection


def refused(*refusals: Refusal) -> Rejection:
    return rejection_of(Refused(refusals, 49_000_000, 951_000_000, 0))


@each_case(("resets_in_s", "wait_s"), [(29.2, 30), (0.2, 1), (-5, 1), (3600, 60)])
def test_the_wait_is_to_the_end_of_the_minute(resets_in_s: float, wait_s: int) -> None:
    """In whole seconds, at least one, and never more than a minute, whatever our clock says against the store's."""
    assert wait_s == refused(refusal(resets_in_s=resets_in_s)).retry_after_s


def test_a_full_minute_leads_over_what_ends_sooner() -> None:
    """Two reasons to wait: the one that takes longer is told first, and both are told."""
    busy = refusal(RefusalCode.CONCURRENCY_EXCEEDED, "open_holds")

    rejection = refused(busy, refusal())

    assert (Code.RATE_LIMITED, Code.CONCURRENCY_EXCEEDED) == rejection.codes
    assert 30 == rejection.retry_after_s


def test_the_cost_is_told_once_for_all_that_it_is_too_much_for() -> None:
    """Each limit that is passed has its own words behind it; what is no matter of the cost has a sentence apart."""
    cap = Refusal(RefusalCode.REQUEST_CAP_EXCEEDED, "team", "per_request", 40_000_000, 0, 0, 0, None, False)
    short = Refusal(RefusalCode.INSUFFICIENT_CREDITS, "team", "", 0, 0, 0, 0, None, False)
    admission: Any = SimpleNamespace(model=a_model(), asked=GenerationRequest(prompt_length=1))
    month = Refusal(RefusalCode.LIMIT_EXCEEDED, "team", "month", 50_000_000, 9_000_000, 0, 0, None, False)

    rejection = not_held(Refused((month, refusal(), cap, short), 49_000_000, 7_000_000, 0), admission, NOW).rejection

    assert (
        "This costs 49 credits; one request may cost 40; 7 are available; team has 50 per month: 9 used, 0 held. "
        "2 generations were admitted in this minute; 2 may be."
    ) == rejection.detail


def test_another_request_under_one_name_is_a_conflict() -> None:
    """422, with the hold that has the name."""
    rejection = rejection_of(Mismatch("01a2", HoldState.SETTLED))

    assert (Code.IDEMPOTENCY_CONFLICT, 422, False) == (rejection.code, rejection.status, rejection.retryable)
    assert rejection.earlier is not None
    assert ("01a2", None) == (rejection.earlier.hold_id, rejection.earlier.charged)


def test_our_own_hold_that_is_over_already_is_no_hold() -> None:
    """Nothing may be forwarded on it: fails closed."""
    assert Code.LEDGER_UNAVAILABLE is rejection_of(Repeated("01a2", HoldState.VOID, 0, 0)).code


@pytest.mark.parametrize(
    ("error", "words", "wait_s"),
    [
        (LedgerUnavailable("gone", maybe_executed=True), "cannot be reached", LEDGER_RETRY_AFTER_S),
        (LedgerHistoryLost("shorter"), "has lost entries of this team", LEDGER_RETRY_AFTER_S),
        (LedgerBroken("odd"), "whoever runs the gateway has to look", None),
    ],
)
def test_each_trouble_of_the_ledger_is_told_as_what_it_is(error: LedgerError, words: str, wait_s: int | None) -> None:
    """What the client reads says whether waiting helps, and nothing of the store's own words."""
    rejection = ledger_away(error)

    assert (Code.LEDGER_UNAVAILABLE, wait_s) == (rejection.code, rejection.retry_after_s)
    assert words in rejection.detail
    assert str(error) not in rejection.detail.split()


def test_a_name_too_many_is_told() -> None:
    """It is the request that has to change: which name it is, and what is taken instead."""
    rejection = rejection_of(TooManyNames("member:bob", 50_000))

    assert (Code.MALFORMED_REQUEST, None) == (rejection.code, rejection.retry_after_s)
    assert "50000 projects and members" in rejection.detail
    assert "the member 'bob'" in rejection.detail
