"""nginx with the shipped example in front of a service: what is let by is held, and what is made is charged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from gatekeeper.middleware.client import Decision, DecisionsClient
from tests.system.nginx import nginx
from tests.system.world import World


class Service:
    """The service behind: it settles what nginx hands it, fails when it is told to, and keeps what it was sent."""

    def __init__(self, gateway: str) -> None:
        self.client = DecisionsClient(gateway)
        self.seen: list[web.BaseRequest] = []
        self.server: Any = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/{any:.*}", self.make)
        self.server = TestServer(app)
        await self.server.start_server()
        return str(self.server.make_url("")).rstrip("/")

    async def make(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        decision = Decision.behind_proxy(request.headers)
        body = await request.json()
        if "fail" in body:
            assert decision is not None
            await self.client.release(decision, "fail")
            return web.Response(status=403, text="the service's own refusal")
        if decision is not None:
            await self.client.settle(decision, {"outputs": 1})
        return web.json_response({"outputs": ["one"]})

    async def close(self) -> None:
        await self.client.close()
        if self.server is not None:
            await self.server.close()


@pytest.fixture(name="stack")
async def _stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def behind(stack: AsyncExitStack, world: World, directory: Path, *first: str) -> tuple[str, Service]:
    """nginx and a service; nginx asks those gateways first that are named."""
    service = Service(world.url)
    stack.push_async_callback(service.close)
    at = await service.start()
    url = await stack.enter_async_context(nginx(directory, [*first, world.url], at))
    return url, service


async def post(url: str, key: str | None, path: str = "/images", body: Any = None, **headers: str) -> Any:
    """One request through nginx; status, headers and text."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + path, json={"prompt": "a cat"} if body is None else body, headers=sent) as answer,
    ):
        return answer.status, answer.headers, await answer.text()


async def test_what_nginx_lets_by_is_held_and_settled(world: World, tmp_path: Path, stack: AsyncExitStack):
    """The body goes to the service and not to gatekeeper, the charge is exact, and the caller sees no token."""
    key = await world.key("90")
    url, service = await behind(stack, world, tmp_path)

    made = await post(url, key)
    chosen = await post(url, key, Gatekeeper_Resolution="2K", Gatekeeper_Model="seedream-v4.5")
    short = await post(url, key)

    assert [200, 402, 402] == [made[0], chosen[0], short[0]]
    assert "insufficient_credits" == short[1]["Gatekeeper-Rejection"]
    assert '"code":"insufficient_credits"' in short[2]
    assert not [name for name in made[1] if name.startswith("Gatekeeper-")]
    assert 1 == len(service.seen)
    assert (49_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_the_service_gets_the_path_that_was_paid_for(world: World, tmp_path: Path, stack: AsyncExitStack):
    """Not its caller's spelling of it, in which the service might see an endpoint that is shut."""
    key = await world.key()
    url, service = await behind(stack, world, tmp_path)

    for path in ("/shut/%2e%2e/images?a=1", "/shut/x/../../thumbnails", "//images"):
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
            session.post(URL(url + path, encoded=True), json={}) as answer,
        ):
            await answer.read()

    assert ["/images?a=1", "/thumbnails", "/images"] == [each.raw_path for each in service.seen]


async def test_a_callers_own_hold_never_reaches_the_service(world: World, tmp_path: Path, stack: AsyncExitStack):
    """nginx sets those headers itself, also to nothing."""
    key = await world.key()
    url, service = await behind(stack, world, tmp_path)
    forged = {"Gatekeeper_Hold_Id": "0" * 32, "Gatekeeper_Settle_Token": "a-token-of-the-caller"}

    answers = [await post(url, key, path, **forged) for path in ("/images", "/thumbnails")]

    assert [200, 200] == [each[0] for each in answers]
    holds = [request.headers.get("Gatekeeper-Hold-Id") for request in service.seen]
    assert holds[0] not in {None, "0" * 32}
    assert None is holds[1]
    assert ["49", "24"] == [str(e["credits_charged"]) for e in world.events("generation.settled")]
    await world.assert_books_clean()


