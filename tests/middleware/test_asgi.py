"""The ASGI middleware where things break off: whoever is gone, what was made is told, and told once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gatekeeper.middleware.asgi import GateMiddleware
from gatekeeper.middleware.gating import Rules
from tests.middleware.conftest import Gateway

Send = Callable[[dict[str, Any]], Awaitable[None]]
SCOPE = {"type": "http", "method": "POST", "path": "/images", "headers": [(b"authorization", b"Bearer gk_any")]}
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}


async def serve(gateway: Gateway, app: Any, *received: dict[str, Any], send: Send | None = None) -> list[Any]:
    """One request to such an application; what was sent to its client."""
    sent: list[Any] = []
    messages = [*received] or [{"type": "http.request", "body": b'{"resolution": "2K"}', "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def keep(message: Any) -> None:
        sent.append(message)

    middleware = GateMiddleware(app, gateway=gateway.url, paths={"/images": {"model": "m"}})
    try:
        await middleware(dict(SCOPE), receive, send or keep)  # type: ignore[arg-type]
    finally:
        await middleware._gating.close()
    return sent


async def test_the_end_is_told_before_the_last_piece_leaves(gateway: Gateway):
    """And before that, pieces leave as they come."""
    seen: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b'{"data": [1, ', "more_body": True})
        seen.append(len(gateway.told))
        await send({"type": "http.response.body", "body": b"2, 3]}"})
        seen.append(len(gateway.told))

    await serve(gateway, app)

    assert ([1, 2], ("settle", {"outputs": 3})) == (seen, gateway.told[-1])


async def test_a_client_that_leaves_in_the_middle_has_been_served(gateway: Gateway):
    """The endpoint began a success: it made it, whoever still reads."""

    async def app(_scope: Any, _receive: Any, send: Send) -> None:
        await send(START)

    async def gone(_message: Any) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await serve(gateway, app, send=gone)

    assert ["decisions", "settle"] == [act for act, _ in gateway.told]


async def test_a_client_that_leaves_before_its_body_is_there_asks_nothing(gateway: Gateway):
    """Nothing is held for it."""

    async def app(_scope: Any, _receive: Any, _send: Send) -> None:
        raise AssertionError

    begun = {"type": "http.request", "body": b"{", "more_body": True}

    assert [] == await serve(gateway, app, begun, {"type": "http.disconnect"})
    assert [] == gateway.told


async def test_one_that_is_stopped_is_left_to_time(gateway: Gateway):
    """Nobody can tell what it had made."""

    async def app(_scope: Any, _receive: Any, _send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await serve(gateway, app)

    assert ["decisions"] == [act for act, _ in gateway.told]


async def test_one_that_answers_nothing_is_released(gateway: Gateway):
    """It returned without a word."""

    async def app(_scope: Any, _receive: Any, _send: Send) -> None:
        return

    await serve(gateway, app)

    assert [("release", {"why": "no_answer"})] == gateway.told[1:]


async def test_a_body_that_is_too_large_is_refused(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    """Before anything is asked."""
    monkeypatch.setattr("gatekeeper.middleware.asgi.BODY_BYTES_MAX", 10)
    pieces = [{"type": "http.request", "body": b"x" * 6, "more_body": True}] * 3

    sent = await serve(gateway, None, *pieces)

    assert (413, []) == (sent[0]["status"], gateway.told)


async def test_the_body_is_read_once_and_handed_on(gateway: Gateway):
    """Whole, and after it comes whatever comes."""
    heard: list[Any] = []

    async def app(_scope: Any, receive: Any, _send: Send) -> None:
        heard.extend([await receive(), await receive()])

    request = {"type": "http.request", "body": b"{}", "more_body": False}
    await serve(gateway, app, request, {"type": "http.disconnect"})

    assert [request, {"type": "http.disconnect"}] == heard


def test_which_endpoints_are_gated():
    """By the path as it is, or its beginning; what makes nothing is free."""
    rules = Rules(paths={"/images": {"model": "a"}, "/v1/*": {"model": "b"}})

    asked = [("POST", "/images"), ("PUT", "/v1/x"), ("GET", "/images"), ("POST", "/images/"), ("POST", "/v1")]
    assert ["a", "b", None, None, None] == [(rules.fixed_for(*each) or {}).get("model") for each in asked]


@pytest.mark.parametrize(
    ("path", "root"), [("/images\n", ""), ("/api/images", "/api"), ("/api/images\n", "/api"), ("/api/v1/x", "/api")]
)
def test_a_spelling_that_a_router_takes_is_gated(path: str, root: str):
    """Starlette finds `/images` by a line break behind it, and below the path that the application is mounted at."""
    rules = Rules(paths={"/images": {"model": "a"}, "/v1/*": {"model": "a"}})

    assert {"model": "a"} == rules.fixed_for("POST", path, root)
    assert rules.fixed_for("POST", f"{root}.images", root) is None


async def test_json_that_is_far_too_deep_is_refused(gateway: Gateway):
    """It is no crash of the service, and nothing is asked."""
    deep = {"type": "http.request", "body": b"[" * 100_000, "more_body": False}

    sent = await serve(gateway, None, deep)

    assert (400, []) == (sent[0]["status"], gateway.told)


async def test_an_answer_without_headers_passes(gateway: Gateway):
    """ASGI lets an application leave them out."""

    async def app(_scope: Any, _receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    sent = await serve(gateway, app)

    assert (204, ["decisions", "settle"]) == (sent[0]["status"], [act for act, _ in gateway.told])
