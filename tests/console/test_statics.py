"""Files are served from a table of what was read, and what comes from others is what they published."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from aiohttp import web

from gatekeeper.console.statics import FOLDER, PREFIX, TYPES, Statics
from tests.console.consoleworld import Console
from tests.system.world import World

VENDOR = FOLDER / "vendor"


async def test_a_file_is_kept_until_it_changes(world: World) -> None:
    """Its address has the hash of what it holds, so it may be kept for a year; whoever signs in needs it."""
    page = (await Console(world).ask("GET", "/login")).body.decode()
    url = page.partition('rel="stylesheet" href="')[2].partition('"')[0]

    answer = await Console(world).ask("GET", url)

    assert (200, "text/css; charset=utf-8") == (answer.status, answer.headers["Content-Type"])
    assert "public, max-age=31536000, immutable" == answer.headers["Cache-Control"]
    assert url == f"{PREFIX}{hashlib.sha256(answer.body).hexdigest()[:16]}/console.css"


@pytest.mark.parametrize(
    "path",
    [
        "../__init__.py",
        "..%2f..%2f__init__.py",
        "%2e%2e/%2e%2e/settings.py",
        "0000000000000000/console.css",
        "/etc/passwd",
        "console.css",
        "",
    ],
)
async def test_no_path_leads_out(world: World, path: str) -> None:
    """Nor does an old hash find the new file. What leads out on its way here is no page at all."""
    answer = await Console(world).ask("GET", PREFIX + path)

    assert answer.status in {401, 404}
    assert b"import" not in answer.body


def test_a_change_gives_another_address(tmp_path: Path) -> None:
    """And a file of an unknown kind is not served at all."""
    (tmp_path / "a.css").write_text("a {}")
    (tmp_path / "secret.pem").write_text("x")
    before = Statics(tmp_path).url("a.css")

    (tmp_path / "a.css").write_text("b {}")

    assert before != Statics(tmp_path).url("a.css")
    with pytest.raises(web.HTTPNotFound):
        Statics(tmp_path).answer(before)
    with pytest.raises(KeyError):
        Statics(tmp_path).url("secret.pem")


def test_what_others_wrote_is_as_they_published_it() -> None:
    """Each file is named with its hash, and each package with its version, licence and the registry's own integrity."""
    packages = json.loads((VENDOR / "vendored.json").read_text())["packages"]

    named = {file: digest for package in packages for file, digest in package["files"].items()}

    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "vendored.json"
    }
    assert there == named
    assert {"name", "version", "licence", "integrity", "source", "files"} == set.union(*map(set, packages))
    for package in packages:
        kind, _, digest = package["integrity"].partition("-")
        assert ("sha512", 64) == (kind, len(base64.b64decode(digest)))
        assert any(name.endswith(".LICENSE.txt") for name in package["files"])


def test_every_file_has_a_kind() -> None:
    """What lies there and would not be served is a mistake."""
    assert set() == {path.suffix for path in FOLDER.rglob("*") if path.is_file()} - set(TYPES)


def test_nothing_asks_other_hosts() -> None:
    """Our own scripts and styles load nothing from anywhere."""
    ours = [path for path in FOLDER.iterdir() if path.suffix in {".css", ".js"}]

    assert [] == [path.name for path in ours if "http://" in path.read_text() or "https://" in path.read_text()]
