"""The console by keyboard alone: where one is can be seen, the order is that of the page, and a deed can be done."""

from playwright.async_api import expect

from tests.browser.demoing import TOKEN
from tests.browser.looking import Look

FOCUSED = """() => { const one = document.activeElement, style = getComputedStyle(one);
  const name = one.id || one.textContent.trim().split("\\n")[0] || one.name;
  return [name, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2]; }"""


async def tabbed(look: Look, times: int) -> list[tuple[str, bool]]:
    """Where Tab leads: what has the focus then, and whether that can be seen."""
    steps = []
    for _ in range(times):
        await look.page.keyboard.press("Tab")
        name, seen = await look.page.evaluate(FOCUSED)
        steps.append((name, seen))
    return steps


async def test_the_first_tab_skips_to_the_content(look: Look) -> None:
    """The link is seen once it has the focus; behind it the navigation is passed over."""
    await look.demo.team("tabbed")
    await look.go("/teams/tabbed")
    await look.page.keyboard.press("Tab")
    skip = look.page.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport(ratio=1)

    await look.page.keyboard.press("Enter")

    assert ["Teams", "grant", "issue-key", "set-limit", "freeze"] == [name for name, _ in await tabbed(look, 5)]


async def test_the_focus_is_seen_wherever_it_is(look: Look) -> None:
    """Tab goes through a page in its order, and each stop has an outline."""
    await look.go("/refusals")

    steps = await tabbed(look, 12)

    assert ["gatekeeper", "Teams", "Refusals", "Jobs", "Catalog", "sign-out"] == [name for name, _ in steps[1:7]]
    assert [] == [name for name, seen in steps if not seen]


async def test_a_deed_needs_no_mouse(stranger: Look) -> None:
    """Signing in, a team, a grant to it: with Tab, Enter and letters."""
    keys = stranger.page.keyboard
    await stranger.go("/login")
    await expect(stranger.page.get_by_label("Admin token")).to_be_focused()
    await keys.type(TOKEN)
    await keys.press("Enter")
    await stranger.page.wait_for_selector("#sign-out")

    await stranger.page.locator("#new-team").focus()
    await keys.press("Enter")
    await expect(stranger.page.get_by_role("heading", level=1)).to_have_text("New team")
    for text in ("typist", "", "acme", "lena", "by keyboard"):
        await stranger.page.locator("input:focus").count() or await stranger.page.locator("#id").focus()
        await keys.type(text)
        await keys.press("Tab")
    await keys.press("Enter")

    await stranger.told("Team typist is made.")


async def test_the_calculator_goes_by_arrow_keys(look: Look) -> None:
    """The choices of a group are one stop; arrows choose, the total follows, and the focus stays where it is."""
    await look.go("/catalog/nano-banana-2")
    await look.page.locator("#of-resolution input").first.focus()
    await look.page.keyboard.press("ArrowDown")
    await look.page.keyboard.press("ArrowDown")

    await expect(look.page.locator("#sum .sum strong")).to_have_text("73.5")
    await expect(look.page.locator("#of-resolution input:checked")).to_be_focused()
