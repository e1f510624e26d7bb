"""Refusals as each dialect writes them, and what OpenAI's own SDK makes of them."""

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx2
import openai
import pytest

from gatekeeper.core.rejection import (
    FACTS,
    Alternative,
    Code,
    CreditFacts,
    EarlierFacts,
    LimitFacts,
    Rejected,
    Rejection,
    Violation,
)
from gatekeeper.dialects import native
from gatekeeper.dialects.base import Rendered
from gatekeeper.dialects.facts import ALLOWED_SHOWN_MAX, explain
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import case, each_case


def rejection(code: Code = Code.UNSUPPORTED_ASPECT_RATIO, **changes: Any) -> Rejection:
    """A refusal with boring contents."""
    return Rejection(**({"code": code, "detail": "It was refused."} | changes))


def bad_ratio(supported: Sequence[str] = ("1:1", "4:3", "16:9"), **changes: Any) -> Rejection:
    violation = Violation(Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", "21:9", tuple(supported), "16:9")
    near = Alternative(24_000_000, resolution="2K", aspect_ratio="16:9")
    return rejection(violations=(violation,), alternatives=(near,), **changes)


def too_poor() -> Rejection:
    limit = LimitFacts("member:amy", "day", 200_000_000, 180_000_001, 0, "2026-01-01T00:00:00Z")
    facts = CreditFacts(160_000_000, 73_500_000, 98_000_000, (limit,), fits_after_release=True)
    return rejection(Code.INSUFFICIENT_CREDITS, detail="160 credits are needed, 73.5 are left.", credits=facts)


def header(rendered: Rendered, name: str) -> str | None:
    return dict(rendered.headers).get(name)


def find_facts(value: Any) -> dict[str, Any]:
    """The object with the facts of a refusal, wherever in its body the format has room for it."""
    if isinstance(value, dict) and {"code", "request_id", "retryable"} <= set(value):
        return value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for each in inside if (found := find_facts(each))), {})


@each_case("dialect", sorted(DIALECTS))
def test_every_code_has_its_status_and_says_so(dialect: str) -> None:
    """Whatever the code, every dialect answers with its status, valid JSON and the code in body and header."""
    for code in Code:
        with case(code):
            rendered = DIALECTS[dialect].render_rejection(rejection(code), "req_1")

            facts = find_facts(json.loads(rendered.body))
            assert (FACTS[code].status, code.value, code.value) == (
                rendered.status,
                facts["code"],
                header(rendered, "Gatekeeper-Rejection"),
            )
            assert ("req_1", FACTS[code].retryable) == (facts["request_id"], facts["retryable"])


def test_native_is_the_published_problem_document() -> None:
    """The native body is the one of the published example, key for key and in its order."""
    refusal = bad_ratio(detail="Seedream v4.5 makes 1:1, 4:3, 16:9; 21:9 was asked. Nearest: 16:9.")

    rendered = DIALECTS["native"].render_rejection(refusal, "req_1")

    assert header(rendered, "Content-Type") == "application/problem+json"
    assert rendered.body.decode() == (
        '{"type":"urn:gatekeeper:rejection:unsupported_aspect_ratio",'
        '"title":"Aspect ratio not supported by this model","status":422,'
        '"detail":"Seedream v4.5 makes 1:1, 4:3, 16:9; 21:9 was asked. Nearest: 16:9.",'
        '"code":"unsupported_aspect_ratio","request_id":"req_1","retryable":false,'
        '"violations":[{"code":"unsupported_aspect_ratio","field":"aspect_ratio","requested":"21:9",'
        '"supported":["1:1","4:3","16:9"],"nearest":"16:9"}],'
        '"alternatives":[{"resolution":"2K","aspect_ratio":"16:9","credits":24}]}'
    )


@each_case("dialect", sorted(DIALECTS))
def test_money_is_written_exactly(dialect: str) -> None:
    """Credits are decimals to the sixth place, under the published names."""
    body = json.loads(DIALECTS[dialect].render_rejection(too_poor(), "req_1").body, parse_float=Decimal)

    limit = {
        "scope": "member:amy",
        "per": "day",
        "limit": 200,
        "used": Decimal("180.000001"),
        "held": 0,
        "resets_at": "2026-01-01T00:00:00Z",
    }
    expected = {
        "required": 160,
        "available": Decimal("73.5"),
        "held": 98,
        "limits": [limit],
        "fits_after_release": True,
    }
    assert expected == find_facts(body)["credits"]


