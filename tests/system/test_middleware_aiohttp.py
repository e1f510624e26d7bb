"""An aiohttp application behind the middleware, and a service behind a proxy, in front of a real gateway."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.middleware.aiohttp import gate
from gatekeeper.middleware.client import Decision, DecisionsClient, GateAway, GateRefused
from tests.system.test_forward_auth import ask
from tests.system.world import World

ASKED = {"resolution": "2K", "outputs": 2}


async def make(request: web.Request) -> web.StreamResponse:
    """Makes two pictures, or does what the body says."""
    body = await request.json()
    match body.get("prompt"):
        case "fail":
            raise web.HTTPBadGateway
        case "made":
            raise web.HTTPCreated(text='{"outputs": [1]}', content_type="application/json")
        case "bug":
            raise RuntimeError
        case "cut":
            await web.StreamResponse().prepare(request)
            raise ConnectionResetError
        case "refused too late":
            begun = web.StreamResponse(headers={"Connection": "close"})
            begun.force_close()
            await begun.prepare(request)
            assert request.transport is not None
            request.transport.close()
            raise web.HTTPBadGateway
        case "stream":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"picture")
            return response
    return web.json_response({"images": ["one"]})


async def post(world: World, key: str, **fields: Any) -> int:
    """One request to such a service; its status."""
    app = web.Application()
    gate(app, gateway=world.url, paths={"/images": {"model": "seedream-v4.5"}})
    app.router.add_post("/images", make)
    server = TestServer(app)
    await server.start_server()
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.make_url("/images"), json={**ASKED, **fields}, headers=headers) as answer,
        ):
            await answer.read()
            return answer.status
    except aiohttp.ClientError:
        return 0
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("prompt", "status", "charged"),
    [
        ("a cat", 200, 24),
        ("fail", 502, 0),
        ("made", 201, 48),
        ("bug", 500, 0),
        ("stream", 200, 48),
        ("cut", 0, 48),
        ("refused too late", 0, 48),
    ],
)
async def test_what_a_handler_makes_is_charged(world: World, prompt: str, status: int, charged: int):
    """What came of a success, all of one that does not say or breaks off, nothing of an error."""
    key = await world.key()

    assert status == await post(world, key, prompt=prompt)
    assert (charged * 10**6, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_a_refusal_is_the_gateways_own(world: World):
    """The handler hears nothing of it."""
    assert 402 == await post(world, await world.key("1"))


async def test_a_client_decides_extends_and_settles(world: World):
    """In its own words, under its own key; its decision tells nobody its token."""
    async with DecisionsClient(world.url, await world.key()) as client:
        decision = await client.decide({"model": "nano-banana-2"})
        later = await client.extend(decision, 3600)
        settled = await client.settle(decision, {"credits": 1.5})
        released = await client.decide({"model": "nano-banana-2"})
        freed = await client.release(released, "not_needed")

    assert ("held", 1.5, 0) == (later["state"], settled["credits_charged"], freed["credits_charged"])
    assert decision.token not in repr(decision)
    await world.assert_books_clean()


async def test_a_client_is_refused(world: World):
    """With the gateway's own answer."""
    async with DecisionsClient(world.url, await world.key("1")) as client:
        with pytest.raises(GateRefused, match="402 insufficient_credits") as refused:
            await client.decide({"model": "nano-banana-2"})

    assert b"insufficient_credits" in refused.value.refusal.body


async def test_a_client_without_a_gateway(monkeypatch: pytest.MonkeyPatch):
    """Asks once, and tells three times before it gives up."""
    monkeypatch.setattr("gatekeeper.middleware.client.TELL_PAUSE_S", 0)
    async with DecisionsClient("http://127.0.0.1:9", "gk_any") as client:
        with pytest.raises(GateAway):
            await client.decide({})
        with pytest.raises(GateAway):
            await client.settle(Decision("id", "token", {}))


async def test_a_service_behind_a_proxy_settles_what_that_asked_for(world: World):
    """With the headers that the proxy has put on; without them nobody asked."""
    key = await world.key()
    asked = await ask(world, key, "?model=nano-banana-2")
    decision = Decision.behind_proxy({**asked.headers, "Authorization": f"Bearer {key}"})

    async with DecisionsClient(world.url) as client:
        assert decision is not None
        settled = await client.settle(decision)

    assert 49 == settled["credits_charged"]
    assert Decision.behind_proxy({"Authorization": f"Bearer {key}"}) is None
