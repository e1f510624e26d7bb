"""The pages that one looks at: teams, refusals as they come, jobs, the catalog and its calculator."""

import re

from playwright.async_api import expect

from tests.browser.looking import Look


async def test_teams_are_found_as_one_types(look: Look) -> None:
    """The table narrows without a reload, and each team leads to its page."""
    for team in ("apples", "pears"):
        await look.demo.team(team)
    await look.go("/")
    await look.page.evaluate("window.kept = true")
    await look.page.get_by_label("Find a team").press_sequentially("APPL")

    await expect(look.page.locator("[data-team]")).to_have_count(1)
    assert await look.page.evaluate("window.kept === true")
    await look.page.get_by_role("link", name="apples").click()
    await expect(look.page.get_by_role("heading", level=1)).to_have_text("apples")


async def test_the_chart_is_drawn(look: Look) -> None:
    """What is left of the credits, once something was charged; its figures are in a table too."""
    key = await look.demo.team("charted")
    assert 200 == (await look.demo.generate(key))[0]

    await look.go("/teams/charted")

    await expect(look.page.locator(".chart canvas")).to_be_visible()
    await expect(look.page.locator(".u-legend")).to_contain_text("951")  # that of today, before the pointer is there
    await look.page.get_by_text("Day by day", exact=True).click()
    await expect(look.page.locator("#burn-figures tbody tr").first).to_contain_text("951")


async def test_refusals_come_without_a_reload(look: Look) -> None:
    """A refused request stands there with what is allowed; while the page pauses it waits, and comes then."""
    key = await look.demo.team("refused")
    await look.go("/refusals?team=refused")
    await expect(look.page.locator("#live-state")).to_have_text("Live")
    rows = look.page.locator("tr.refusal")

    assert 422 == (await look.demo.generate(key, aspect_ratio="2:1"))[0]
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("unsupported_aspect_ratio")
    await expect(rows).to_contain_text("16:9")

    await look.page.get_by_role("button", name="Pause").click()
    assert 422 == (await look.demo.generate(key, resolution="16K"))[0]
    await expect(look.page.locator("#live-state")).to_have_text("Paused, 1 more")
    await expect(rows).to_have_count(1)
    await look.page.get_by_role("button", name="Go on").click()

    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("unsupported_resolution")


async def test_refusals_are_filtered(look: Look) -> None:
    """By code and team; what does not fit does not come live either."""
    key = await look.demo.team("sorted")
    for changes in ({"aspect_ratio": "2:1"}, {"resolution": "16K"}):
        assert 422 == (await look.demo.generate(key, **changes))[0]
    await look.go("/refusals")
    await look.page.get_by_label("Team").fill("sorted")
    await look.page.get_by_label("Code").select_option("unsupported_resolution")
    await look.page.get_by_role("button", name="Filter").click()
    rows = look.page.locator("tr.refusal")
    await expect(rows).to_have_count(1)
    await expect(look.page.locator("#live-state")).to_have_text("Live")

    for changes in ({"aspect_ratio": "2:1"}, {"resolution": "16K"}):
        assert 422 == (await look.demo.generate(key, **changes))[0]

    await expect(rows).to_have_count(2)
    assert ["unsupported_resolution"] * 2 == await rows.evaluate_all("all => all.map(row => row.dataset.code)")


async def test_an_open_job_is_seen(look: Look) -> None:
    """With its team, its model and what is held for it."""
    key = await look.demo.team("filming")
    await look.demo.film(key)

    await look.page.get_by_role("link", name="Jobs").click()

    line = look.page.locator("#open tr", has_text="filming")
    await expect(line).to_contain_text("gen-4.5")
    await expect(line).to_contain_text("50.64")
    await expect(line).to_contain_text("Running")


async def test_the_catalog_narrows_as_one_types(look: Look) -> None:
    """By words, by operation; the address follows, so that a list can be passed on."""
    await look.go("/catalog")
    await look.page.get_by_label("Find").press_sequentially("nano-banana-2")
    await expect(look.page.locator("table.models tbody tr")).to_have_count(1)
    await expect(look.page).to_have_url(re.compile(r"q=nano-banana-2(&|$)"))

    # As slow as a hand: leaving the field must not take the link away.
    await look.page.get_by_role("link", name="Nano Banana 2").click(delay=300)

    await expect(look.page.get_by_role("heading", level=1)).to_have_text("Nano Banana 2")


async def test_the_catalog_is_narrowed_by_operation(look: Look) -> None:
    """A choice asks at once, without a reload."""
    await look.go("/catalog")
    await look.page.evaluate("window.kept = true")
    await look.page.get_by_label("Operation").select_option("image.upscale")

    await expect(look.page).to_have_url(re.compile("operation=image.upscale"))
    await expect(look.page.locator("table.models tbody")).to_contain_text("topaz")
    assert await look.page.evaluate("window.kept === true")


async def test_the_calculator_keeps_to_what_the_model_takes(look: Look) -> None:
    """Its total follows each choice without a reload; it offers this model's resolutions and no others."""
    await look.go("/catalog/nano-banana-2")
    await look.page.evaluate("window.kept = true")
    tiers = await look.page.locator("#of-resolution input").evaluate_all("all => all.map(each => each.value)")
    total = look.page.locator("#sum .sum strong")
    await expect(total).to_have_text("49")

    await look.choose("resolution", "4K")
    await expect(total).to_have_text("98")
    await look.choose("resolution", "2K")

    await expect(total).to_have_text("73.5")
    await expect(look.page).to_have_url(re.compile("resolution=2K"))
    assert {"", "1K", "2K", "4K"} == set(tiers)
    assert await look.page.evaluate("window.kept === true")


async def test_the_calculator_counts_outputs(look: Look) -> None:
    """The lines of the sum are those of the quote, and the sum is theirs."""
    await look.go("/catalog/chatgpt-1.5")

    await look.choose("outputs", "3")

    await expect(look.page.locator("#sum .sum strong")).to_have_text("105")
    await expect(look.page.locator(".sum-lines tbody tr")).to_contain_text("35")


async def test_a_snippet_is_copied(look: Look) -> None:
    """The button copies what stands there, and says so to whoever cannot see it."""
    await look.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await look.go("/catalog/nano-banana-2")
    snippet = look.page.locator("#calculator details[open] .snippet").first
    await snippet.get_by_role("button").click()

    await expect(snippet.get_by_role("button")).to_contain_text("Copied")
    await expect(look.page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    shown = await snippet.locator("pre").text_content()
    assert shown == await look.page.evaluate("navigator.clipboard.readText()")
