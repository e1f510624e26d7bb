"""The client for decisions: it asks once, tells again, and lets nothing by that it does not understand."""

import pytest
from aiohttp import web

from gatekeeper.middleware.client import KEY_HEADERS, Decision, DecisionsClient, GateAway, GateRefused
from gatekeeper.web.auth import KEY_HEADERS as TAKEN_FROM
from tests.middleware.conftest import Gateway


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.middleware.client.TELL_PAUSE_S", 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id"', b"\xff", b" " * (2 * 1024**2)])
async def test_an_answer_that_is_no_decision_lets_nothing_by(gateway: Gateway, body: bytes):
    """Not even with a status of success."""
    gateway.answers = [web.Response(status=201, body=body)]
    async with DecisionsClient(gateway.url, "gk_any") as client:
        with pytest.raises(GateAway):
            await client.decide({})


@pytest.mark.parametrize("status", [301, 307, 401, 402, 429])
async def test_whatever_is_no_success_is_a_refusal(gateway: Gateway, status: int):
    """Nor is a redirect followed: the key goes nowhere else."""
    gateway.answers = [web.Response(status=status, headers={"Location": "/elsewhere", "Gatekeeper-Rejection": "code"})]
    async with DecisionsClient(gateway.url, "gk_any") as client:
        with pytest.raises(GateRefused) as refused:
            await client.decide({})

    assert (status, "code", 1) == (refused.value.refusal.status, refused.value.refusal.code, len(gateway.told))


async def test_an_end_is_told_until_the_gateway_takes_it(gateway: Gateway):
    """Three times at most; a question is asked once."""
    async with DecisionsClient(gateway.url, "gk_any") as client:
        decision = await client.decide({"model": "m"})
        gateway.answers = [web.Response(status=503), web.Response(status=502)]
        await client.settle(decision, {"outputs": 1})
        gateway.answers = [web.Response(status=503)]
        with pytest.raises(GateAway):
            await client.decide({})

    assert ["decisions", *["settle"] * 3, "decisions"] == [act for act, _ in gateway.told]
    tokens = {headers["Gatekeeper-Settle-Token"] for headers in gateway.headers[:4]}
    assert 1 == len(tokens)
    assert {"Bearer gk_any"} == {headers["Authorization"] for headers in gateway.headers}


async def test_a_refused_end_is_not_told_again(gateway: Gateway):
    """Somebody else has ended it."""
    gateway.answers = [web.Response(status=409)]
    async with DecisionsClient(gateway.url) as client:
        with pytest.raises(GateRefused):
            await client.release(Decision("hold-7", "token", {"x-api-key": "gk_callers"}))

    assert [("release", {})] == gateway.told
    assert "gk_callers" == gateway.headers[0]["x-api-key"]


def test_what_a_proxy_hands_over():
    """Hold, token and key together, or nothing."""
    headers = {"Gatekeeper-Hold-Id": "h", "Gatekeeper-Settle-Token": "t", "Authorization": "Bearer gk_x"}

    assert Decision("h", "t", {"Authorization": "Bearer gk_x"}) == Decision.behind_proxy(headers)
    assert None is Decision.behind_proxy({"Gatekeeper-Hold-Id": "h"})


def test_a_key_is_looked_for_where_the_gateway_does() -> None:
    """Every header that the gateway takes a key from is handed on to it."""
    assert {name.decode() for name in TAKEN_FROM} == {name.lower() for name in KEY_HEADERS}
