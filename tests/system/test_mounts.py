"""How a provider is reached: by path or by a host name of its own, at one address or at several."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.dialects import openai
from gatekeeper.dialects.base import RouteKind
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.dialects.routes import RouteTable, row
from tests.system.conftest import StartWorld
from tests.system.world import World

HOST = "images.example.com"

PICTURE = {"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024"}


class Echo:
    """A provider that remembers where it was asked, and what."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", self._answer)
        self._server = TestServer(app)

    async def start(self) -> str:
        await self._server.start_server()
        return str(self._server.make_url("")).rstrip("/")

    async def close(self) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.raw_path, await request.read()))
        return web.json_response({})


@pytest.fixture(name="echo")
async def _echo() -> Any:
    """A provider that remembers where it was asked."""
    echo = Echo()
    yield echo
    await echo.close()


@pytest.fixture(name="twofold")
def _twofold(monkeypatch: pytest.MonkeyPatch) -> None:
    """For this test there is a dialect with a second address, and a free route that takes a body."""
    table = RouteTable(
        row("GET", "/queue/jobs", RouteKind.FREE, "jobs", upstream="/jobs", base="queue"),
        row("POST", "/voices", RouteKind.FREE, "voices", takes_body=True),
        row("POST", "/tokens", RouteKind.FREE, "tokens"),
    )
    dialect: dict[str, Any] = {name: getattr(openai, name) for name in ("render_rejection",)}
    dialect |= {"routes": table.routes, "find_route": table.find}
    dialect |= {"TRAITS": replace(openai.TRAITS, bases={"queue": "https://queue.example.com"})}
    monkeypatch.setitem(DIALECTS, "twofold", SimpleNamespace(**dialect))


async def by_host(world: World, key: str, host: str) -> int:
    """The status of a picture asked for at a host name."""
    answer = await world.send("POST", "/v1/images/generations", key, json=PICTURE, headers={"Host": host})
    return answer.status


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:8080"])
async def test_a_host_name_needs_no_prefix(start_world: StartWorld, host: str) -> None:
    """What comes for the provider's own host name reaches it with its whole path, whatever the port and the case."""
    world = await start_world(providers={"openai": {"host": HOST}})
    key = await world.key()

    assert 200 == await by_host(world, key, host)


async def test_a_host_name_with_a_port_is_for_that_port(start_world: StartWorld) -> None:
    """One that is configured with a port is this provider's at that port alone, however often it is asked."""
    world = await start_world(providers={"openai": {"host": f"{HOST}:1234"}})
    key = await world.key()

    statuses = [await by_host(world, key, host) for host in (f"{HOST}:1234", f"{HOST}:1235", HOST) * 2]

    assert [200, 403, 403] * 2 == statuses


async def test_on_its_host_nothing_else_is_open(start_world: StartWorld) -> None:
    """There every path is the provider's, and one that its format does not know is refused in its shape."""
    world = await start_world(providers={"openai": {"host": HOST}})
    key = await world.key()

    answer = await world.send("GET", "/v1/balance", key, headers={"Host": HOST})

    assert (403, "route_not_gated") == (answer.status, answer.json["error"]["code"])


@pytest.mark.usefixtures("twofold")
async def test_a_route_goes_to_its_own_address(start_world: StartWorld, echo: Echo) -> None:
    """A route of a second address is asked there, without the segment that told them apart."""
    url = await echo.start()
    world = await start_world(providers={"twofold": {"base_url": f"{url}/first", "base_urls": {"queue": f"{url}/2nd"}}})

    answer = await world.send("GET", "/twofold/queue/jobs", await world.key())

    assert (200, [("GET", "/2nd/jobs", b"")]) == (answer.status, echo.seen)


@pytest.mark.usefixtures("twofold")
async def test_a_free_route_that_takes_a_body(start_world: StartWorld, echo: Echo) -> None:
    """Its body goes on as it came; a free route that takes none refuses one."""
    url = await echo.start()
    world = await start_world(providers={"twofold": {"base_url": url}})
    key = await world.key()

    taken = await world.send("POST", "/twofold/voices", key, data=b"any bytes")
    refused = await world.send("POST", "/twofold/tokens", key, data=b"any bytes")

    assert [("POST", "/voices", b"any bytes")] == echo.seen
    assert (200, 400) == (taken.status, refused.status)


async def test_the_public_address_is_at_hand(start_world: StartWorld) -> None:
    """What links are rewritten with is what the settings say, without a slash at its end."""
    world = await start_world(public_url="https://gate.example.com/")
    assert "https://gate.example.com" == world.gateway.gate.public_url
