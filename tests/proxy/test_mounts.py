"""Links in answers begin with the address by which this caller reached the gateway."""

from types import SimpleNamespace
from typing import Any

from aiohttp.test_utils import make_mocked_request

from gatekeeper.proxy.mounts import mount_of
from gatekeeper.upstream.credential import Credential
from tests.cases import each_case


@each_case(
    ("public_url", "mounted_at", "host", "expected"),
    [
        (None, None, "gw:8080", "http://gw:8080/bfl"),
        (None, None, "[::1]:8080", "http://[::1]:8080/bfl"),
        ("https://gate.example.com", None, "gw:8080", "https://gate.example.com/bfl"),
        ("https://gate.example.com/ai", None, "gw:8080", "https://gate.example.com/ai/bfl"),
        (None, "bfl.example.com", "bfl.example.com", "http://bfl.example.com"),
        (None, "bfl.example.com", "BFL.example.com:8080", "http://BFL.example.com:8080"),
        ("https://gate.example.com", "bfl.example.com", "bfl.example.com", "https://bfl.example.com"),
        (None, "bfl.example.com", "gw:8080", "http://gw:8080/bfl"),
        (None, None, 'gw"><script>', "http://localhost/bfl"),
        (None, None, "user@gw", "http://localhost/bfl"),
    ],
)
def test_a_mount_is_where_the_caller_came_by(
    public_url: str | None, mounted_at: str | None, host: str, expected: str
) -> None:
    """The configured address, else the caller's `Host`; a host name of the provider's own has no prefix in its path."""
    gate: Any = SimpleNamespace(public_url=public_url)
    provider: Any = SimpleNamespace(name="bfl", host=mounted_at, bases={}, credential=Credential("none"))
    request = make_mocked_request("GET", "/", headers={"Host": host})

    assert expected == mount_of(gate, request, provider).here


def test_who_came_by_tls_stays_with_it() -> None:
    """Links lead to the port that answered."""
    gate: Any = SimpleNamespace(public_url=None)
    provider: Any = SimpleNamespace(name="bfl", host=None, bases={}, credential=Credential("none"))
    request = make_mocked_request("GET", "/", headers={"Host": "gw:8443"}, sslcontext=object())

    assert "https://gw:8443/bfl" == mount_of(gate, request, provider).here
