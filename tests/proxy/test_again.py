"""What is kept of an answer, and how it is told again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gatekeeper.core.rejection import Code, Rejected, Rejection
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.records import Answer, HoldState, Repeated
from gatekeeper.proxy.again import KEPT_ANSWER_BYTES_MAX, AnswerCopy, answer_again
from gatekeeper.proxy.once import UNNAMED, Once
from gatekeeper.proxy.refusals import came_before
from tests.cases import each_case
from tests.proxy.conftest import MakeCall

MakeGate = Callable[..., Any]

ONCE = Once("i1", "f", 1000, 1000)
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
RUNNING = {HoldState.HELD, HoldState.UNKNOWN}


def copied(
    *pieces: bytes,
    once: Once = ONCE,
    status: int = 200,
    content_type: str = "application/json",
    complete: bool = True,
) -> Answer | None:
    """What is kept of an answer that came in these pieces."""
    copy = AnswerCopy(once, status, content_type)
    for piece in pieces:
        copy.feed(piece)
    return copy.finish(complete=complete)


def earlier(state: HoldState = HoldState.SETTLED, charged: int = 49_000_000, began_s_ago: float = 0) -> Repeated:
    """An earlier hold of 49 credits."""
    began_ms = int(NOW.timestamp() * 1000 - began_s_ago * 1000)
    return Repeated(new_hold_id(began_ms, 1), state, 49_000_000, charged)


def refusal(repeated: Repeated) -> Rejection:
    return came_before(repeated, NOW).rejection


async def test_an_answer_comes_again_as_it_was(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Status, type and every byte of the body; the earlier hold and its charge in the headers."""
    body = '{"outputs": [{"url": "http://x/ü.png"}],\n "n": 1}\n'.encode()
    kept, before = copied(body[:10], body[10:], status=202), earlier()
    assert kept is not None

    answer = await answer_again(make_gate(**{before.hold_id: kept.text}), make_call(), before)

    assert (202, "application/json", body) == (answer.status, answer.content_type, answer.body)
    assert {
        "Gatekeeper-Request-Id": "req",
        "Gatekeeper-Hold-Id": before.hold_id,
        "Gatekeeper-Credits-Charged": "49",
        "Gatekeeper-Replayed": "true",
    } == {name: value for name, value in answer.headers.items() if name.startswith("Gatekeeper-")}


async def test_an_answer_of_what_still_runs_tells_no_charge(make_gate: MakeGate, make_call: MakeCall) -> None:
    """A hold that is not resolved has not been charged: 0 would be a promise."""
    kept, before = copied(b"{}"), earlier(HoldState.HELD, 0)
    assert kept is not None

    answer = await answer_again(make_gate(**{before.hold_id: kept.text}), make_call(), before)

    assert "Gatekeeper-Credits-Charged" not in answer.headers


async def test_without_a_kept_answer_it_is_refused(make_gate: MakeGate, make_call: MakeCall) -> None:
    """409, and nothing else: whatever is not kept cannot be given again."""
    with pytest.raises(Rejected) as refused:
        await answer_again(make_gate(), make_call(), earlier())

    assert Code.ALREADY_GENERATED is refused.value.rejection.code


def test_kept_for_as_long_as_its_name_says() -> None:
    """The time to live comes from the name."""
    kept = copied(b"{}")

    assert kept is not None
    assert 1000 == kept.ttl_ms


@pytest.mark.parametrize(
    ("size", "is_kept"), [(0, True), (KEPT_ANSWER_BYTES_MAX, True), (KEPT_ANSWER_BYTES_MAX + 1, False)]
)
def test_only_small_answers_are_kept(size: int, is_kept: bool) -> None:
    """64 KiB and not a byte more, in whatever pieces."""
    half = size // 2

    assert is_kept == (copied(b"x" * half, b"x" * (size - half)) is not None)


@each_case(
    "changes",
    [
        {"once": UNNAMED},
        {"status": 500},
        {"status": 302},
        {"complete": False},
        {"content_type": ""},
        {"content_type": "text/plain\x01"},
        {"content_type": "x" * 201},
    ],
)
def test_what_is_not_kept(changes: dict[str, Any]) -> None:
    """Answers to requests without a name, failures, what broke off, and types that cannot be written again."""
    assert copied(b"{}", **changes) is None


def test_bytes_that_are_no_text_are_not_kept() -> None:
    """A small picture is a picture."""
    assert copied(b"\x89PNG\r\n\xff") is None


@each_case("state", list(HoldState))
def test_what_runs_may_be_asked_for_again_and_nothing_else(state: HoldState) -> None:
    """An SDK waits for what runs; for what has ended it would wait in vain."""
    rejection = refusal(earlier(state, 0))

    assert (state in RUNNING) == rejection.retryable == (rejection.code is Code.GENERATION_IN_PROGRESS)
    assert 409 == rejection.status
    assert (state in RUNNING) == (rejection.retry_after_s is not None)


@each_case(("began_s_ago", "wait_s"), [(-5, 1), (0.5, 1), (7.9, 7), (1000, 60)])
def test_so_long_as_it_has_run_so_long_should_be_waited(began_s_ago: float, wait_s: int) -> None:
    """At least a second, at most a minute, whatever the clock of the gateway that began it said."""
    assert wait_s == refusal(earlier(HoldState.HELD, 0, began_s_ago)).retry_after_s


@each_case(
    ("state", "charged", "words"),
    [
        (HoldState.SETTLED, 49_000_000, "49 credits were charged, and its answer is not kept"),
        (HoldState.ORPHAN, 500_000, "0.5 credits were charged, and"),
        (HoldState.EXPIRED, 0, "what became of it is not known; nothing was charged"),
        (HoldState.CHARGED, 49_000_000, "what became of it is not known; 49 credits were charged"),
    ],
)
def test_a_refusal_says_what_was_charged(state: HoldState, charged: int, words: str) -> None:
    """In words, and as facts with the hold's id."""
    before = earlier(state, charged)

    rejection = refusal(before)

    assert words in rejection.detail
    assert before.hold_id in rejection.detail
    assert rejection.earlier is not None
    assert (before.hold_id, charged) == (rejection.earlier.hold_id, rejection.earlier.charged)
