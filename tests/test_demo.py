"""What the demo mounts, and what it prints."""

import subprocess
from pathlib import Path

from pydantic import SecretStr

from gatekeeper.admin.token import VARIABLE, admin_token, shell_word
from gatekeeper.demo import banner, demo_settings
from gatekeeper.settings import load_settings


def test_only_who_needs_one_has_a_host_name() -> None:
    """BFL's SDK drops a path; every other provider stays at the address that the banner says."""
    providers = demo_settings(load_settings(None), "http://127.0.0.1:1", Path("scratch")).providers

    assert {"bfl": "bfl.localhost"} == {name: each.host for name, each in providers.items() if each.host is not None}


def test_the_banner_says_where_everything_is() -> None:
    """Both planes, the store, the sandbox, and where the admin token is."""
    addresses = (
        "http://data.test",
        "http://admin.test",
        "unix:///store",
        "http://sandbox.test",
        "$(cat /x/admin-token)",
    )

    printed = banner(*addresses)

    assert all(address in printed for address in addresses)


def test_a_shell_finds_the_admin_token(tmp_path: Path) -> None:
    """In the file that was made for it, whatever its path is, else in the variable; the token is in no command."""
    made = admin_token(None, tmp_path / "with space")
    words = [shell_word(stated, tmp_path / "with space") for stated in (None, SecretStr(" "), SecretStr("gka_mine"))]

    found = [
        subprocess.run(
            ["sh", "-c", f'printf %s "{word}"'], env={VARIABLE: "gka_mine"}, stdout=subprocess.PIPE, check=True
        )
        for word in words
    ]

    assert [made, made, "gka_mine"] == [each.stdout.decode() for each in found]
    assert [] == [word for word in words if "gka_" in word]
