"""Somebody who looks at the console with a browser, and everything that the browser complained of meanwhile."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

from tests.browser.demoing import TOKEN, Demo

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

PATIENCE_MS = 15_000
"""For a machine that is busy with everything else."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Look:
    """A page of a browser. `complaints` has every error of the page and every request that went elsewhere."""

    demo: Demo
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Opens a path of the console and waits until all of it is there."""
        await self.page.goto(self.demo.admin_url + path, wait_until="load")

    async def sign_in(self, token: str = TOKEN) -> None:
        """By the form, as a person does."""
        await self.go("/login")
        await self.page.get_by_label("Admin token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()

    async def act(self, button: str, why: str, **fields: str) -> None:
        """Fills the sheet of an action in, with who and why, and sends it. Names of fields are their labels'."""
        for label, value in fields.items():
            await self.page.get_by_label(re.compile(f"^{label}( optional)?$")).fill(value)
        await self.page.get_by_label("Who").fill("lena")
        await self.page.get_by_label("Why").fill(why)
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def choose(self, setting: str, value: str) -> None:
        """Points at one value of a setting in the calculator."""
        await self.page.locator(f'#of-{setting} label:has(input[value="{value}"])').click()

    async def told(self, text: str) -> None:
        """The page says so after a deed."""
        await expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()

    async def last_entry(self, *words: str) -> None:
        """The first line of the journal on a team's page has these words."""
        line = self.page.locator("#journal tbody tr").first
        for word in words:
            await expect(line).to_contain_text(word)

    async def overflow_px(self) -> int:
        """By how much the page is wider than the screen."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def watch(self) -> None:
        """Listens to what the browser says, and to where it goes."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        # A page that says no has a status that the browser calls an error; the page is as it should be.
        wanted = message.type == "error" and "the server responded with a status of 4" in message.text
        if message.type in {"error", "warning"} and not wanted:
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme in {"http", "https"} and not request.url.startswith(self.demo.admin_url + "/"):
            self.complaints.append(f"elsewhere: {request.url}")


@asynccontextmanager
async def looking(browser: Browser, demo: Demo, **options: Any) -> AsyncIterator[Look]:
    """A window of its own, with no cookie yet; a desktop's unless something else is said."""
    context = await browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
    context.set_default_timeout(PATIENCE_MS)
    look = Look(demo, await context.new_page())
    look.watch()
    try:
        yield look
    finally:
        await context.close()


async def kept(page: Page, directory: Path, name: str) -> Path:
    """A picture of the whole page, for whoever reads about a failure."""
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # one call in a test
    path = directory / (re.sub(r"[^\w.-]+", "-", name) + ".png")
    await page.screenshot(path=path, full_page=True)
    return path
