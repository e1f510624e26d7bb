"""A refusal is written once for each shape, and says what it would say if it were written anew."""

import pytest
from aiohttp import web

from gatekeeper.core.rejection import Code, EarlierFacts, Rejection, Violation
from gatekeeper.dialects.base import Dialect
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.web.answers import OWN, REQUEST_ID, rejection_answer
from gatekeeper.web.outgoing import Whole, head_of
from tests.cases import each_case
from tests.web.test_outgoing import asks, told

FIRST, SECOND = "0" * 24, "1" * 24
"""Ids of two requests that get the same refusal."""


def unsupported(requested: str = "1000x1024") -> Rejection:
    wrong = Violation(Code.UNSUPPORTED_SIZE, "size", requested, ("1024x1024",), "1024x1024")
    return Rejection(wrong.code, f"It takes 1024x1024; {requested} was asked.", violations=(wrong,))


def told_twice(shape: Dialect, rejection: Rejection) -> Whole:
    """The second of two answers with it."""
    rejection_answer(shape, rejection, FIRST)
    answer = rejection_answer(shape, rejection, SECOND)
    assert isinstance(answer, Whole)
    return answer


@each_case("name", sorted(DIALECTS))
def test_told_again_it_is_what_the_dialect_says(name: str) -> None:
    """Status, headers and body, with the id of the second request in all their places."""
    rendered = DIALECTS[name].render_rejection(unsupported(), SECOND)

    answer = told_twice(DIALECTS[name], unsupported())

    assert (rendered.status, rendered.body) == (answer.status, answer.body)
    assert (*rendered.headers, *OWN, (REQUEST_ID, SECOND)) == tuple(answer.headers.items())


def test_an_id_in_a_callers_text_stays() -> None:
    """Somebody asked for a size that is the id of an earlier request: it is repeated, and is no id."""
    rejection = unsupported(requested=FIRST)

    body = told_twice(DIALECTS["openai"], rejection).body

    assert DIALECTS["openai"].render_rejection(rejection, SECOND).body == body


@each_case("request_", [asks("POST"), asks("POST", "1.0"), asks("POST", "1.1", "Connection: close")])
async def test_every_way_of_sending_says_the_same(request_: bytes) -> None:
    """Over HTTP/1.1 as bytes that are there already, else by aiohttp's own way."""
    rejection = Rejection(Code.ALREADY_GENERATED, "Once is enough.", earlier=EarlierFacts("01a2", 2_500_000))

    line, headers, body = await told(
        lambda request: _answered(rejection_answer(DIALECTS["openai"], rejection, FIRST, request)), request_
    )

    whole = rejection_answer(DIALECTS["openai"], rejection, FIRST)
    assert isinstance(whole, Whole)
    assert ("409", whole.body) == (line.split()[1], body)
    assert {**whole.headers, "Content-Length": str(len(body))}.items() <= headers.items()
    assert "Date" in headers


async def _answered(answer: web.StreamResponse) -> web.StreamResponse:
    return answer


async def test_a_head_is_answered_without_a_body() -> None:
    """With the length that the body would have."""
    _, headers, body = await told(
        lambda request: _answered(rejection_answer(DIALECTS["openai"], unsupported(), FIRST, request)), asks("HEAD")
    )

    assert (b"", True) == (body, int(headers["Content-Length"]) > 0)


def test_a_line_break_in_a_header_is_never_written() -> None:
    """It would be a header of somebody else's."""
    with pytest.raises(ValueError, match="control"):
        head_of(200, [("Gatekeeper-Hold-Id", "01a2\r\nSet-Cookie: a=b")])
