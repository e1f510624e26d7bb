"""Pictures of the console: each page, light and dark, at a desk and on a phone, small enough for the documents."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.async_api import Browser, Page

COLOURS: Final = 96
"""Of a picture: the console has few, and text stays sharp."""

BYTES_MAX: Final = 200_000

HEIGHT_MAX_PX: Final = 2400
"""Longer pages are cut: what goes on the same shows nothing new."""


@dataclass(frozen=True)
class Shot:
    """A page and the name of its pictures. `press`: what is clicked before."""

    name: str
    path: str
    press: str = ""


SHOTS: Final = (
    Shot("login", "/login"),
    Shot("teams", "/"),
    Shot("team", "/teams/monsoon-films"),
    Shot("limits", "/teams/atelier-nord"),
    Shot("journal", "/teams/atelier-nord/journal"),
    Shot("grant", "/teams/indie-games/grant"),
    Shot("refusals", "/refusals"),
    Shot("jobs", "/jobs"),
    Shot("catalog", "/catalog"),
    Shot("calculator", "/catalog/nano-banana-pro?resolution=4K&aspect_ratio=16:9"),
)

SCREENS: Final[dict[str, dict[str, Any]]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}

SCHEMES: Final = ("light", "dark")


async def take_all(browser: Browser, url: str, token: str, directory: Path) -> list[Path]:
    """All of them; the files, in order."""
    made = []
    for screen, options in SCREENS.items():
        for scheme in SCHEMES:
            context = await browser.new_context(**options, color_scheme=scheme, reduced_motion="reduce", locale="en")
            page = await context.new_page()
            for shot in SHOTS:
                await page.goto(url + shot.path, wait_until="load")
                made.append(await _take(page, directory / f"{shot.name}-{screen}-{scheme}.png"))
                if shot.name == "login":
                    await page.fill("#token", token)
                    await page.click("#sign-in")
                    await page.wait_for_selector("#sign-out")
            await context.close()
    return made


async def _take(page: Page, path: Path) -> Path:
    if await page.locator("[data-burn]").count():
        await page.wait_for_selector(".chart canvas")
    if await page.locator("#live-state").count():
        await page.locator("#live-state.good").wait_for()
    raw = await page.screenshot(full_page=True, animations="disabled", caret="hide")
    path.write_bytes(small(raw))
    assert path.stat().st_size <= BYTES_MAX, (path, path.stat().st_size)
    return path


def small(png: bytes) -> bytes:
    """The same with a palette, and no longer than a page of the documents bears."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture = picture.crop((0, 0, picture.width, min(picture.height, HEIGHT_MAX_PX)))
    written = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()