@each_case("dialect", sorted(DIALECTS))
def test_requests_are_counted_whole(dialect: str) -> None:
    """A limit per minute counts requests: 30 of them are 30, not 0.00003 credits."""
    limit = LimitFacts("team", "minute", 30, 30, 0, "2026-01-01T00:01:00Z")
    refusal = rejection(Code.RATE_LIMITED, credits=CreditFacts(0, 0, 0, (limit,)), retry_after_s=7)

    rendered = DIALECTS[dialect].render_rejection(refusal, "req_1")

    body = json.loads(rendered.body)
    (told,) = find_facts(body)["credits"]["limits"]
    assert (30, 30, 0, "7") == (told["limit"], told["used"], told["held"], header(rendered, "Retry-After"))


@each_case(("charged", "told"), [(73_500_000, 73.5), (0, 0), (None, None)])
def test_an_earlier_hold_is_named_with_its_charge(charged: int | None, told: float | None) -> None:
    """What is not known yet is null, and not 0."""
    refusal = rejection(Code.ALREADY_GENERATED, earlier=EarlierFacts("01a2", charged))

    bodies = {name: json.loads(dialect.render_rejection(refusal, "req_1").body) for name, dialect in DIALECTS.items()}

    expected = {"hold_id": "01a2", "credits_charged": told}
    assert dict.fromkeys(DIALECTS, expected) == {name: find_facts(body)["earlier"] for name, body in bodies.items()}


@pytest.mark.parametrize(
    ("code", "retried"), [(Code.GENERATION_IN_PROGRESS, "true"), (Code.ALREADY_GENERATED, "false")]
)
def test_openais_sdk_is_told_which_409_to_wait_for(code: Code, retried: str) -> None:
    """It sends any 409 again by itself unless it is told otherwise."""
    assert retried == header(DIALECTS["openai"].render_rejection(rejection(code), "req_1"), "x-should-retry")


def test_openai_error_names_its_own_field() -> None:
    """`param` is the field as OpenAI calls it, and the message tells what is allowed."""
    violation = Violation(Code.TOO_MANY_OUTPUTS, "outputs", "12", ("1 to 10",), "10")

    error = json.loads(
        DIALECTS["openai"].render_rejection(rejection(Code.TOO_MANY_OUTPUTS, violations=(violation,)), "r").body
    )["error"]

    assert {"param": "n", "type": "invalid_request_error"}.items() <= error.items()
    assert error["message"] == "It was refused. n 12 is not supported; allowed: 1 to 10. Nearest: 10."


@each_case("dialect", sorted(DIALECTS))
def test_message_names_the_allowed_set(dialect: str) -> None:
    """Who sees only the message learns what is allowed and what comes nearest."""
    body = DIALECTS[dialect].render_rejection(bad_ratio(), "r").body.decode()

    assert re.search(r"[rR]atio 21:9 is not supported; allowed: 1:1, 4:3, 16:9. Nearest: 16:9.", body)


def test_what_the_detail_says_is_not_said_twice() -> None:
    """A detail that already spells out the allowed set stays as it is."""
    refusal = bad_ratio(detail="It makes 1:1, 4:3, 16:9.")

    assert refusal.detail == explain(refusal)


@pytest.mark.parametrize(
    ("supported", "detail"),
    [(("1",), "It makes 21:9, 11 and 1.5."), (("1:1", "2:1"), "It makes 1:1, 2:19."), ((), "No.")],
)
def test_what_only_looks_said_is_said(supported: tuple[str, ...], detail: str) -> None:
    """A number inside another is not the allowed set spelled out."""
    refusal = rejection(detail=detail, violations=(Violation(Code.UNSUPPORTED_SIZE, "size", "9x9", supported),))

    assert explain(refusal).startswith(f"{detail} size 9x9 is not supported")


def test_what_a_reader_says_is_not_said_again() -> None:
    """A refusal from reading a body already says all of it."""
    with pytest.raises(Rejected) as caught:
        native.read_body([b'{"modle":"m","outputs":"2","operation":"x","size":{"width":1},"Scale":2}'])

    assert caught.value.rejection.detail == explain(caught.value.rejection)


def test_a_very_long_set_is_counted() -> None:
    """A message lists so many values and counts the others."""
    refusal = bad_ratio(supported=[f"{n}:1" for n in range(1, ALLOWED_SHOWN_MAX + 8)])

    assert f"{ALLOWED_SHOWN_MAX}:1 and 7 more." in explain(refusal)


@each_case("dialect", sorted(DIALECTS))
def test_odd_characters_do_not_break_the_answer(dialect: str) -> None:
    """Half a surrogate pair in a caller's word is written as a question mark."""
    violation = Violation(Code.UNSUPPORTED_SIZE, "size\udfff", "\ud800é", ("\ud800",), "\ud800")

    rendered = DIALECTS[dialect].render_rejection(rejection(detail="\ud800", violations=(violation,)), "r")

    body = json.loads(rendered.body)
    assert find_facts(body)["violations"][0]["requested"] == "?é"


