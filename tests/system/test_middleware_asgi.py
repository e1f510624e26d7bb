"""A FastAPI application behind the middleware, in front of a real gateway: balances are exact, whatever it answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse

from gatekeeper.middleware.asgi import GateMiddleware
from tests.system.world import World

ASKED = {"resolution": "2K", "outputs": 2, "prompt": "a cat"}
"""48 credits."""


class Studio:
    """An image service of somebody's own: it counts what it made, and misbehaves as the body says."""

    def __init__(self, gateway: str, **rules: Any) -> None:
        self.app = FastAPI()
        paths = rules.pop("paths", {"/images": {"model": "seedream-v4.5"}})
        self.app.add_middleware(GateMiddleware, gateway=gateway, paths=paths, **rules)
        self.made = 0
        self.running = asyncio.Event()
        self.app.post("/images")(self.make)
        self.app.get("/images")(self.look)

    async def look(self) -> dict[str, int]:
        return {"made": self.made}

    async def make(self, request: Request) -> Any:
        body = await request.json()
        self.made += 1
        match body.get("prompt"):
            case "fail":
                raise HTTPException(502, "no machine is free")
            case "bug":
                raise RuntimeError("a bug")
            case "stream":
                return StreamingResponse(self.stream(), media_type="application/octet-stream")
            case "wait":
                self.running.set()
                await asyncio.Event().wait()
            case "moved":
                return JSONResponse({}, 303)
        return {"outputs": [{"url": f"https://studio.test/{n}"} for n in range(body.get("come", body["outputs"]))]}

    async def stream(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000


@asynccontextmanager
async def calling(studio: Studio, key: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, in this process."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(studio.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://studio.test", headers=headers) as client:
        yield client
    await shut_down(studio.app)


async def shut_down(app: FastAPI) -> None:
    """As a server does in the end: it starts and stops the application, which closes what it has open."""
    said = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
    heard: list[str] = []

    async def receive() -> Any:
        return said.pop()

    async def send(message: Any) -> None:
        heard.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == heard


@pytest.mark.parametrize(
    ("prompt", "come", "status", "charged"),
    [
        ("a cat", 2, 200, 48), ("a cat", 1, 200, 24), ("a cat", 0, 200, 0), ("fail", 2, 502, 0), ("bug", 2, 500, 0),
        ("stream", 2, 200, 48), ("moved", 2, 303, 0),
    ],
)  # fmt: skip
async def test_what_an_endpoint_makes_is_charged(world: World, prompt: str, come: int, status: int, charged: int):
    """What came of a success, all of one that does not say, nothing of an error; it is booked when the answer is there,
    and nothing stays held."""
    key, studio = await world.key(), Studio(world.url)

    async with calling(studio, key) as client:
        answer = await client.post("/images", json={**ASKED, "prompt": prompt, "come": come})

    assert (status, 1) == (answer.status_code, studio.made)
    assert (charged * 10**6, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_a_refusal_is_the_gateways_own(world: World):
    """Status, code and document as the gateway said; the endpoint hears nothing of it."""
    poor, studio = await world.key("1"), Studio(world.url)
    answers = []

    async with calling(studio, None) as client:
        for key, body in (("", ASKED), (poor, ASKED), (poor, {**ASKED, "aspect_ratio": "7:5"})):
            answers.append(await client.post("/images", json=body, headers={"Authorization": f"Bearer {key}"}))

    codes = ["unauthenticated", "insufficient_credits", "unsupported_aspect_ratio"]
    assert codes == [each.json()["code"] for each in answers] == [e.headers["gatekeeper-rejection"] for e in answers]
    assert [401, 402, 422] == [each.status_code for each in answers]
    assert 0 == studio.made


async def test_what_is_fixed_stands_above_the_body(world: World):
    """The caller cannot name another model, nor its terms."""
    key, studio = await world.key(), Studio(world.url)

    async with calling(studio, key) as client:
        body = {**ASKED, "model": "none-such", "ttl_s": 1, "on_unknown": "keep", "credits": 0}
        answer = await client.post("/images", json=body)

    assert (200, 48_000_000) == (answer.status_code, (await world.balance()).charged)


@pytest.mark.parametrize(("path", "root"), [("/images%0A", ""), ("/api/images", "/api")])
async def test_no_spelling_of_a_path_gets_around_the_gate(world: World, path: str, root: str):
    """What FastAPI serves as this endpoint is held and charged, however its caller writes it."""
    studio = Studio(world.url)
    transport = httpx.ASGITransport(studio.app, root_path=root)
    headers = {"Authorization": f"Bearer {await world.key()}"}

    async with httpx.AsyncClient(transport=transport, base_url="http://studio.test", headers=headers) as client:
        answer = await client.post(path, json=ASKED)
    await shut_down(studio.app)

    assert (200, 1, 48_000_000) == (answer.status_code, studio.made, (await world.balance()).charged)


async def test_what_is_not_gated_passes(world: World):
    """Other paths and methods that make nothing."""
    studio = Studio(world.url)

    async with calling(studio, None) as client:
        answers = [await client.get("/images"), await client.post("/elsewhere", json={})]

    assert [200, 404] == [each.status_code for each in answers]


async def test_the_same_request_again_is_not_served_twice(world: World):
    """By its Idempotency-Key, while it runs and afterwards: it is paid for once, so it is made once."""
    key, studio = await world.key(), Studio(world.url)
    once = {"Idempotency-Key": "order-7"}

    async with calling(studio, key) as client:
        running = asyncio.create_task(client.post("/images", json={**ASKED, "prompt": "wait"}, headers=once))
        await studio.running.wait()
        during = await client.post("/images", json={**ASKED, "prompt": "wait"}, headers=once)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert (409, 1) == (during.status_code, studio.made)


async def test_the_caller_cannot_end_what_it_pays_for(world: World):
    """Its own key lists the hold while the endpoint works, and neither settles nor releases it."""
    key, studio = await world.key(), Studio(world.url)

    async with calling(studio, key) as client:
        running = asyncio.create_task(client.post("/images", json={**ASKED, "prompt": "wait"}))
        await studio.running.wait()
        hold = (await world.send("GET", "/v1/holds", key)).json["holds"][0]["id"]
        answers = [await world.send("POST", f"/v1/decisions/{hold}/{act}", key) for act in ("settle", "release")]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert [404, 404] == [each.status for each in answers]
    assert 48_000_000 == (await world.balance()).held, "a service that was stopped leaves its hold to time"


async def test_one_key_pays_for_everybody(world: World):
    """The service's own, whatever its callers bring."""
    key, studio = await world.key(), None
    studio = Studio(world.url, key=key)

    async with calling(studio, "gk_somebody-elses") as client:
        answer = await client.post("/images", json=ASKED)

    assert (200, 48_000_000) == (answer.status_code, (await world.balance()).charged)


async def test_a_service_says_itself_what_is_asked_and_made(world: World):
    """For bodies and answers in other words."""
    key = await world.key()
    studio = Studio(
        world.url,
        ask=lambda body: {"resolution": body["resolution"], "outputs": body["outputs"]},
        made=lambda answer: {"credits": 3.5 * len(answer["outputs"])},
    )

    async with calling(studio, key) as client:
        answer = await client.post("/images", json=ASKED)
        odd = await client.post("/images", json={"prompt": "no resolution"})

    assert [200, 400] == [each.status_code for each in (answer, odd)]
    assert 7_000_000 == (await world.balance()).charged


async def test_without_a_gateway_nothing_is_served():
    """It fails closed."""
    studio = Studio("http://127.0.0.1:9")

    async with calling(studio, "gk_any") as client:
        answer = await client.post("/images", json=ASKED)

    assert (503, "2", 0) == (answer.status_code, answer.headers["retry-after"], studio.made)


async def test_a_path_with_a_star_stands_for_all_below(world: World):
    """And a path of its own stands above it."""
    key = await world.key()
    studio = Studio(world.url, paths={"/im*": {"model": "none-such"}, "/images": {"model": "seedream-v4.5"}})

    async with calling(studio, key) as client:
        answers = [await client.post(path, json=ASKED) for path in ("/images", "/images/7", "/other")]

    assert [(200, None), (404, "model_not_found"), (404, None)] == [
        (each.status_code, each.headers.get("gatekeeper-rejection")) for each in answers
    ]
