"""Store addresses, and the settings no address may change."""

from collections.abc import Callable

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from gatekeeper.ledger.address import SOCKET_TIMEOUT_S, read_address
from gatekeeper.ledger.client import MEASURED_EVERY, StoreClient, connect
from gatekeeper.ledger.errors import StoreRefused
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.cases import each_case


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://h:1/0", "unix:///tmp/s", "redis://h?db=3"])
def test_library_never_retries_and_never_waits_long(url: str):
    """Retries are ours alone, and every wait is bounded."""
    options = connect(url).connection_pool.connection_kwargs

    assert (0, SOCKET_TIMEOUT_S, 2, True) == (
        options["retry"]._retries, options["socket_timeout"], options["protocol"], options["decode_responses"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "connection", "place"),
    [
        ("rediss://:pw@host:7/3", SSLConnection, {"host": "host", "port": 7, "db": 3, "password": "pw"}),
        ("unix:///data/my%20dir/s", UnixDomainSocketConnection, {"path": "/data/my dir/s"}),
    ],
)
def test_address_is_read(url: str, connection: type, place: dict[str, object]):
    """TLS, passwords, databases and socket paths come from the address."""
    pool = connect(url).connection_pool

    assert connection is pool.connection_class
    assert place == {name: pool.connection_kwargs[name] for name in place}


@each_case(
    ("url", "message"),
    [
        ("redis+sentinel://a,b/name", "name several servers"),
        ("redis+cluster://a,b", "name several servers"),
        ("redis://a,b", "redis\\+cluster://"),
        ("http://host", "use redis://"),
        ("host:6379", "use redis://"),
        ("", "use redis://"),
        ("redis://host:x", "cannot be read"),
        ("redis://host/first", "number of a database"),
        ("redis://host?socket_timeout=99", "does not take 'socket_timeout'"),
        ("redis://host?tsl=true", "does not take 'tsl'"),
        ("rediss://host?ssl_cert_reqs=none", "ssl_cert_reqs has to be required"),
        ("rediss://host?ssl_cert_reqs=optional", "ssl_cert_reqs has to be required"),
        ("rediss://host?ssl_check_hostname=false", "ssl_check_hostname has to be true"),
        ("rediss://host?ssl_check_hostname=False&ssl_cert_reqs=required", "ssl_check_hostname has to be true"),
    ],
)
def test_other_addresses_are_refused(url: str, message: str):
    """An address we do not serve is refused with one that we do."""
    with pytest.raises(StoreRefused, match=message):
        connect(url)


def test_password_is_not_told():
    """A refusal does not repeat the address: it may hold a password."""
    with pytest.raises(StoreRefused) as caught:
        connect("http://user:secret@host")

    assert "secret" not in str(caught.value)


@each_case(
    ("url", "message"),
    [
        ("redis+sentinel://a,b", "name that the sentinels know"),
        ("redis+sentinel://a/name?db=x", "db has to be a number"),
        ("redis+sentinel://a/name?ssl=1", "does not take 'ssl'"),
        ("redis+cluster://a,b/3", "database 0 only"),
        ("redis+cluster://a,", "lacks a host"),
        ("redis+cluster://a:x", "cannot be read"),
        ("redis+cluster://a?tls=yes", "true or false"),
        ("redis://u:secret@a,b", "names one server"),
    ],
)
def test_wrong_address_of_several(url: str, message: str):
    """Each mistake is told with what to write, without the password."""
    with pytest.raises(StoreRefused, match=message) as caught:
        read_address(url)

    assert "secret" not in str(caught.value)


def test_cluster_address_is_read():
    """Hosts with their ports, the login and TLS; retries and time limits stay ours."""
    address = read_address("redis+cluster://me:p%40ss@h1:7000,[::1],h3:7002?tls=true")

    assert (("h1", 7000), ("::1", 6379), ("h3", 7002)) == address.seeds
    assert ("me", "p@ss", SSLConnection) == tuple(
        address.options[name] for name in ("username", "password", "connection_class")
    )
    assert (0, SOCKET_TIMEOUT_S) == (address.options["retry"]._retries, address.options["socket_timeout"])


def test_sentinel_address_is_read():
    """The login is the store's; the sentinels' own is given apart, for they mostly have none."""
    address = read_address("redis+sentinel://:pw@h1,h2:1/books?db=2&sentinel_password=other")

    assert (("h1", 26379), ("h2", 1), "books") == (*address.seeds, address.master)
    assert ("pw", 2, "other") == (
        address.options["password"], address.options["db"], address.asking["password"],
    )  # fmt: skip
    assert "pw" not in repr(address)


def test_every_change_of_servers_is_told():
    """Each connection tells which run of the server it is to; only another one than before is news, also an old one."""
    client, told = StoreClient(connect("redis://h:1/0")), list[str]()
    client.on_new_server = told.append
    for run_id in ("first", "first", "heir", "heir", "first", ""):
        client.masters[0].met(run_id)

    assert ["first", "heir", "first"] == told


async def test_one_call_in_so_many_is_measured(
    client: StoreClient, ledger: Ledger, team: TeamRecord, order: Callable[..., HoldOrder]
) -> None:
    """By its script's name, with the time until its answer; the others cost an addition."""
    told: list[tuple[str, float]] = []
    client.on_call = lambda name, took_s: told.append((name, took_s))
    for _ in range(2 * MEASURED_EVERY):
        await ledger.hold(order(amount=1))

    assert ["hold", "hold"] == [name for name, _ in told], team
    assert all(0 < took_s < 10 for _, took_s in told)
