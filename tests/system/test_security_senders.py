"""Who is counted behind a proxy, and by which names the admin port is read."""

import asyncio

import pytest

from gatekeeper.console.attempts import OF_ONE_MAX
from gatekeeper.web.knocking import AT_ONCE_MAX
from tests.console.consoleworld import Console
from tests.system.conftest import StartWorld
from tests.system.world import World

ONE, OTHER = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.10"}
PROXIES = ["127.0.0.1", "::1"]


async def guessed(world: World, port: str, headers: dict[str, str], times: int = 1) -> list[int]:
    """What so many wrong keys, or tokens, hear."""
    path = {"url": "/v1/balance", "admin_url": "/admin/v1/teams"}[port]

    async def guess(number: int) -> int:
        sent = headers | {"Authorization": f"Bearer gk_guess{number}"}
        async with world.session.get(getattr(world.gateway, port) + path, headers=sent) as answer:
            return answer.status

    return [await guess(number) for number in range(times)]


@pytest.mark.parametrize("port", ["url", "admin_url"])
async def test_behind_a_trusted_proxy_each_caller_has_his_own_tries(start_world: StartWorld, port: str) -> None:
    """Who guesses is told to wait, and nobody else who comes by the same proxy."""
    world = await start_world(trusted_proxies=PROXIES)

    heard = await guessed(world, port, ONE, AT_ONCE_MAX * 2)

    assert 429 in heard
    assert [401] == await guessed(world, port, OTHER)


@pytest.mark.parametrize("port", ["url", "admin_url"])
async def test_who_is_no_trusted_proxy_names_nobody(world: World, port: str) -> None:
    """A header with ever new addresses is no way around."""
    heard = [
        (await guessed(world, port, {"X-Forwarded-For": f"203.0.113.{number}"}))[0] for number in range(AT_ONCE_MAX * 2)
    ]

    assert 429 in heard


async def test_the_consoles_login_counts_callers_and_not_their_proxy(start_world: StartWorld) -> None:
    """One who guessed too often waits; another comes in, and the log says from where."""
    world = await start_world(trusted_proxies=PROXIES)
    console = Console(world)
    for _ in range(OF_ONE_MAX):
        await console.send("/login", {"token": "guess"}, X_Forwarded_For="203.0.113.9")

    token = {"token": world.gateway.admin_token}
    one = await console.send("/login", token, X_Forwarded_For="198.51.100.1, 203.0.113.9")
    other = await console.send("/login", token, X_Forwarded_For="203.0.113.10")

    told = [(each["outcome"], each["address"]) for each in world.events("console.entered")]
    assert (429, 303) == (one.status, other.status)
    assert [("waits", "203.0.113.9"), ("opened", "203.0.113.10")] == told[-2:]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/login", "/", "/admin/v1/openapi.json"])
async def test_a_page_of_others_reads_nothing_by_a_name_of_its_own(world: World, path: str) -> None:
    """It may have its name lead here: what comes by that name is refused, and told how to be taken."""
    async with world.session.get(world.gateway.admin_url + path, headers={"Host": "evil.test"}) as answer:
        document = await answer.json()

    assert (421, "host_not_known") == (answer.status, document["code"])
    assert "server.admin_hosts" in document["detail"]
    assert "default-src 'none'; frame-ancestors 'none'" == answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "10.9.8.7:8081", "localhost", "gateway-1:8081", "gate.example.com"])
async def test_probes_and_scrapes_are_answered(start_world: StartWorld, host: str) -> None:
    """By address, by the name of a service, and by a name that was said to be one."""
    world = await start_world(admin_hosts=["gate.example.com"])
    for path in ("/healthz", "/readyz", "/metrics", "/login"):
        async with world.session.get(world.gateway.admin_url + path, headers={"Host": host}) as answer:
            assert 200 == answer.status


async def test_a_probe_without_a_host_is_answered(world: World) -> None:
    """As HTTP/1.0 has it."""
    host, _, port = world.gateway.admin_url.rpartition("/")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")

    assert b" 200 OK" in (await reader.read()).split(b"\r\n")[0]
    writer.close()
