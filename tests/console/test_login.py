"""Signing in and out, and what is shown to whoever is not."""

import pytest

from gatekeeper.console.attempts import OF_ONE_MAX
from gatekeeper.console.login import safe_path
from gatekeeper.console.mounting import PAGES
from tests.console.consoleworld import WHO, Console
from tests.system.world import World

IDS = {
    "{team}": "studio",
    "{key}": "ci",
    "{allowance}": "pocket",
    "{seq}": "1",
    "{hold}": "0" * 32,
    "{model:.+}": "nano-banana-2",
}


def filled(path: str) -> str:
    """The path of a route with ids in it."""
    for name, value in IDS.items():
        path = path.replace(name, value)
    return path


async def test_every_page_needs_a_session(console: Console) -> None:
    """Whoever is not signed in is shown where to, and nothing is done."""
    stranger = Console(console.world)

    answers = [
        await stranger.ask(route.method, filled(route.path), data="" if route.method == "POST" else None)
        for route in PAGES
    ]

    assert [] == [(answer.status, answer.body) for answer in answers if answer.status != 303 or answer.body]
    assert {"/login"} == {answer.headers["Location"].partition("?")[0] for answer in answers}


async def test_the_cookie_is_for_this_site_alone(world: World) -> None:
    """No script reads it, no other site sends it, and it says nothing of the token."""
    answer = await Console(world).sign_in()

    flags = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert (303, "/") == (answer.status, answer.headers["Location"])
    assert {"HttpOnly", "Path=/", "SameSite=Strict", "Max-Age=43200"} == flags
    assert world.gateway.admin_token not in answer.headers["Set-Cookie"]


async def test_behind_tls_the_cookie_stays_there(world: World) -> None:
    """A proxy that ends TLS says so, and the cookie never travels without it."""
    token = {"token": world.gateway.admin_token}

    answer = await Console(world).send("/login", token, X_Forwarded_Proto="https")

    assert "Secure" in answer.headers["Set-Cookie"]


async def test_a_wrong_token_opens_nothing(world: World) -> None:
    """It says so, sets no cookie and does not repeat what was sent."""
    answer = await Console(world).sign_in("gka_wrong")

    assert (403, False) == (answer.status, "Set-Cookie" in answer.headers)
    assert b"not the admin token" in answer.body
    assert b"gka_wrong" not in answer.body


async def test_tokens_are_not_to_be_guessed(world: World) -> None:
    """After so many attempts the right one is not taken either, for a minute."""
    console = Console(world)
    tries = [(await console.sign_in("guess")).status for _ in range(OF_ONE_MAX)]

    answer = await console.sign_in()

    assert [403] * OF_ONE_MAX == tries
    assert (429, "60") == (answer.status, answer.headers["Retry-After"])


async def test_the_log_says_who_came_in(world: World) -> None:
    """And who tried to, from where; never with what."""
    console = Console(world)
    await console.sign_in("gka_guess")
    await console.sign_in()

    told = world.events("console.entered")

    assert [("refused", "127.0.0.1"), ("opened", "127.0.0.1")] == [(each["outcome"], each["address"]) for each in told]
    assert b"gka_" not in world.log.getvalue()


async def test_one_goes_on_where_one_wanted_to_be(console: Console) -> None:
    """The page that was asked for is shown after signing in."""
    asked = await Console(console.world).ask("GET", "/teams/studio?x=1")
    fields = {"token": console.world.gateway.admin_token, "next": "/teams/studio?x=1"}

    answer = await Console(console.world).send("/login", fields)

    assert "/login?next=%2Fteams%2Fstudio%3Fx%3D1" == asked.headers["Location"]
    assert "/teams/studio?x=1" == answer.headers["Location"]


@pytest.mark.parametrize(
    "back", ["//evil.test", "https://evil.test", "/\\evil.test", "evil", "/a\nb", "/" + "x" * 2000]
)
def test_one_goes_on_at_this_site_only(back: str) -> None:
    """Whatever else stands there leads to the first page."""
    assert "/" == safe_path(back)


async def test_signing_out_ends_the_session(console: Console) -> None:
    """The cookie is worth nothing afterwards."""
    answer = await console.post("/logout")

    assert ("/login", 303) == (answer.headers["Location"], (await console.ask("GET", "/")).status)


async def test_a_cookie_opens_no_api(console: Console) -> None:
    """And the token opens no page: neither stands in for the other."""
    api = await console.ask("GET", "/admin/v1/teams")
    token = {"Authorization": f"Bearer {console.world.gateway.admin_token}"}

    page = await Console(console.world).ask("GET", "/", headers=token)

    assert (401, 303) == (api.status, page.status)


async def test_a_part_of_a_page_leads_to_the_whole(console: Console) -> None:
    """A script whose session is over loads the page that asks for the token."""
    answer = await Console(console.world).ask("GET", "/?q=a", headers={"HX-Request": "true"})

    assert (401, "/login") == (answer.status, answer.headers["HX-Redirect"])


async def test_a_form_without_the_secret_does_nothing(console: Console) -> None:
    """Neither without it nor with another one."""
    before = await console.world.gateway.store.ledger.balance("studio")

    answers = [
        await console.send("/teams/studio/freeze", {**WHO, **secret}) for secret in ({}, {"csrf": "x"}, {"csrf": ""})
    ]

    assert [403] * 3 == [answer.status for answer in answers]
    assert before.seq == (await console.world.gateway.store.ledger.balance("studio")).seq


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_a_form_of_another_site_does_nothing(console: Console, headers: dict[str, str]) -> None:
    """Not even with the secret, should that have been found out."""
    answer = await console.send("/teams/studio/freeze", {**WHO, "csrf": console.csrf}, **headers)

    assert 403 == answer.status
    record = await console.world.gateway.store.ledger.team("studio")
    assert record is not None
    assert not record.frozen


async def test_a_form_from_here_is_taken(console: Console) -> None:
    """As a browser sends it: with its origin, and with the word that it is the same."""
    headers = {"Origin": console.url, "Sec_Fetch_Site": "same-origin"}

    answer = await console.send("/teams/studio/freeze", {**WHO, "csrf": console.csrf}, **headers)

    assert 303 == answer.status


async def test_the_header_of_scripts_has_the_secret_too(console: Console) -> None:
    """What a script sends has it beside the form."""
    answer = await console.send("/teams/studio/freeze", WHO, X_CSRF_Token=console.csrf)

    assert 303 == answer.status


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", "csrf=x", 415),
        ("multipart/form-data; boundary=x", "--x--", 415),
        ("application/x-www-form-urlencoded", "a" * 70_000, 413),
        ("application/x-www-form-urlencoded", "&".join(f"a{n}=1" for n in range(300)), 400),
    ],
)
async def test_what_is_no_small_form_is_refused(console: Console, kind: str, body: str, status: int) -> None:
    """Before anything of it is believed."""
    answer = await console.ask("POST", "/teams/studio/freeze", data=body, headers={"Content-Type": kind})

    assert status == answer.status
