"""At which address the console says that the data plane is."""

import pytest

from gatekeeper.console.dataport import data_port_of
from gatekeeper.settings import load_settings


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({}, "http://gate:8080"),
        ({"tls_certificate": "a.pem", "tls_key": "a.key"}, "https://gate:8080"),
        ({"admin_tls_certificate": "a.pem", "admin_tls_key": "a.key"}, "http://gate:8080"),
        ({"tls_certificate": "a.pem", "tls_key": "a.key", "public_url": "https://ai.example"}, "https://ai.example"),
    ],
)
def test_snippets_lead_to_the_port_as_it_speaks(server: dict[str, str], expected: str) -> None:
    """By TLS where the data port has a certificate, whatever the console's own port has."""
    assert expected == data_port_of(load_settings(None, {"server": server})).url("gate:8081")
