"""Everybody can use it: axe finds nothing serious, the keyboard suffices, and a phone is wide enough.

What axe cannot judge it leaves open, and so do these tests: it is a floor, not a proof.
"""

import base64
import hashlib
import json
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.demoing import Demo
from tests.browser.looking import PHONE, Look, looking

AXE = Path(__file__).parent / "axe"

PAGES = (
    "/",
    "/teams/everything",
    "/teams/everything/journal",
    "/teams/everything/grant",
    "/teams/everything/keys/new",
    "/teams/nothing",
    "/refusals",
    "/jobs",
    "/catalog",
    "/catalog/nano-banana-2",
    "/catalog/veo-3.1",
    "/teams/nobody",
)
"""Every page there is, full and empty, a sheet, and one that says no."""

PHONE_OPTIONS = {"viewport": PHONE, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}

_prepared: set[str] = set()


@pytest_asyncio.fixture(name="furnished", loop_scope="session")
async def _furnished(look: Look) -> Look:
    """The console of a gateway in which there is one of everything."""
    if "everything" not in _prepared:
        _prepared.add("everything")
        key = await look.demo.team("everything", organisation="acme")
        limit = {"scope": "team", "per": "month", "credits": 60}
        assert 200 == (await look.demo.generate(key))[0]
        await look.demo.film(key)
        await look.demo.admin("PUT", "/teams/everything/limits", {"limits": [limit]})
        for changes in ({"aspect_ratio": "2:1"}, {"resolution": "4K"}):
            assert (await look.demo.generate(key, **changes))[0] in {402, 422, 429}
        await look.demo.team("nothing", 0)
    return look


async def judged(look: Look, rules: str = "") -> list[str]:
    """What axe finds that is serious: rule and element. Its source runs by the debugger's door, so the policy of the
    page stays as it is."""
    await look.page.evaluate((AXE / "axe.min.js").read_text())
    only = f"{{type: 'rule', values: [{rules!r}]}}" if rules else "{type: 'tag', values: " + json.dumps(TAGS) + "}"
    found = await look.page.evaluate(f"axe.run(document, {{runOnly: {only}, resultTypes: ['violations']}})")
    serious = [each for each in found["violations"] if each["impact"] in {"serious", "critical"}]
    return [f"{each['id']}: {node['html'][:200]}" for each in serious for node in each["nodes"]]


TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("path", PAGES)
async def test_axe_finds_nothing_serious(furnished: Look, path: str) -> None:
    """All of its rules in the light scheme, and its rule of contrast in the dark one."""
    await furnished.page.emulate_media(color_scheme="light")
    await furnished.go(path)
    light = await judged(furnished)

    await furnished.page.emulate_media(color_scheme="dark")

    assert ([], []) == (light, await judged(furnished, "color-contrast"))


async def test_axe_finds_nothing_serious_where_one_signs_in(stranger: Look) -> None:
    """As it is at first, and when it has said no."""
    await stranger.go("/login")
    first = await judged(stranger)
    await stranger.sign_in("gka_guessed")
    await expect(stranger.page.get_by_role("alert")).to_be_visible()

    assert ([], []) == (first, await judged(stranger))


async def test_axe_finds_nothing_serious_in_a_sheet_that_says_no(furnished: Look) -> None:
    """What is wrong is tied to its field."""
    await furnished.go("/teams/everything/limits/set")
    await furnished.page.locator("#do").click()
    await expect(furnished.page.get_by_role("alert")).to_be_visible()

    assert [] == await judged(furnished)


async def test_axe_would_find_something(stranger: Look) -> None:
    """It is awake: a field without its label is told."""
    await stranger.go("/login")
    await stranger.page.evaluate("document.querySelector('label').remove()")

    assert ["label"] == [each.partition(":")[0] for each in await judged(stranger)]


def test_axe_is_as_it_was_published() -> None:
    """Its files have the hashes that are written beside them, and its licence is there."""
    (package,) = json.loads((AXE / "vendored.json").read_text())["packages"]
    there = {path.name: path.read_bytes() for path in AXE.iterdir() if path.suffix != ".json"}

    assert package["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in there.items()}
    assert 64 == len(base64.b64decode(package["integrity"].removeprefix("sha512-")))


async def test_no_page_is_wider_than_a_phone(furnished: Look, browser: Browser, demo: Demo) -> None:
    """Tables scroll inside their card; the page itself does not, at 390 and at 320 pixels."""
    cookies = await furnished.page.context.cookies()
    wide: dict[str, int] = {}
    async with looking(browser, demo, **PHONE_OPTIONS) as phone:
        await phone.page.context.add_cookies([{"name": each["name"], "value": each["value"], "url": demo.admin_url}
                                              for each in cookies])  # fmt: skip
        for path in PAGES:
            await phone.go(path)
            wide[path] = await phone.overflow_px()
            await phone.page.set_viewport_size({"width": 320, "height": 640})
            wide[f"{path} at 320"] = await phone.overflow_px()
            await phone.page.set_viewport_size(PHONE)

    assert {} == {path: pixels for path, pixels in wide.items() if pixels > 0}
