"""In and out, and what a browser is told on the way."""

import re

from playwright.async_api import expect

from tests.browser.demoing import TOKEN
from tests.browser.looking import Look


async def test_a_wrong_token_is_refused_with_words(stranger: Look) -> None:
    """The page says so beside the field, and shows nothing of the console."""
    await stranger.sign_in("gka_guessed")

    await expect(stranger.page.get_by_role("alert")).to_have_text("That is not the admin token of this gateway.")
    await expect(stranger.page.get_by_label("Admin token")).to_have_attribute("aria-invalid", "true")
    await expect(stranger.page.get_by_role("navigation")).to_have_count(0)


async def test_the_way_in_leads_where_one_wanted_to_go(stranger: Look) -> None:
    """Whoever follows a link to a page signs in and is there; the cookie is out of the reach of scripts."""
    await stranger.go("/jobs")
    await expect(stranger.page).to_have_url(re.compile(r"/login\?next="))

    await stranger.page.get_by_label("Admin token").fill(TOKEN)
    await stranger.page.get_by_role("button", name="Sign in").click()

    await expect(stranger.page.get_by_role("heading", level=1)).to_have_text("Jobs")
    (cookie,) = await stranger.page.context.cookies()
    assert (True, "Strict") == (cookie["httpOnly"], cookie["sameSite"])
    assert "" == await stranger.page.evaluate("document.cookie")


async def test_out_is_out(stranger: Look) -> None:
    """After signing out no page opens, nor does the one before by the browser's back."""
    await stranger.sign_in()
    await stranger.page.get_by_role("button", name="Sign out").click()
    await expect(stranger.page).to_have_url(re.compile("/login"))

    await stranger.page.go_back()

    await expect(stranger.page.get_by_label("Admin token")).to_be_visible()


async def test_a_script_that_was_written_into_a_page_does_not_run(stranger: Look) -> None:
    """The browser itself keeps to the policy, and says that it did."""
    await stranger.go("/login")

    ran = await stranger.page.evaluate(
        """() => { const one = document.createElement("script");
           one.textContent = "window.ran = true"; document.head.append(one); return window.ran === true }"""
    )

    said = [each for each in stranger.complaints if "Content Security Policy" in each]
    stranger.complaints.clear()
    assert (False, 1) == (ran, len(said))
