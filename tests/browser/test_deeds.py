"""Everything that can be done to a team, done by its buttons: each asks who and why, and the journal has both."""

import re

from playwright.async_api import expect

from tests.browser.looking import Look


async def test_a_team_is_made_and_given_credits(look: Look) -> None:
    """From the list of teams to a team that may spend."""
    await look.page.get_by_role("link", name="New team").click()
    await look.act("Make the team", "a new customer", Name="newcomers", Organisation="acme")
    await look.told("Team newcomers is made.")

    await look.page.locator("#grant").click()
    await look.act("Grant", "as agreed", Credits="1 250.5")

    await look.told("1\u202f250.5 credits are granted.")
    await expect(look.page.locator("#credits .first dd")).to_contain_text("1\u202f250.5")
    await look.last_entry("lena", "as agreed")


async def test_who_and_why_are_asked_for(stranger: Look) -> None:
    """Without them nothing is done; what was written stays, and each field says what is missing.

    Who did something before need not say so again: this is somebody's first deed.
    """
    await stranger.sign_in()
    await stranger.page.wait_for_selector("#sign-out")
    await stranger.demo.team("careful", 0)
    await stranger.go("/teams/careful/grant")
    await stranger.page.get_by_label("Credits", exact=True).fill("12")
    await stranger.page.get_by_role("button", name="Grant").click()

    await expect(stranger.page.get_by_role("alert")).to_contain_text("Nothing was done")
    await expect(stranger.page.get_by_label("Credits", exact=True)).to_have_value("12")
    for label in ("Who", "Why"):
        await expect(stranger.page.get_by_label(label)).to_have_accessible_description(re.compile("Say"))
    assert 0 == (await stranger.demo.admin("GET", "/teams/careful"))["balance"]["available"]


async def test_a_limit_is_set_changed_and_removed(look: Look) -> None:
    """Its bar is on the team's page as long as it stands."""
    await look.demo.team("bounded")
    await look.go("/teams/bounded")
    await look.page.locator("#set-limit").click()
    await look.act("Set the limit", "a small start", Credits="100")
    await look.told("team may spend 100 credits per month.")

    line = look.page.locator('[data-limit="team/month"]')
    await line.get_by_role("link", name="Change").click()
    await look.act("Set the limit", "it went well", Credits="250")
    await expect(line).to_contain_text("250")
    await look.last_entry("lena", "it went well")

    await line.get_by_role("link", name="Remove").click()
    await look.act("Remove", "no longer needed")
    await look.told("The limit of team per month is gone.")
    await expect(line).to_have_count(0)


async def test_a_frozen_team_is_refused_until_it_may_go_on(look: Look) -> None:
    """The freeze holds at once, and so does its end."""
    key = await look.demo.team("icy")
    await look.go("/teams/icy")
    await look.page.get_by_role("link", name="Freeze", exact=True).click()
    await look.act("Freeze", "an inquiry")
    await look.told("The team is frozen.")
    await expect(look.page.locator("#state")).to_contain_text("Frozen")
    frozen = await look.demo.generate(key)

    await look.page.get_by_role("link", name="Unfreeze").click()
    await look.act("Unfreeze", "all is well")
    await look.told("The team may go on.")

    assert (403, "team_frozen") == (frozen[0], frozen[1]["code"])
    assert 200 == (await look.demo.generate(key))[0]


async def test_a_secret_is_shown_once_and_copied(look: Look) -> None:
    """The key opens the gateway; its secret is on no later page; revoked, it opens nothing."""
    await look.demo.team("keyed")
    await look.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await look.go("/teams/keyed")
    await look.page.locator("#issue-key").click()
    await look.act("Issue the key", "for the site", Name="site")
    secret = await look.page.locator("#secret").inner_text()
    await look.page.get_by_role("button", name="Copy").click()
    await expect(look.page.get_by_role("button", name="Copied")).to_be_visible()
    copied = await look.page.evaluate("navigator.clipboard.readText()")

    await look.page.get_by_role("link", name="Done").click()
    await expect(look.page.locator('[data-key="site"]')).to_be_visible()

    assert secret == copied
    assert secret not in await look.page.content()
    assert 200 == (await look.demo.generate(secret))[0]

    await look.page.get_by_role("link", name="Revoke the key site").click()
    await look.act("Revoke", "it leaked")
    await expect(look.page.locator('[data-key="site"]')).to_contain_text("Revoked")
    await look.last_entry("lena", "it leaked")


async def test_a_hold_is_released_and_another_settled(look: Look) -> None:
    """Credits of a decision that nobody ended are available again, or charged."""
    key = await look.demo.team("holder")
    for _ in range(2):
        await look.demo.decide(key)
    await look.go("/teams/holder")
    await look.page.get_by_role("link", name=re.compile("Release hold")).first.click()
    await look.page.get_by_label("End it though its generation runs").check()
    await look.act("Release", "it never came")
    await look.told("49 credits are available again.")

    await look.page.get_by_role("link", name=re.compile("Settle hold")).click()
    await look.page.get_by_label("End it though its generation runs").check()
    await look.act("Settle", "two thirds of it came", **{"Credits to charge": "30"})

    await look.told("30 credits are charged.")
    await expect(look.page.locator("#holds")).to_contain_text("Nothing is held.")
    assert 970 == (await look.demo.admin("GET", "/teams/holder"))["balance"]["available"]
