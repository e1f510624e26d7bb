"""The way to a store behind TLS: the same line on the transport that the library has opened."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect, open_client
from gatekeeper.ledger.errors import LedgerUnavailable, StoreRefused
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.line import OwnLine, line_of
from gatekeeper.ledger.records import Held, HoldOrder, SettleStatus
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.certificates import Authority, Pair
from tests.ledger.conftest import fresh_id
from tests.ledger.topologies import Server, until
from tests.system.tlsrelay import CERTIFICATE, TlsRelay

AT_ONCE = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server on a port."""
    server = Server(tmp_path_factory.mktemp("store"))
    until(server.redis.ping, "server")
    yield server
    server.close()


@pytest.fixture
async def place(server: Server) -> AsyncIterator[str]:
    """Where a front door speaks TLS for it."""
    relay = TlsRelay()
    relay.target = f"redis://{server.place}"
    await relay.start()
    yield relay.url.removeprefix("https://")
    await relay.close()


@pytest.fixture
async def client(place: str) -> AsyncIterator[StoreClient]:
    """A client that knows who signed its certificate."""
    client = await open_client(read_address(f"rediss://{place}/0?ssl_ca_certs={CERTIFICATE}"))
    await client.command("FLUSHALL")
    yield client
    await client.close()


def order(amount: int = 1, meta: str = "") -> HoldOrder:
    """A hold of the team."""
    return HoldOrder(fresh_id(), "a", amount, ttl_ms=60_000, meta=meta)


async def funded(client: StoreClient) -> Ledger:
    """A ledger with a team that has a million micro-credits."""
    ledger = Ledger(client)
    await ledger.put_team(TeamRecord("a"))
    await ledger.grant("a", "opening", 1_000_000)
    return ledger


async def test_a_transport_of_tls_is_taken_over_too(place: str) -> None:
    """The quick way is the usual one here as well, and what it sends is encrypted."""
    redis = connect(f"rediss://{place}/0?ssl_ca_certs={CERTIFICATE}")
    line = line_of(await redis.connection_pool.get_connection())
    assert isinstance(line, OwnLine)
    encrypted = line._transport.get_extra_info("cipher")
    line.cut()
    await line.connection.disconnect(nowait=True)
    await redis.aclose()

    assert encrypted


async def test_what_takes_many_records_comes_whole(client: StoreClient) -> None:
    """A record of TLS holds 16 KiB at most: a pipeline of a megabyte, and its replies, are many of them."""
    ledger = await funded(client)
    held = await asyncio.gather(*(ledger.hold(order(10, "m" * 4000)) for _ in range(AT_ONCE)))
    ends = await asyncio.gather(*(ledger.settle(each.hold_id, "a", 7) for each in held if isinstance(each, Held)))

    assert [SettleStatus.SETTLED] * AT_ONCE == [each.status for each in ends]
    assert (7 * AT_ONCE, 0) == ((balance := await ledger.balance("a")).charged, balance.held)
    assert AT_ONCE == sum(len(entry.fields["meta"]) == 4000 for entry in await ledger.journal("a", count=1000))


async def test_a_connection_that_is_closed_meanwhile_loses_and_doubles_nothing(
    client: StoreClient, server: Server
) -> None:
    """What got no answer is sent again on a new one, under the same id."""
    ledger = await funded(client)
    holds = [asyncio.create_task(ledger.hold(order(10))) for _ in range(AT_ONCE)]
    for _ in range(5):
        await asyncio.sleep(0)
        await asyncio.to_thread(server.call, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    results = await asyncio.gather(*holds)

    assert {Held} == {type(each) for each in results}
    assert 10 * AT_ONCE == (await ledger.balance("a")).held


async def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(place: str) -> None:
    """Then nothing was written, and the error says so."""
    patience = Patience(budget_s=1, attempts=1)
    client = await open_client(read_address(f"rediss://{place}/0"), patience)
    with pytest.raises(LedgerUnavailable) as caught:
        await Ledger(client).hold(order())
    await client.close()

    assert not caught.value.maybe_executed


async def heard_from(server: Server, pair: Pair, root: Path, url: str) -> str:
    """What a store with this certificate answers to whoever believes that authority; why not, where it is not asked."""
    relay = TlsRelay(pair.certificate, pair.key)
    relay.target = f"redis://{server.place}"
    await relay.start()
    port = relay.url.rpartition(":")[2]
    client = await open_client(read_address(url.format(port=port, root=root)), Patience(budget_s=1, attempts=1))
    try:
        return str(await client.command("PING"))
    except LedgerUnavailable as error:
        return str(error)
    finally:
        await client.close()
        await relay.close()


PLAIN = "rediss://127.0.0.1:{port}/0?ssl_ca_certs={root}"


async def test_an_authority_of_ones_own_is_believed(server: Server, tmp_path: Path) -> None:
    """Its file is named in the address."""
    authority = Authority(tmp_path)

    assert "PONG" == await heard_from(server, authority.sign(), authority.root, PLAIN)


async def test_a_certificate_of_another_name_is_refused(server: Server, tmp_path: Path) -> None:
    """Though its authority is believed: any other server of the house would have one."""
    authority = Authority(tmp_path)
    other = authority.sign(host="printer.example")

    assert "certificate" in await heard_from(server, other, authority.root, PLAIN)


async def test_a_certificate_that_has_ended_is_refused(server: Server, tmp_path: Path) -> None:
    """Its key may be anybody's by now."""
    authority = Authority(tmp_path)
    ended = authority.sign(lasts=-timedelta(days=1))

    assert "certificate" in await heard_from(server, ended, authority.root, PLAIN)


async def test_a_certificate_of_another_authority_is_refused(server: Server, tmp_path: Path) -> None:
    """Whatever name is in it."""
    (tmp_path / "other").mkdir()
    pair, root = Authority(tmp_path).sign(), Authority(tmp_path / "other").root

    assert "certificate" in await heard_from(server, pair, root, PLAIN)


@pytest.mark.parametrize("url", ["redis+cluster://h:1?{files}", "redis+sentinel://h:1/name?{files}"])
def test_many_servers_are_verified_too(url: str) -> None:
    """With the same files as one server; without tls=true they are no address."""
    address = read_address(url.format(files="tls=true&ssl_ca_certs=/a.pem"))
    with pytest.raises(StoreRefused, match="needs tls=true"):
        read_address(url.format(files="ssl_ca_certs=/a.pem"))

    assert "/a.pem" == address.options["ssl_ca_certs"]
    assert {"ssl_cert_reqs", "ssl_check_hostname"}.isdisjoint(address.options)
