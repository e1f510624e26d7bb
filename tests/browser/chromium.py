"""A real browser without a screen: Debian's Chromium, driven by Playwright. Nothing is downloaded for it."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

WITHOUT = (
    "no browser is here: apt-get install chromium (Debian, Ubuntu: chromium-browser), or your system's package of it"
)

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium_binary() -> str:
    """Where it is; the test is left out where it is not, or fails where none may be."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(WITHOUT)
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running browser. Root may not have a sandbox there; pages are our own."""
    arguments = ["--disable-gpu", "--font-render-hinting=none", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_binary(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()
