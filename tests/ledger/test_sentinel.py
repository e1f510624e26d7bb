"""Sentinels: who is asked, who is believed, and what is refused before anything is written."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import open_client
from gatekeeper.ledger.errors import LedgerUnavailable, StoreRefused
from gatekeeper.ledger.opening import open_store
from gatekeeper.ledger.sentinel import MasterSource
from tests.ledger.topologies import MASTER, Pair, SentinelSet, happens

SHORT = Patience(budget_s=2, attempts=3, wait_s=0.01)


@pytest.fixture(scope="module")
def sentinels() -> Iterator[SentinelSet]:
    """A master without an append-only file, a replica, three sentinels."""
    started = SentinelSet(1)
    yield started
    started.close()


async def test_master_without_a_file_is_refused(sentinels: SentinelSet, tmp_path: Path):
    """A restart of such a master would empty its replicas too."""
    with pytest.raises(StoreRefused, match="set appendonly yes"):
        await open_store(sentinels.url, tmp_path, SHORT)


async def test_name_that_the_sentinels_do_not_know(sentinels: SentinelSet, tmp_path: Path):
    """The names they know are told."""
    with pytest.raises(StoreRefused, match=f"no master 'wrong', but {MASTER}"):
        await open_store(sentinels.url.replace(f"/{MASTER}", "/wrong"), tmp_path, SHORT)


async def test_store_in_place_of_a_sentinel(sentinels: SentinelSet, tmp_path: Path):
    """An address with the stores themselves is refused with what to write."""
    with pytest.raises(StoreRefused, match="the address names sentinels, not stores"):
        await open_store(f"redis+sentinel://{sentinels.master.place}/{MASTER}", tmp_path, SHORT)


async def test_sentinel_in_place_of_a_store(sentinels: SentinelSet, tmp_path: Path):
    """redis:// with a sentinel's address is refused with what to write."""
    with pytest.raises(StoreRefused, match=r"write redis\+sentinel://"):
        await open_store(f"redis://{sentinels.sentinels[0].place}", tmp_path, SHORT)


async def test_one_sentinel_that_answers_is_enough(sentinels: SentinelSet):
    """The next one is asked if the first is not there."""
    there = sentinels.sentinels[0].place
    client = await open_client(read_address(f"redis+sentinel://127.0.0.1:1,{there}/{MASTER}"), SHORT)
    reply = await client.command("PING")
    await client.close()

    assert "PONG" == reply


async def test_no_sentinel_at_all(tmp_path: Path):
    """Nobody to ask is a store that cannot be reached; nothing was executed."""
    client = await open_client(read_address(f"redis+sentinel://127.0.0.1:1/{MASTER}"), SHORT)
    with pytest.raises(LedgerUnavailable) as caught:
        await client.command("PING")
    await client.close()

    assert not caught.value.maybe_executed


async def test_server_that_is_no_master_gets_no_call(sentinels: SentinelSet):
    """Whatever a sentinel believes: a server that says it is a replica is not used, not even for reading."""
    pair = Pair()
    client = await open_client(read_address(sentinels.url), SHORT)
    source = client._one.source
    source._find = lambda: _told(("127.0.0.1", pair.replica.port))  # type: ignore[attr-defined]
    try:
        with pytest.raises(LedgerUnavailable, match="a server that is a slave"):
            await client.command("GET", "gk:schema")
    finally:
        await client.close()
        pair.close()


async def _told(address: tuple[str, int]) -> tuple[str, int]:
    return address


async def test_one_who_gives_up_in_the_greeting_leaves_no_connection():
    """A connection that nobody will be given is closed, not left open until somebody notices."""
    met, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    async def greet(_connection: object) -> None:
        met.set()
        await asyncio.Event().wait()

    source = MasterSource(read_address(f"redis+sentinel://127.0.0.1:1/{MASTER}"))
    source.on_connect(greet)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        source._find = lambda: _told(server.sockets[0].getsockname())  # type: ignore[method-assign]
        asking = asyncio.ensure_future(source.get_connection())
        await met.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(ended.wait(), 10)


async def test_orderly_fail_over_is_followed(sentinels: SentinelSet):
    """Told to fail over, the old master goes on for ten seconds as if it were one: it is left long before."""
    client = await open_client(read_address(sentinels.url))
    await client.command("SET", "gk:schema", "1")
    sentinels.sentinels[0].call("SENTINEL", "FAILOVER", MASTER)
    heir = sentinels.replicas[0]
    await happens(lambda: heir.info("replication")["role"] == "master", "promoted replica")
    run_id = heir.info("server")["run_id"]
    async with asyncio.timeout(6):
        while client.epoch("gk:schema") != run_id:
            await client.command("SET", "gk:schema", "2")
    was_master = sentinels.master.info("replication")["role"]
    await client.close()

    assert ("master", "2") == (was_master, heir.call("GET", "gk:schema"))
