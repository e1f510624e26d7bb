"""One demo and one browser for all tests of this folder; a window of its own for each, pictured where it fails."""

import inspect
import tempfile
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import chromium
from tests.browser.demoing import Demo, running_demo
from tests.browser.looking import Look, kept, looking

FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever shares a browser shares the loop it runs in."""
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here) and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers that a test failed, for the window to be pictured before it closes."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo; each test makes teams of its own in it."""
    async with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(browser: Browser, demo: Demo, request: pytest.FixtureRequest) -> AsyncIterator[Look]:
    """A window of somebody who has not signed in. Whatever the browser complained of fails the test."""
    async with looking(browser, demo, **getattr(request, "param", {})) as look:
        yield look
        if request.node.stash.get(FAILED, False):
            directory = Path(tempfile.gettempdir()) / "gatekeeper-browser"
            print(f"what it looked like: {await kept(look.page, directory, request.node.name)}")
        assert [] == look.complaints


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def signed_in(browser: Browser, demo: Demo) -> list[Any]:
    """The cookie of somebody who signed in by the form."""
    async with looking(browser, demo) as look:
        await look.sign_in()
        await look.page.wait_for_selector("#sign-out")
        return [*await look.page.context.cookies()]


@pytest_asyncio.fixture(loop_scope="session")
async def look(stranger: Look, signed_in: list[Any]) -> Look:
    """The same, of somebody who has signed in."""
    await stranger.page.context.add_cookies(signed_in)
    await stranger.go("/")
    return stranger
