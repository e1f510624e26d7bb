"""Under which names the admin port answers."""

import pytest
from pydantic import ValidationError

from gatekeeper.admin.hostnames import HostNames
from gatekeeper.sections import ServerSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost", "127.8.8.8")
ALWAYS = (
    "", "127.0.0.1:8081", "10.1.2.3:8081", "[::1]:8081", "[fe80::1]", "localhost:8081", "gateway-1:8081",
    "console.localhost:8081", "LOCALHOST", "localhost.:8081",
)  # fmt: skip
NAMES = ("gate.example.com", "gate.example.com:8081", "GATE.example.com.", "127.0.0.1.example.com", "a.localhost.b.com")


@pytest.mark.parametrize("host", ALWAYS)
@pytest.mark.parametrize("bound", [*LOOPBACK, "0.0.0.0"])
@pytest.mark.parametrize("named", [(), ("admin.example.com",)])
def test_what_nobody_can_register_is_always_taken(host: str, bound: str, named: tuple[str, ...]) -> None:
    """Addresses, as probes have them; names without a dot, as services of Compose are called; and no name at all."""
    assert HostNames.of(bound, named).refusal(host) is None


@pytest.mark.parametrize("host", NAMES)
@pytest.mark.parametrize("bound", LOOPBACK)
def test_at_this_machine_alone_other_names_are_somebody_elses(host: str, bound: str) -> None:
    """The refusal says what to do if it is not so."""
    told = HostNames.of(bound, ()).refusal(host) or ""

    assert "server.admin_hosts" in told


@pytest.mark.parametrize("host", NAMES)
@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "10.1.2.3", "admin.internal"])
def test_elsewhere_every_name_is_taken_until_some_are_named(host: str, bound: str) -> None:
    """What scrapes it and probes it has names that only its network knows."""
    assert HostNames.of(bound, ()).refusal(host) is None
    assert HostNames.of(bound, ("other.example.com",)).refusal(host) is not None


@pytest.mark.parametrize(
    ("host", "is_taken"),
    [
        ("gate.example.com:8081", True),
        ("Gate.Example.Com", True),
        ("gatekeeper-0.gatekeeper-admin.images.svc.cluster.local:8081", True),
        ("svc.cluster.local", False),
        ("evilsvc.cluster.local", False),
        ("example.com", False),
        ("x.gate.example.com", False),
    ],
)
def test_what_is_named_is_taken(host: str, is_taken: bool) -> None:
    """By its whole name, or, for all that is below one, by its end."""
    server = ServerSettings(admin_hosts=("GATE.example.com", ".svc.cluster.local"))

    assert is_taken == (HostNames.of(server.admin_host, server.admin_hosts).refusal(host) is None)


@pytest.mark.parametrize("named", [(), ("gate.example.com",)])
def test_the_name_that_the_port_is_bound_to_is_taken(named: tuple[str, ...]) -> None:
    """So the gateway asks itself how it is, whatever others it was given."""
    assert HostNames.of("Admin.internal", named).refusal("admin.internal:8081") is None


@pytest.mark.parametrize("stated", ["https://gate.example.com", "gate.example.com:8081", "*", "*.example.com", "", "."])
def test_what_is_no_name_is_refused(stated: str) -> None:
    """No address of a page, no port, no star."""
    with pytest.raises(ValidationError):
        ServerSettings(admin_hosts=(stated,))