async def test_refusals_have_their_true_status(world: World, tmp_path: Path, stack: AsyncExitStack):
    """No key, a frozen team, a resolution the model does not make, a dry run that would have let it by for nothing."""
    key, frozen = await world.key(), await world.key(frozen=True)
    url, service = await behind(stack, world, tmp_path)

    answers = [
        await post(url, None), await post(url, frozen), await post(url, key, Gatekeeper_Resolution="9K"),
        await post(url, key, "/elsewhere"), await post(url, key, "/_gatekeeper/images"),
    ]  # fmt: skip
    dry = await post(url, key, Gatekeeper_Dry_Run="true")

    codes = [each[1].get("Gatekeeper-Rejection") for each in answers]
    assert [401, 403, 422, 404, 404] == [each[0] for each in answers]
    assert ["unauthenticated", "team_frozen", "unsupported_resolution", None, None] == codes
    assert (200, 49_000_000) == (dry[0], (await world.balance()).charged)
    assert 1 == len(service.seen)


async def test_a_service_that_fails_releases(world: World, tmp_path: Path, stack: AsyncExitStack):
    """Its own 403 passes as it is, and nothing is charged or held."""
    key = await world.key()
    url, _ = await behind(stack, world, tmp_path)

    failed = await post(url, key, body={"fail": 1})

    assert (403, "the service's own refusal") == (failed[0], failed[2])
    assert 1_000_000_000 == (await world.balance()).available
    await world.assert_books_clean()


async def test_a_service_that_is_down_leaves_the_hold_to_time(world: World, tmp_path: Path, stack: AsyncExitStack):
    """nginx tells nobody: the credits stay aside until the time in the configuration is over, and are free then."""
    key = await world.key()
    url, service = await behind(stack, world, tmp_path)
    await service.server.close()

    failed = await post(url, key)

    (hold,) = await world.gateway.store.ledger.holds("team-0")
    assert (502, "release", 330_000) == (failed[0], hold.on_unknown, (hold.deadline_ms or 0) - hold.held_at_ms)


async def test_nginx_that_asks_twice_holds_once(world: World, tmp_path: Path, stack: AsyncExitStack):
    """A gateway that dies after it held and before it answered: nginx asks the next one, and gets the same hold."""
    key, asked = await world.key(), []

    async def takes_and_dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.readuntil(b"\r\n\r\n")
        host, _, port = world.url.removeprefix("http://").partition(":")
        onward, outward = await asyncio.open_connection(host, int(port))
        outward.write(question)
        asked.append(await onward.readuntil(b"\r\n\r\n"))
        outward.close()
        writer.close()

    dying = await asyncio.start_server(takes_and_dies, "127.0.0.1", 0)
    port = dying.sockets[0].getsockname()[1]
    url, service = await behind(stack, world, tmp_path, f"http://127.0.0.1:{port}")

    made = await post(url, key)
    dying.close()

    hold = service.seen[0].headers["Gatekeeper-Hold-Id"]
    assert (200, True) == (made[0], f"Gatekeeper-Hold-Id: {hold}".encode() in asked[0])
    assert 49_000_000 == (await world.balance()).charged
    assert 1 == len(world.events("generation.admitted"))
    await world.assert_books_clean()


async def test_without_a_gateway_nothing_is_let_by(world: World, tmp_path: Path, stack: AsyncExitStack):
    """nginx answers 500, and the service hears nothing."""
    service = Service(world.url)
    stack.push_async_callback(service.close)
    url = await stack.enter_async_context(nginx(tmp_path, ["http://127.0.0.1:9"], await service.start()))

    assert 500 == (await post(url, "gk_any"))[0]
    assert [] == service.seen
