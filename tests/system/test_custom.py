"""The example of docs/custom.md, behind a real gateway, in front of a small backend that speaks so."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.settings import load_settings
from gatekeeper.yamlfile import load_yaml
from tests.system.conftest import StartWorld
from tests.system.world import Answer, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "custom.md"


class Backend:
    """An in-house service. A job stands where `state` says."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"state": "queued"}
        self.made_most = 10
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        app = web.Application()
        app.router.add_post("/render", self._render)
        app.router.add_get("/jobs/{job}", self._job)
        app.router.add_post("/jobs/{job}/cancel", self._cancel)
        app.router.add_get("/files/{file}", self._file)
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def start(self) -> None:
        await self._server.start_server()

    async def close(self) -> None:
        await self._server.close()

    def done(self, count: int = 1) -> dict[str, Any]:
        """What it says of so many pictures."""
        images = [
            {"url": f"{self.url}/files/file-{number}", "file": f"file-{number}", "w": 1024, "h": 1024}
            for number in range(count)
        ]
        return {"state": "done", "result": {"images": images}, "billing": {"usd": 0.03}}

    async def _note(self, request: web.Request) -> bytes:
        body = await request.read()
        self.seen.append((f"{request.method} {request.raw_path}", dict(request.headers), body))
        return body

    async def _render(self, request: web.Request) -> web.Response:
        asked = json.loads(await self._note(request))
        if asked.get("wait") is False:
            job = {"id": "job-1", "state": "queued", "urls": {"get": f"{self.url}/jobs/job-1"}}
            return web.json_response(job, status=202)
        return web.json_response(self.done(min(asked.get("count", 1), self.made_most)))

    async def _job(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.json_response({"id": request.match_info["job"], **self.state})

    async def _cancel(self, request: web.Request) -> web.Response:
        await self._note(request)
        self.state = {"state": "cancelled"}
        return web.json_response(self.state)

    async def _file(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.Response(body=b"a picture", content_type="image/png")


@pytest.fixture(name="backend")
async def _backend() -> AsyncIterator[Backend]:
    """The service, listening."""
    backend = Backend()
    await backend.start()
    yield backend
    await backend.close()


@pytest.fixture(name="example")
def _example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The document's example, as it stands there."""
    path = tmp_path / "example.yaml"
    path.write_text(DOCUMENT.read_text().partition("```yaml\n")[2].partition("```")[0])
    monkeypatch.setenv("RENDER_TOKEN", "render-token")
    assert set(load_settings(path).providers) == {"render"}
    data: Any = load_yaml(path).data
    provider: dict[str, Any] = data["providers"]["render"]
    return provider


@pytest.fixture(name="world")
async def _world(start_world: StartWorld, backend: Backend, example: dict[str, Any]) -> World:
    """A gateway whose provider is the example's, at the backend's address."""
    return await start_world(provider_url=backend.url, providers={"render": {**example, "base_url": backend.url}})


async def render(world: World, key: str, **fields: Any) -> Answer:
    """One picture of 49 credits, but for the changes."""
    body = {"prompt": "a cat", "settings": {"res": "1K", "ratio": "1:1"}, **fields}
    return await world.send("POST", "/render/render", key, json=body)


async def ended(world: World, key: str) -> tuple[str | None, str | None]:
    """What a poll says: the state, and what was charged if that is known."""
    answer = await world.send("GET", "/render/jobs/job-1", key)
    return answer.json.get("state"), answer.headers.get("Gatekeeper-Credits-Charged")


async def test_a_picture_at_once(world: World, backend: Backend) -> None:
    """It is charged for what came; the backend gets its own credential in its own header, and no gatekeeper key."""
    key = await world.key()

    answer = await render(world, key)

    _, headers, body = backend.seen[0]
    assert (200, "49") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
    assert ("render-token", False) == (headers["X-Render-Token"], key in f"{headers} {body!r}")
    assert 49_000_000 == (await world.balance()).charged


async def test_fewer_pictures_than_asked(world: World, backend: Backend) -> None:
    """What is not there is not paid for."""
    key = await world.key()
    backend.made_most = 2

    answer = await render(world, key, model="seedream-v4.5", settings={"res": "2K", "ratio": "1:1"}, count=3)

    assert ("72", "48") == tuple(answer.headers[f"Gatekeeper-Credits-{word}"] for word in ("Held", "Charged"))


async def test_out_of_credits(world: World, backend: Backend) -> None:
    """402 where the client looks for a message, and nothing reaches the backend."""
    answer = await render(world, await world.key("10"))

    error = answer.json["error"]
    assert (402, "insufficient_credits", []) == (answer.status, error["code"], backend.seen)
    assert "This costs 49 credits; 10 are available" in error["message"]


async def test_a_setting_that_is_not_sold(world: World, backend: Backend) -> None:
    """422 with what is allowed, for a field that stands two levels down."""
    answer = await render(world, await world.key(), settings={"res": "9K", "ratio": "1:1"})

    assert (422, []) == (answer.status, backend.seen)
    assert "4K" in answer.json["error"]["message"]


async def test_a_field_of_the_wrong_type(world: World, backend: Backend) -> None:
    """400 with the place of the field."""
    answer = await render(world, await world.key(), settings={"res": 4, "ratio": "1:1"})

    assert (400, []) == (answer.status, backend.seen)
    assert "settings.res must be a text" in answer.json["error"]["message"]


async def test_a_job_submitted_polled_downloaded(world: World, backend: Backend) -> None:
    """Its links lead through the gateway; the poll that tells the end settles it; its file is fetched."""
    key = await world.key()
    submitted = await render(world, key, wait=False)
    running = await ended(world, key)
    backend.state = backend.done()

    done = await ended(world, key)
    link = (await world.send("GET", "/render/jobs/job-1", key)).json["result"]["images"][0]["url"]
    picture = await world.send("GET", link.removeprefix(world.url), key)

    assert f"{world.url}/render/jobs/job-1" == submitted.json["urls"]["get"]
    assert (("queued", None), ("done", "49")) == (running, done)
    assert (f"{world.url}/render/files/file-0", b"a picture") == (link, picture.body)
    await world.assert_books_clean()
    assert 49_000_000 == (await world.balance()).charged


async def test_a_job_that_failed(world: World, backend: Backend) -> None:
    """It is given back once, however often it is asked for."""
    key = await world.key()
    await render(world, key, wait=False)
    backend.state = {"state": "failed", "error": {"code": "out_of_memory"}}

    assert [("failed", "0")] * 2 == [await ended(world, key) for _ in range(2)]

    released = world.events("generation.released")
    assert ["out_of_memory"] == [each["outcome"] for each in released]
    assert (0, 0) == ((balance := await world.balance()).charged, balance.held)
    await world.assert_books_clean()


async def test_a_job_that_is_cancelled(world: World, backend: Backend) -> None:
    """The answer to the cancel says that it is over, and so it is."""
    key = await world.key()
    await render(world, key, wait=False)

    answer = await world.send("POST", "/render/jobs/job-1/cancel", key)

    assert (200, 0) == (answer.status, (await world.balance()).held)


async def test_a_job_of_another_team(world: World, backend: Backend) -> None:
    """It is not there, and nothing reaches the backend."""
    await render(world, await world.key(), wait=False)
    before = len(backend.seen)

    answer = await world.send("GET", "/render/jobs/job-1", await world.key())

    assert (404, before) == (answer.status, len(backend.seen))
    assert "No such job" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/render/admin"), ("GET", "/render/render"), ("GET", "/render/")]
)
async def test_a_route_that_is_not_described(world: World, backend: Backend, method: str, path: str) -> None:
    """It is closed."""
    answer = await world.send(method, path, await world.key(), json={})

    assert (403, "route_not_gated", []) == (answer.status, answer.json["error"]["code"], backend.seen)
