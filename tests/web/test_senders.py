"""Whose word is taken for where a request comes from."""

from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict
from pydantic import ValidationError

from gatekeeper.sections import ServerSettings
from gatekeeper.web.senders import PROXIES_MAX, Senders

PROXY, OTHER_PROXY, CALLER = "10.0.3.7", "10.0.3.8", "203.0.113.9"


def request(peer: str | None, *forwarded: str) -> Any:
    """A request over a connection with this other end, with these headers."""
    headers = CIMultiDict([("x-forwarded-for", each) for each in forwarded])
    return SimpleNamespace(remote=peer, headers=headers)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, (CALLER,), CALLER),
        (PROXY, (f"198.51.100.1, {CALLER}",), CALLER),
        (PROXY, (f"{CALLER}, {OTHER_PROXY}",), CALLER),
        (PROXY, ("198.51.100.1", f"{CALLER} ,{OTHER_PROXY}"), CALLER),
        (PROXY, (f"{CALLER}:50123",), CALLER),
        (PROXY, ("[2001:db8::1]:443",), "2001:db8::1"),
        (PROXY, ("2001:db8::1",), "2001:db8::1"),
        (f"::ffff:{PROXY}", (f"::ffff:{CALLER}",), CALLER),
        (PROXY, (), PROXY),
        (PROXY, ("unknown",), PROXY),
        (PROXY, (f"{CALLER}, unknown",), PROXY),
        (PROXY, (f"{CALLER},",), PROXY),
        (PROXY, (f"{CALLER},{OTHER_PROXY}:443, {PROXY}",), CALLER),
        (PROXY, (OTHER_PROXY,), PROXY),
        (PROXY, (",".join([CALLER, *[OTHER_PROXY] * PROXIES_MAX]),), PROXY),
        (PROXY, (",".join([CALLER, *[OTHER_PROXY] * (PROXIES_MAX - 1)]),), CALLER),
        (CALLER, ("198.51.100.1",), CALLER),
        (None, (CALLER,), ""),
    ],
)
def test_the_last_that_is_no_proxy_of_ours(peer: str | None, forwarded: tuple[str, ...], address: str) -> None:
    """What stands before it anybody may have written; from who is no proxy, and of what is no address, nothing is
    believed."""
    senders = Senders(["10.0.3.0/24"])

    assert address == senders.address_of(request(peer, *forwarded))


def test_nobody_is_trusted_unasked() -> None:
    """Without the setting an address is that of the connection."""
    assert PROXY == Senders(ServerSettings().trusted_proxies).address_of(request(PROXY, CALLER))


@pytest.mark.parametrize("stated", ["10.0.3.7/24", "proxy.internal", "10.0.3.0/33", "0.0.0.0/0", "::/0", ""])
def test_what_names_no_proxies_is_refused(stated: str) -> None:
    """A name, a network with more in it than it has, and everybody."""
    with pytest.raises(ValidationError):
        ServerSettings(trusted_proxies=(stated,))


def test_an_address_is_a_network_of_one() -> None:
    """Either may be written."""
    assert ("10.0.3.7/32", "fd00::/8") == ServerSettings(trusted_proxies=("10.0.3.7", "fd00::/8")).trusted_proxies
