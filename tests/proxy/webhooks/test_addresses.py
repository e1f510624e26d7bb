"""Whom the gateway calls: the internet over https, and nobody who lives next door to it."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gatekeeper.admin.teams_words import ALERT_URL_CHARS_MAX
from gatekeeper.proxy.webhooks.addresses import (
    URL_CHARS_MAX,
    Allowed,
    GuardedResolver,
    NotCallable,
    check_url,
    is_public,
    leads_inside,
)
from tests.cases import each_case

ANYBODY = Allowed(ports=frozenset({443, 8443}))

PRIVATE = (
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1",
    "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255",
          "2606:4700::1111", "2a00:1450:4001::1")  # fmt: skip


class FakeResolver(AbstractResolver):
    """Resolves every name to the addresses given."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        rest: Any = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(**{**rest, "host": address}) for address in self.addresses]

    async def close(self) -> None:
        """Nothing is open."""


@each_case("address", PRIVATE)
def test_private_and_special_addresses_are_not_public(address: str) -> None:
    """Loopback, link-local, private, shared, multicast, documentation, and IPv4 wrapped in IPv6."""
    assert not is_public(ip_address(address))


@each_case("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """And so are those just outside of a private range."""
    assert is_public(ip_address(address))


@each_case(
    "url",
    [
        "https://example.com",
        "https://example.com/hook?job=7&x=%20",
        "https://example.com:8443/hook",
        "https://1.1.1.1/hook",
        "https://[2606:4700::1111]/hook",
    ],
)
def test_the_internet_over_https_may_be_called(url: str) -> None:
    """On the ports of web servers."""
    assert check_url(url, ANYBODY).geturl() == url


@each_case(
    ("url", "reason"),
    [
        ("http://example.com/hook", "must begin with https"),
        ("ftp://example.com/hook", "must begin with https"),
        ("//example.com/hook", "must begin with https"),
        ("https:///hook", "name a host"),
        ("https://", "name a host"),
        ("https://example.com:22/", "port 22"),
        ("https://example.com:443443/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://user:pass@example.com/", "names a user"),
        ("https://user@example.com/", "names a user"),
        ("https://example.com@127.0.0.1/", "names a user"),
        ("https://example.com/#fragment", "fragment"),
        ("https://example.com/a b", "characters"),
        ("https://exämple.com/", "characters"),
        ("https://example.com\\@127.0.0.1/", "characters"),
        ("https://example.com/\r\nX-Header: 1", "characters"),
        ("https://127.0.0.1/", "private network"),
        ("https://[::1]/", "private network"),
        ("https://[::ffff:169.254.169.254]/", "private network"),
        ("https://2130706433/", "is a number"),
        ("https://127.1/", "is a number"),
        ("https://0x7f000001/", "is a number"),
        ("https://0177.0.0.1/", "is a number"),
        ("https://127.0.0.1./", "is a number"),
        ("https://169.254.169.254/latest/meta-data", "private network"),
        ("https://example.com/" + "x" * URL_CHARS_MAX, "characters"),
    ],
)
def test_what_may_not_be_called_is_refused_with_its_reason(url: str, reason: str) -> None:
    """Before anything is held, as far as the address itself shows it."""
    with pytest.raises(NotCallable, match=reason):
        check_url(url, ANYBODY)


def test_a_reason_does_not_repeat_the_address() -> None:
    """Path and query may be a secret."""
    with pytest.raises(NotCallable) as refused:
        check_url("http://example.com/hook?token=s3cret", ANYBODY)

    assert "s3cret" not in str(refused.value)
    assert "example" not in str(refused.value)


@each_case(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9999/hook"),
        ("hooks.internal", "http://hooks.internal/hook"),
        ("hooks.internal:9999", "http://hooks.internal:9999/hook"),
        ("::1", "http://[::1]:8000/hook"),
        ("[::1]:8000", "http://[::1]:8000/hook"),
    ],
)
def test_a_host_that_the_settings_name_may_be_called(host: str, url: str) -> None:
    """Over http, on any port or the named one, at a private address."""
    assert check_url(url, Allowed(frozenset({host}))).geturl() == url


@pytest.mark.parametrize("url", ["http://hooks.internal:9998/", "http://other.internal:9999/"])
def test_a_host_is_allowed_with_its_port(url: str) -> None:
    """Another port, or another host at the same one, is not."""
    with pytest.raises(NotCallable):
        check_url(url, Allowed(frozenset({"hooks.internal:9999"})))


def test_private_addresses_may_be_allowed_as_a_whole() -> None:
    """Still over https and on the usual ports only."""
    allowed = Allowed(private=True)

    assert "10.0.0.1" == check_url("https://10.0.0.1/hook", allowed).hostname
    with pytest.raises(NotCallable):
        check_url("http://10.0.0.1/hook", allowed)


@each_case("address", [*PRIVATE, "fe80::1%eth0"])
async def test_a_name_that_leads_inside_leads_nowhere(address: str) -> None:
    """Whatever it led to when the request came: it is looked at for every connection."""
    resolver = GuardedResolver(FakeResolver(address), ANYBODY)

    with pytest.raises(OSError, match="private network"):
        await resolver.resolve("rebound.example.com", 443)


async def test_of_several_addresses_the_public_ones_are_called() -> None:
    """A name that leads outside and inside leads outside."""
    resolver = GuardedResolver(FakeResolver("10.0.0.1", "8.8.8.8", "::1"), ANYBODY)

    assert ["8.8.8.8"] == [each["host"] for each in await resolver.resolve("both.example.com", 443)]


@pytest.mark.parametrize("allowed", [Allowed(frozenset({"hooks.internal"})), Allowed(private=True)])
async def test_allowed_names_may_lead_inside(allowed: Allowed) -> None:
    """One that the settings name, or any if private addresses are allowed."""
    resolver = GuardedResolver(FakeResolver("10.0.0.1"), allowed)

    assert ["10.0.0.1"] == [each["host"] for each in await resolver.resolve("hooks.internal", 443)]


@each_case(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000/x", True),
        ("http://localhost:9000", True),
        ("http://sandbox:9000", True),
        ("http://render.internal", True),
        ("https://api.replicate.com", False),
        ("https://1.1.1.1", False),
    ],
)
def test_a_provider_of_ones_own_network_is_known_by_its_address(url: str, expected: bool) -> None:
    """Such a provider can call a gateway that has no public address."""
    assert expected == leads_inside(url)


def test_an_alert_address_is_as_long_as_any() -> None:
    """What a team may state as its alert address is not too long to be called."""
    assert URL_CHARS_MAX == ALERT_URL_CHARS_MAX
