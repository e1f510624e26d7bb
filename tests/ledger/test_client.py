"""Store addresses, and the settings no address may change."""

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection

from gatekeeper.ledger.address import SOCKET_TIMEOUT_S
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.errors import StoreRefused


@pytest.mark.parametrize(
    "url", ["redis://h:1/0", "rediss://h:1/0", "unix:///tmp/s", "redis://h?socket_timeout=99&protocol=3"]
)
def test_library_never_retries_and_never_waits_long(url: str):
    """Whatever the address says, retries are ours alone and every wait is bounded."""
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


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+sentinel://a,b/name", "name several servers"),
        ("redis+cluster://a,b", "name several servers"),
        ("redis://a,b", "redis\\+cluster://"),
        ("http://host", "use redis://"),
        ("host:6379", "use redis://"),
        ("", "use redis://"),
        ("redis://host:x", "cannot be read"),
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
