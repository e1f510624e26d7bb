"""Forms of whoever reaches the admin port, who need not be signed in: cheap to read, whatever they say they are."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.console.consoleworld import Console
from tests.system.world import World

FORM = "application/x-www-form-urlencoded"


async def _unsized(piece: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield piece
        await asyncio.sleep(0)


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "idna", "zlib_codec", "no-such"])
async def test_a_form_is_read_as_utf_8(world: World, charset: str) -> None:
    """No codec of its sender's choice is asked: a slow one would keep all requests waiting, and some are none."""
    token = world.gateway.admin_token

    answer = await Console(world).ask(
        "POST", "/login", data=f"token={token}", headers={"Content-Type": f"{FORM}; charset={charset}"}
    )

    assert (303, []) == (answer.status, world.events("error"))


async def test_a_form_that_does_not_say_its_length_is_measured(world: World) -> None:
    """It comes in chunks, and is no larger than one that says it."""
    sent = _unsized(b"a" * 10_000, 10)

    answer = await Console(world).ask("POST", "/login", data=sent, headers={"Content-Type": FORM})

    assert 413 == answer.status


async def test_a_form_that_is_not_packed_as_it_says_is_refused(world: World) -> None:
    """It is the sender's mistake, and none of ours."""
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}

    answer = await Console(world).ask("POST", "/login", data=b"token=x", headers=headers)

    assert (400, []) == (answer.status, world.events("error"))
