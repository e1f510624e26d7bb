"""One call: what reaches the receiver, and what stops the gateway from reaching anybody else."""

import socket
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from gatekeeper.proxy.webhooks.addresses import Allowed
from gatekeeper.proxy.webhooks.calling import Called, Caller

HERE = Allowed(frozenset({"127.0.0.1"}))


class Local(AbstractResolver):
    """Resolves every name to this machine, as a name may that was bought for it."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


async def call(url: str, allowed: Allowed = HERE, timeout_s: float = 5.0, **parts: Any) -> Called:
    async with Caller(allowed, timeout_s, **parts) as caller:
        return await caller.call(url, {"Content-Type": "application/json", "X-One": "1"}, b'{"a":1}')


async def test_the_event_arrives_as_it_is(receiver: Any) -> None:
    """Its body, its headers, and who sends it."""
    assert Called(200) == await call(receiver.url)

    ((headers, body),) = receiver.received
    assert (b'{"a":1}', "1", "gatekeeper") == (body, headers["X-One"], headers["User-Agent"])


@pytest.mark.parametrize("status", [200, 204, 302, 400, 410, 500])
async def test_the_status_is_told(receiver: Any, status: int) -> None:
    """Only 2xx means that it was taken."""
    receiver.statuses[:] = [status]

    called = await call(receiver.url)

    assert (status, status < 300) == (called.status, called.taken)


async def test_a_redirect_leads_nowhere(receiver: Any) -> None:
    """It could lead past every check."""
    receiver.statuses[:] = [307]
    receiver.headers["Location"] = "/elsewhere"

    assert 307 == (await call(receiver.url)).status
    assert 1 == len(receiver.received)


async def test_an_endless_answer_is_not_read() -> None:
    """Its head is all that matters."""

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    application = web.Application()
    application.router.add_post("/", flood)
    async with TestServer(application) as server:
        assert Called(200) == await call(str(server.make_url("/")))


async def test_a_silent_receiver_is_left(receiver: Any) -> None:
    """After the time that was set."""
    receiver.gate.clear()

    assert Called(0, "timeout") == await call(receiver.url, timeout_s=0.05)


@pytest.mark.parametrize("allowed", [Allowed(), Allowed(frozenset({"other"}))])
async def test_a_private_address_is_not_called(receiver: Any, allowed: Allowed) -> None:
    """Settings may have changed since the request; the address as it is written is looked at again."""
    assert Called(0, "address not allowed") == await call(receiver.url, allowed)
    assert [] == receiver.received


@pytest.mark.parametrize("name", ["rebound.example.com", "localhost"])
async def test_a_name_that_leads_inside_is_not_called(receiver: Any, name: str) -> None:
    """Whatever it led to before: nobody is connected to."""
    port = receiver.url.split(":")[2].split("/")[0]
    allowed = Allowed(ports=frozenset({int(port)}))

    called = await call(f"https://{name}:{port}/hook", allowed, resolver=Local())

    assert Called(0, "name leads nowhere that may be called") == called
    assert [] == receiver.received


async def test_nobody_there_is_no_error() -> None:
    """It is said in a word."""
    assert Called(0, "ClientConnectorError") == await call("http://127.0.0.1:1/")


async def test_a_caller_that_is_not_open_calls_nobody(receiver: Any) -> None:
    """As in the last moments of a process."""
    assert Called(0, "closed") == await Caller(HERE, 1.0).call(receiver.url, {}, b"")
