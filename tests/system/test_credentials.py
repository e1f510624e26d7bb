"""Whose credential goes where: the provider's to the provider, in its place; the team's nowhere."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.web.auth import KEY_HEADERS
from tests.system.conftest import StartWorld
from tests.system.world import World

SECRET_KEY = "b3BlbiBzZXNhbWUsIGJ1dCBub3QgZm9yIHlvdQ"
PICTURE = {"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024"}


class Echo:
    """A provider that sends back what it was sent, in a header of its own, and remembers it."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], str, bytes]] = []
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", self._answer)
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def start(self) -> None:
        await self._server.start_server()

    async def close(self) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), request.raw_path, await request.read()))
        echoed = {f"X-Echo-{number}": value for number, value in enumerate(request.headers.values())}
        return web.json_response({"created": 1, "data": [{"url": "http://pictures/1.png"}]}, headers=echoed)

    def saw(self, text: str) -> bool:
        """Whether this stood anywhere in a request."""
        return any(text in f"{headers} {path} {body!r}" for headers, path, body in self.seen)


@pytest.fixture(name="echo")
async def _echo() -> Any:
    """A provider that sends back what it was sent."""
    echo = Echo()
    await echo.start()
    yield echo
    await echo.close()


@pytest.fixture(name="secret")
def _secret(tmp_path: Path) -> dict[str, str]:
    """A credential in a file, in two parts."""
    path = tmp_path / "secret"
    path.write_text(f"access-key:{SECRET_KEY}\n")
    return {"file": str(path)}


async def test_a_signed_credential(start_world: StartWorld, echo: Echo, secret: dict[str, str]) -> None:
    """The provider gets a token that it can check; the caller gets neither it nor what signed it, though it is echoed,
    nor does the log."""
    provider = {"base_url": echo.url, "credential": secret, "passthrough": ["GET /account/costs"]}
    world = await start_world(providers={"kling": provider})
    answer = await world.send("GET", "/kling/account/costs", await world.key())

    token = echo.seen[0][0]["Authorization"].removeprefix("Bearer ")
    assert "access-key" == jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["iss"]
    for hidden in (token, SECRET_KEY):
        assert hidden not in f"{answer.headers} {answer.body!r} {world.log.getvalue()!r}"


@pytest.mark.parametrize(
    ("place", "header", "query"),
    [
        ({"bearer": "Token"}, ("Authorization", f"Token access-key:{SECRET_KEY}"), ""),
        ({"header": "X-Studio-Key"}, ("X-Studio-Key", f"access-key:{SECRET_KEY}"), ""),
        ({"query": "token"}, ("Authorization", None), f"?token=access-key%3A{SECRET_KEY}"),
    ],
)
async def test_another_place(
    start_world: StartWorld, echo: Echo, secret: dict[str, str], place: dict[str, str], header: Any, query: str
) -> None:
    """A host that copies a format but for the place of its credential gets it where config says."""
    provider = {"base_url": echo.url, "credential": secret, "credential_in": place}
    world = await start_world(providers={"openai": provider})
    await world.openai(await world.key())

    headers, path, _ = echo.seen[0]
    assert (header[1], f"/images/generations{query}") == (headers.get(header[0]), path)


async def test_the_teams_key_in_the_header_of_an_own_provider(
    start_world: StartWorld, echo: Echo, secret: dict[str, str]
) -> None:
    """Where an SDK puts the provider's credential it may put the team's key, which goes no further."""
    provider = {"base_url": echo.url, "credential": secret, "credential_in": {"header": "X-Studio-Key"}}
    world = await start_world(providers={"openai": provider})
    key = await world.key()
    answer = await world.send("POST", "/openai/v1/images/generations", json=PICTURE, headers={"X-Studio-Key": key})

    assert (200, False) == (answer.status, echo.saw(key))


def test_every_dialects_header_is_one_of_ours() -> None:
    """A caller's key is found wherever a dialect says that the provider's credential goes."""
    places = [each.TRAITS.credential for each in DIALECTS.values()]

    assert set() == {place.name.lower().encode() for place in places if place.kind == "header"} - KEY_HEADERS


async def test_the_key_as_magnific_carries_it(world: World) -> None:
    """Freepik's SDKs of its newer name have a header of their own."""
    answer = await world.send(
        "POST", "/openai/v1/images/generations", json=PICTURE, headers={"x-magnific-api-key": await world.key()}
    )

    assert 200 == answer.status


async def refused(world: World, path: str, key: str, **options: Any) -> str:
    """The words of a refusal of a malformed request."""
    answer = await world.send("POST", path, key, **options)
    assert (400, "malformed_request") == (answer.status, answer.headers["Gatekeeper-Rejection"])
    return str(answer.json["error"]["message"])


async def test_the_teams_key_in_a_body_or_an_address(start_world: StartWorld, echo: Echo) -> None:
    """It is refused before anything is held, and said why; no provider gets to see it."""
    world = await start_world(provider_url=echo.url)
    key = await world.key()
    path = "/openai/v1/images/generations"

    in_body = await refused(world, path, key, json={**PICTURE, "user": key})
    in_query = [
        await refused(world, f"{path}?{part}", key, json=PICTURE) for part in (f"key={key}", f"a=gk%5F{key[3:]}")
    ]

    assert "The body contains your gatekeeper key." in in_body
    assert all("The address carries your gatekeeper key." in words for words in in_query)
    assert ([], 0) == (echo.seen, (await world.balance()).charged)
    assert ["hold"] not in [[entry.kind] for entry in await world.gateway.store.ledger.journal("team-0")]


async def test_the_teams_key_across_two_pieces_of_a_body(start_world: StartWorld, echo: Echo) -> None:
    """However the bytes arrive."""
    world = await start_world(provider_url=echo.url)
    key = await world.key()

    async def pieces() -> Any:
        yield b'{"model": "gpt-image-1.5", "prompt": "a cat ' + key[:9].encode()
        yield key[9:].encode() + b'"}'

    headers = {"Content-Type": "application/json"}
    await refused(world, "/openai/v1/images/generations", key, data=pieces(), headers=headers)

    assert [] == echo.seen


async def test_the_teams_key_in_a_path(start_world: StartWorld, echo: Echo) -> None:
    """A model of that name is no model."""
    world = await start_world(provider_url=echo.url)
    key = await world.key()
    answer = await world.send("GET", f"/openai/v1/models/{key}", key)

    assert (400, []) == (answer.status, echo.seen)
