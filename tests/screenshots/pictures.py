"""Pictures of the console: each page, light and dark, at a desk and on a phone, small enough for the documents."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.async_api import Browser, Page

COLOURS: Final = 192
"""Of a picture: the console has few, and text stays sharp."""

BYTES_MAX: Final = 200_000

HEIGHT_MAX_PX: Final = {"desktop": 2200, "phone": 1500}
"""Longer pages are cut: what goes on the same shows nothing new."""


@dataclass(frozen=True)
class Shot:
    """A page and the name of its pictures; `filled`: what is written into its fields."""

    name: str
    path: str
    filled: tuple[tuple[str, str], ...] = ()


SHOTS: Final = (
    Shot("login", "/login"),
    Shot("teams", "/"),
    Shot("team", "/teams/monsoon-films"),
    Shot("team-to-plan", "/teams/atelier-nord"),
    Shot("journal", "/teams/atelier-nord/journal"),
    Shot(
        "grant",
        "/teams/indie-games/grant",
        (
            ("credits", "2000"),
            ("id", "winter"),
            ("who", "lena"),
            ("why", "order 2026-131"),
        ),
    ),
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
                await page.set_viewport_size(options["viewport"])
                await page.goto(url + shot.path, wait_until="load")
                for field, value in shot.filled:
                    await page.fill(f"#{field}", value)
                picture = await _take(page, HEIGHT_MAX_PX[screen])
                made.append(_kept(picture, directory / f"{shot.name}-{screen}-{scheme}.png"))
                if shot.name == "login":
                    await page.fill("#token", token)
                    await page.click("#sign-in")
                    await page.wait_for_selector("#sign-out")
            await context.close()
    return made


async def _take(page: Page, height_max_px: int) -> bytes:
    """The whole page, or what of it fits, on a screen that is as high: what stays at its foot is at the foot."""
    if await page.locator("[data-burn]").count():
        await page.wait_for_selector(".chart canvas")
    if await page.locator("#live-state").count():
        await page.locator("#live-state.good").wait_for()
    size = page.viewport_size
    assert size is not None
    height = int(await page.evaluate("document.documentElement.scrollHeight"))
    await page.set_viewport_size({"width": size["width"], "height": min(height, height_max_px)})
    return await page.screenshot(animations="disabled", caret="hide")


def _kept(png: bytes, path: Path) -> Path:
    """Written with a palette that has the rare colours too: those of what is wrong."""
    written = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        written, "PNG", optimize=True
    )
    assert len(written.getvalue()) <= BYTES_MAX, (path, len(written.getvalue()))
    path.write_bytes(written.getvalue())
    return path
