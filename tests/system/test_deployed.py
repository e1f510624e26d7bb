"""What docker-compose.yml sets up, without containers: its commands, its environment, its balancer, a real store."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.house.deployfiles import GIVEN, composed
from tests.ledger.topologies import ClusterOf, free_port, happens
from tests.system.deployed import Deployed, balancer, deployed, generate, metric
from tests.system.nginx import nginx_binary
from tests.system.process import write_config
from tests.system.storeserver import store_server
from tests.system.test_process import verify

STUDIO = {"STUDIO_KEY": "gk_the_process_of_the_tests", "GATEKEEPER_SERVER__LINE_WAIT_MAX_S": "30"}
"""However slow the machine of the tests is, nobody is refused for that."""
OPTIONS = composed()["services"]["store"]["command"][1:]
"""With what the compose file starts its store."""


@pytest.fixture(name="stack")
async def _stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(name="sandbox")
async def _sandbox() -> AsyncIterator[RunningSandbox]:
    sandbox = await start_sandbox(SandboxSettings())
    yield sandbox
    await sandbox.close()


@pytest.fixture(name="store")
async def _store(tmp_path: Path, stack: AsyncExitStack) -> str:
    port = free_port()
    await stack.enter_async_context(store_server(tmp_path / "store", port, *OPTIONS))
    return f"redis://127.0.0.1:{port}/0"


class Pair:
    """Both gateways of the compose file on one store, and the balancer in front of them."""

    def __init__(self, stack: AsyncExitStack, directory: Path, store: str, config: Path) -> None:
        self._stack, self._directory, self._store, self._config = stack, directory, store, config
        self.gateways: list[Deployed] = []
        self.url = ""

    async def start(self) -> None:
        self.gateways += await asyncio.gather(self.gateway(1), self.gateway(2))
        self.url = await self._stack.enter_async_context(balancer(self._directory, self.gateways))

    async def gateway(self, number: int, **environment: str) -> Deployed:
        """The gateway of that number, with its own data directory, which it may have had before."""
        directory, name = self._directory / f"gateway-{number}", f"gateway-{number}"
        running = deployed(name, self._store, directory, self._config, **STUDIO, **environment)
        return await self._stack.enter_async_context(running)


@pytest.fixture(name="pair")
async def _pair(tmp_path: Path, stack: AsyncExitStack, store: str, sandbox: RunningSandbox) -> Pair:
    pair = Pair(stack, tmp_path, store, write_config(tmp_path, sandbox.url, grant="100000"))
    await pair.start()
    return pair


def health(port: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What the container's health check does."""
    command = [sys.executable, "-m", "gatekeeper.health", *arguments]
    environment = os.environ | {"GATEKEEPER_SERVER__ADMIN_PORT": str(port)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def test_the_service_starts_with_the_shipped_configuration(
    tmp_path: Path, stack: AsyncExitStack, store: str
) -> None:
    """It is ready on a store that keeps what it acknowledges, takes its token, and writes to its volume alone."""
    gateway = await stack.enter_async_context(deployed("gateway-1", store, tmp_path / "one"))
    port = int(gateway.admin_url.rpartition(":")[2])
    token = {"Authorization": f"Bearer {GIVEN['GATEKEEPER_ADMIN_TOKEN']}"}
    async with aiohttp.ClientSession(headers=token) as session:
        async with session.get(f"{gateway.admin_url}/readyz") as response:
            ready = await response.json()
        async with session.get(f"{gateway.admin_url}/admin/v1/teams") as response:
            taken = response.status
    asked = await asyncio.to_thread(health, port)

    assert (True, "crash-safe", []) == (ready["ready"], ready["durability"], ready["problems"])
    assert (200, 0) == (taken, asked.returncode)
    assert ready["catalog"]["digest"] in asked.stdout
    assert ["data"] == [path.name for path in (tmp_path / "one").iterdir()]


async def test_the_health_check_tells_a_store_that_is_away_from_a_gateway_that_is(tmp_path: Path) -> None:
    """Not ready without its store, and alive all the same; and neither when nobody is there."""
    port, free = free_port(), free_port()
    async with (
        store_server(tmp_path / "store", port, *OPTIONS) as server,
        deployed("gateway-1", f"redis://127.0.0.1:{port}/0", tmp_path / "one") as gateway,
    ):
        admin = int(gateway.admin_url.rpartition(":")[2])
        server.kill()
        await server.wait()
        away = await asyncio.to_thread(health, admin)
        alive = await asyncio.to_thread(health, admin, "--alive")
    nobody = await asyncio.to_thread(health, free)

    assert (1, 0, 1) == (away.returncode, alive.returncode, nobody.returncode)
    assert '"ready":false' in away.stdout.replace(" ", "")
    assert "nobody answers" in nobody.stdout


async def test_both_gateways_serve_and_the_grant_is_spent_once(
    tmp_path: Path, stack: AsyncExitStack, store: str, sandbox: RunningSandbox
) -> None:
    """Credits for ten pictures, forty callers through nginx: ten are made, whoever of both is asked."""
    pair = Pair(stack, tmp_path, store, write_config(tmp_path, sandbox.url, grant="490"))
    await pair.start()

    statuses = await asyncio.gather(*(generate(pair.url) for _ in range(40)))

    admitted = [await metric(gateway, "gatekeeper_generations_admitted_total") for gateway in pair.gateways]
    asked = [await metric(gateway, "gatekeeper_requests_total") for gateway in pair.gateways]
    assert (10, 30) == (statuses.count(200), statuses.count(402))
    assert (10, 40, True) == (sum(admitted), sum(asked), all(asked))


async def test_a_gateway_that_is_killed_costs_nobody_else_anything(pair: Pair, tmp_path: Path) -> None:
    """What it had in flight is lost to its callers; everybody who asks afterwards is served by the other."""
    await generate(pair.url)
    pair.gateways[0].process.signal(signal.SIGKILL)
    await pair.gateways[0].process.ended()

    statuses = [await generate(pair.url) for _ in range(10)]

    assert [200] * 10 == statuses


async def test_a_rolling_restart_is_seen_by_nobody(pair: Pair, store: str, tmp_path: Path) -> None:
    """One after the other is told to end and started again with its own disk, while callers come and go: what is in
    flight finishes, what comes goes to the other, and the books are right."""
    asked: list[int] = []
    done = asyncio.Event()

    async def keep_asking() -> None:
        while not done.is_set():
            asked.append(await generate(pair.url, "a cat [sandbox: latency=0.1]"))

    callers = [asyncio.ensure_future(keep_asking()) for _ in range(6)]
    for number in (1, 2):
        old = pair.gateways[number - 1]
        old.process.signal(signal.SIGTERM)
        assert 0 == await old.process.ended()
        ports = {"GATEKEEPER_SERVER__PORT": str(old.port)}
        pair.gateways[number - 1] = await pair.gateway(number, **ports)
    await until_served(pair)
    done.set()
    await asyncio.gather(*callers)

    assert {200} == set(asked)
    assert len(asked) > 12
    await verify(written_for(tmp_path, store))


async def until_served(pair: Pair) -> None:
    """Waits (bounded) until both serve again."""
    for _ in range(600):
        if all([await metric(each, "gatekeeper_generations_admitted_total") for each in pair.gateways]):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("one of them is not asked any more")


def written_for(directory: Path, store: str) -> Path:
    """The configuration of the tests, with the store's address in it."""
    path = directory / "gatekeeper.yaml"
    text = path.read_text().replace('"store":{', f'"store":{{"url":"{store}",')
    path.write_text(text)
    return path


def test_nginx_takes_the_balancers_configuration(tmp_path: Path) -> None:
    """As it is shipped, but for names that only Docker knows, and places that a test may write to."""
    text = (Path(__file__).parents[2] / "config/balancer/nginx.conf").read_text()
    path = tmp_path / "nginx.conf"
    path.write_text(text.replace("gateway-", "127.0.0.").replace("/tmp/", f"{tmp_path}/"))
    command = [nginx_binary(), "-t", "-p", str(tmp_path), "-c", str(path), "-e", str(tmp_path / "error.log")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


async def test_the_cluster_profile_fails_over_with_nothing_lost(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Its gateway's environment, on three masters and three replicas with the options of its nodes: a master is killed,
    its replica takes its place, and when it is back as Docker brings it back, generations are made again."""
    options = [word for word in composed()["services"]["node-1"]["command"][1:] if "cluster" not in word][1:]
    config = write_config(tmp_path, sandbox.url, grant="100000")
    cluster = await asyncio.to_thread(ClusterOf, 3, 1, *options)
    try:
        stated = composed(STORE_URL=cluster.url, WAIT_REPLICAS="1")["services"]["gateway-1"]["environment"]
        known = {name: str(value) for name, value in stated.items() if name.startswith("GATEKEEPER_STORE")}
        async with deployed("gateway-1", cluster.url, tmp_path / "one", config, **STUDIO, **known) as gateway:
            before = [await generate(gateway.url) for _ in range(3)]
            slot = int(cluster.servers[0].call("CLUSTER", "KEYSLOT", "gk:{studio}:bal"))
            killed = cluster.master_of(slot)
            killed.kill()
            await happens(lambda: cluster.master_of(slot) is not killed, "another master")
            await asyncio.to_thread(killed.restart)
            after = await until_made(gateway)
            async with aiohttp.ClientSession() as session, session.get(f"{gateway.admin_url}/readyz") as response:
                grade = (await response.json())["durability"]
            await verify(written_for(tmp_path, cluster.url))
    finally:
        await asyncio.to_thread(cluster.close)

    assert ([200] * 3, 200, "failover-likely") == (before, after, grade)


async def until_made(gateway: Deployed) -> int:
    """Asks until a generation is made (bounded): seconds of 503 are what a fail-over takes."""
    for _ in range(200):
        status = await generate(gateway.url)
        if status == 200:
            return status
        await asyncio.sleep(0.1)
    return 0
