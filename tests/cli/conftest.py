"""A place of its own for every command: an empty directory, and no settings in the environment."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatekeeper.cli.root import make_app
from gatekeeper.ledger.opening import EMBEDDED, open_store
from tests.cli.scene import CATALOG, CONFIG, TEAMS, InStore, Run, Work
from tests.cli.storescene import a_server, emptied


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of every command: empty, with a terminal of 100 columns."""
    for name in [name for name in os.environ if name.startswith("GATEKEEPER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("CI_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def configured(home: Path) -> Path:
    """The directory with a config, its catalog and a teams file."""
    (home / "gatekeeper.yaml").write_text(CONFIG)
    (home / "catalog.yaml").write_text(CATALOG)
    (home / "teams.yaml").write_text(TEAMS)
    return home


@pytest.fixture
def run() -> Run:
    """Runs a command in this process; the result has exit code, stdout and stderr."""

    def invoke(*args: str, **env: str) -> Result:
        return CliRunner().invoke(make_app(args), list(args), env=env)

    return invoke


@pytest.fixture
def in_store(configured: Path) -> InStore:
    """Does something with the store that the commands work on."""

    async def work(do: Work) -> None:
        store = await open_store(EMBEDDED, configured / "data")
        try:
            await do(store)
        finally:
            await store.close()

    return lambda do: asyncio.run(work(do))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of a real server that lives as long as the tests."""
    with a_server() as url:
        yield url


@pytest.fixture
def store_url(server_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store, which every command of the test works on."""
    emptied(server_url)
    monkeypatch.setenv("GATEKEEPER_STORE__URL", server_url)
    return server_url
