"""What the demo mounts, and what it prints."""

from pathlib import Path

from gatekeeper.demo import banner, demo_settings
from gatekeeper.settings import load_settings


def test_only_who_needs_one_has_a_host_name() -> None:
    """BFL's SDK drops a path; every other provider stays at the address that the banner says."""
    providers = demo_settings(load_settings(None), "http://127.0.0.1:1", Path("scratch")).providers

    assert {"bfl": "bfl.localhost"} == {name: each.host for name, each in providers.items() if each.host is not None}


def test_the_banner_says_where_everything_is() -> None:
    """Both planes, the store and the sandbox."""
    addresses = ("http://data.test", "http://admin.test", "unix:///store", "http://sandbox.test")

    printed = banner(*addresses)

    assert all(address in printed for address in addresses)