@each_case("dialect", sorted(DIALECTS))
def test_retry_after_is_a_header(dialect: str) -> None:
    """When to come back stands where HTTP puts it, and only when it is known."""
    busy, other = rejection(Code.RATE_LIMITED, retry_after_s=7), rejection(Code.RATE_LIMITED)

    rendered = [DIALECTS[dialect].render_rejection(each, "r") for each in (busy, other)]

    assert [header(each, "Retry-After") for each in rendered] == ["7", None]


@each_case("dialect", sorted(DIALECTS))
def test_all_limits_that_refused_are_listed(dialect: str) -> None:
    """When several limits refused at once their codes are all there."""
    refusal = rejection(Code.INSUFFICIENT_CREDITS, other_codes=(Code.LIMIT_EXCEEDED,))

    body = json.loads(DIALECTS[dialect].render_rejection(refusal, "r").body)

    assert find_facts(body)["codes"] == ["insufficient_credits", "limit_exceeded"]


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK sleeps between attempts; nothing is learnt from that."""
    monkeypatch.setattr("time.sleep", lambda _: None)


def call_sdk(rendered: Rendered, call: Callable[[openai.OpenAI], Any]) -> tuple[openai.APIError, int]:
    """Lets the SDK call a server that answers so; what it raised, and after how many attempts."""
    attempts: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        attempts.append(request)
        return httpx2.Response(rendered.status, headers=list(rendered.headers), content=rendered.body)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = openai.OpenAI(api_key="gk_test", base_url="http://gate.test/openai/v1", http_client=http)
        with pytest.raises(openai.APIError) as caught:
            call(client)
    return caught.value, len(attempts)


def generate(client: openai.OpenAI) -> Any:
    return client.images.generate(model="m", prompt="p")


@pytest.mark.parametrize(
    ("refusal", "raised", "attempts"),
    [
        (rejection(Code.MALFORMED_REQUEST), openai.BadRequestError, 1),
        (rejection(Code.UNAUTHENTICATED), openai.AuthenticationError, 1),
        (too_poor(), openai.APIStatusError, 1),
        (rejection(Code.ROUTE_NOT_GATED), openai.PermissionDeniedError, 1),
        (rejection(Code.MODEL_NOT_FOUND), openai.NotFoundError, 1),
        (bad_ratio(), openai.UnprocessableEntityError, 1),
        (rejection(Code.RATE_LIMITED, retry_after_s=0), openai.RateLimitError, 3),
        (rejection(Code.LEDGER_UNAVAILABLE, retry_after_s=0), openai.InternalServerError, 3),
        (rejection(Code.PROVIDER_TIMEOUT), openai.InternalServerError, 1),
        (rejection(Code.PROVIDER_UNAVAILABLE, final=True), openai.InternalServerError, 1),
    ],
    ids=lambda value: value.code.value if isinstance(value, Rejection) else None,
)
def test_the_sdk_raises_its_own_error(
    refusal: Rejection, raised: type[openai.APIStatusError], attempts: int, no_waiting: None
) -> None:
    """OpenAI's SDK raises the class it has for the status, with code and request id, and repeats only what may help."""
    error, tried = call_sdk(DIALECTS["openai"].render_rejection(refusal, "req_1"), generate)

    assert isinstance(error, openai.APIStatusError)
    assert (raised, refusal.status, attempts) == (type(error), error.status_code, tried)
    assert (refusal.code, "req_1") == (error.code, error.request_id)


def test_the_sdk_shows_the_allowed_set() -> None:
    """The text of the SDK's exception names what is allowed."""
    error, _ = call_sdk(DIALECTS["openai"].render_rejection(bad_ratio(), "req_1"), generate)

    assert "1:1, 4:3, 16:9" in str(error)


def test_the_sdk_raises_in_the_middle_of_a_stream() -> None:
    """A refusal sent as an event ends the SDK's iteration with its error."""
    refusal = rejection(Code.PROVIDER_TIMEOUT, detail="It took too long.")
    event = DIALECTS["openai"].render_stream_error(refusal, "req_1")
    assert event is not None
    partial = (
        b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"AA"}\n\n'
    )
    stream = Rendered(200, (("Content-Type", "text/event-stream"),), partial + event)

    error, _ = call_sdk(stream, lambda client: list(client.images.generate(model="m", prompt="p", stream=True)))

    assert ("It took too long.", "provider_timeout") == (error.message, error.code)


def test_native_has_no_stream_to_fail_in() -> None:
    """The native format has no streams and so no event for a failure."""
    assert DIALECTS["native"].render_stream_error(rejection(), "r") is None
