"""The doors under those who try them: guessed keys and tokens, slow heads, and what every answer says to browsers."""

import asyncio
from typing import Any

import pytest

from gatekeeper.web.auth import key_sha256
from gatekeeper.web.knocking import AT_ONCE_MAX
from tests.system.conftest import StartWorld
from tests.system.world import World

OWN = {"Server": "gatekeeper", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def said(headers: Any, wanted: dict[str, str]) -> dict[str, str | None]:
    """What an answer says under these names."""
    return {name: headers.get(name) for name in wanted}


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = url.rpartition("/")[2].partition(":")
    return await asyncio.open_connection(host, int(port))


async def test_guessed_keys_are_told_to_wait(world: World) -> None:
    """In the shape that the caller's SDK reads, with when to come again; a key that was good before passes."""
    key = await world.key()
    before = await world.native(key)
    guesses = [await world.openai(f"gk_guess{number}") for number in range(AT_ONCE_MAX * 2)]
    after = await world.native(key)

    statuses = [answer.status for answer in guesses]
    assert (200, 200) == (before.status, after.status)
    assert [401] * AT_ONCE_MAX == statuses[:AT_ONCE_MAX]
    assert {401, 429} >= set(statuses[AT_ONCE_MAX:])
    told = next(answer for answer in guesses if answer.status == 429)
    assert ("rate_limited", "1") == (told.json["error"]["code"], told.headers["Retry-After"])
    assert "gk_guess" not in world.log.getvalue().decode()


async def test_guessed_tokens_are_told_to_wait(world: World) -> None:
    """429 where it was 401; the right token opens all the while, and who shows none is shown how."""
    url = f"{world.gateway.admin_url}/admin/v1/teams"

    async def ask(token: str | None) -> tuple[int, str | None]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with world.session.get(url, headers=headers) as response:
            return response.status, response.headers.get("Retry-After")

    found = [await ask(f"gka_{number}") for number in range(AT_ONCE_MAX * 2)]

    assert {(401, None)} == set(found[:AT_ONCE_MAX])
    assert (429, "1") in found[AT_ONCE_MAX:]
    assert [(200, None), (401, None)] == [await ask(world.gateway.admin_token), await ask(None)]


async def test_answers_of_our_own_are_kept_by_nobody(world: World) -> None:
    """Refusals and what is told of credits are one caller's, and no browser makes a page of them."""
    key = await world.key()
    answers = [
        await world.send("GET", "/v1/balance", key),
        await world.send("GET", "/v1/models", key),
        await world.send("GET", "/v1/balance"),
        await world.send("POST", "/nowhere", key),
        await world.native(key, aspect_ratio="7:3"),
    ]

    assert [OWN] * len(answers) == [said(answer.headers, OWN) for answer in answers]


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/metrics", "/admin/v1/openapi.json", "/admin/v1/teams", "/admin/v1/nothing", "/admin"],
)
@pytest.mark.parametrize("signed_in", [True, False])
async def test_answers_of_the_admin_port_run_nothing(world: World, path: str, signed_in: bool) -> None:
    """Nor stand in a frame, nor are kept, nor say what they were written with."""
    wanted = OWN | {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
    }
    headers = {"Authorization": f"Bearer {world.gateway.admin_token}"} if signed_in else {}
    async with world.session.get(world.gateway.admin_url + path, headers=headers) as response:
        assert wanted == said(response.headers, wanted)


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/static/x.css"])
async def test_pages_say_where_everything_comes_from(world: World, path: str) -> None:
    """Scripts and styles are our own and none is written into a page; those that are not there say so too."""
    async with world.session.get(
        world.gateway.admin_url + path, headers={"Accept": "text/html"}, allow_redirects=False
    ) as response:
        policy = {part.strip() for part in response.headers["Content-Security-Policy"].split(";")}
        wanted = OWN | {"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"}
        told = said(response.headers, wanted)

    assert wanted == told
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= policy
    assert not any("unsafe" in part for part in policy)


@pytest.mark.parametrize("port", ["url", "admin_url"])
async def test_a_head_that_never_ends_is_hung_up_on(start_world: StartWorld, port: str) -> None:
    """However busily it is sent: the time is that of the whole head, not of one line of it."""
    world = await start_world(head_timeout_s=0.3)
    reader, writer = await connect(getattr(world.gateway, port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    ended = asyncio.ensure_future(reader.read())
    for number in range(200):
        if ended.done():
            break
        writer.write(b"X-%d: y\r\n" % (number % 50))
        await asyncio.wait((ended,), timeout=0.05)

    assert ended.done()
    writer.close()


@pytest.mark.parametrize("port", ["url", "admin_url"])
async def test_who_asks_for_nothing_more_is_hung_up_on(start_world: StartWorld, port: str) -> None:
    """After an answer the same time runs as before the first request."""
    world = await start_world(head_timeout_s=0.3)
    reader, writer = await connect(getattr(world.gateway, port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal")

    assert b"HTTP/1.1 " in await asyncio.wait_for(reader.read(), 10)
    writer.close()


@pytest.mark.parametrize("port", ["url", "admin_url"])
@pytest.mark.parametrize(
    "lines",
    [b"X: " + b"y" * 20_000, b"\r\n".join(b"X-%d: y" % number for number in range(2000))],
    ids=["long", "many"],
)
async def test_heads_are_bounded(world: World, port: str, lines: bytes) -> None:
    """One line has no more than 16 KiB, a head no more than a hundred and some of them."""
    reader, writer = await connect(getattr(world.gateway, port))
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()

    assert b" 400 Bad Request" in answer.split(b"\r\n")[0]


async def test_no_answer_or_figure_holds_a_secret(world: World) -> None:
    """Neither refusals nor metrics repeat a key, its hash, a token, or what was asked for."""
    key = await world.key()
    prompt = "a very secret walrus"
    heard = [
        await world.native(key, prompt=prompt, model=prompt),
        await world.native(key, prompt=prompt, aspect_ratio="7:3"),
        await world.native("gk_guessed_by_somebody", prompt=prompt),
        await world.send("GET", f"/v1/{key}", key),
        await world.send("POST", "/v1/generations", key, data=f"{key}".encode()),
        await world.native(key, prompt=prompt),
    ]
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        figures = await response.text()
    async with world.session.get(f"{world.gateway.admin_url}/readyz") as response:
        ready = await response.text()

    secrets = {key, key_sha256(key), "gk_guessed", world.gateway.admin_token}
    told = [each.body.decode() + str(each.headers) for each in heard]
    # Who writes his own key into a path is told which path it was.
    assert [] == [text for text in (*told[:3], *told[4:], figures, ready) if any(each in text for each in secrets)]
    assert "walrus" not in figures
