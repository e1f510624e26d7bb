"""Every program in docs/decisions.md runs, as it stands there, against a real gateway."""

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from fastapi import HTTPException, Request

from tests.system.test_middleware_asgi import shut_down
from tests.system.world import World

DOCUMENT = Path(__file__).parents[2] / "docs" / "decisions.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
PROGRAMS = {text.splitlines()[0][2:]: text for text in BLOCKS}


def run(name: str, world: World) -> Any:
    """What a program defines; only the gateway's address is another one."""
    program = PROGRAMS[name]
    defined: dict[str, Any] = {"__name__": name}
    exec(compile(program.replace("http://127.0.0.1:8080", world.url), name, "exec"), defined)
    return SimpleNamespace(**defined)


def test_every_program_is_run_here():
    """No snippet goes without a test."""
    assert {"client.py", "fastapi_service.py", "aiohttp_service.py", "litellm_gate.py"} == set(PROGRAMS)


async def test_the_commands(world: World):
    """Typed as they stand, with the key and the decision's id in their variables, they print what is shown."""
    console = re.findall(r"^\$ curl ([^\n]+)\n([^\n]+)$", DOCUMENT.read_text(), re.MULTILINE)
    variables = {"KEY": await world.key("100"), "ID": ""}

    for command, shown in console:
        known = command.replace("$KEY", variables["KEY"]).replace("$ID", variables["ID"])
        words = shlex.split(known.replace("http://127.0.0.1:8080", world.url))
        headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
        async with httpx.AsyncClient(headers=headers) as curl:
            answer = await curl.post(words[1], content=words[words.index("-d") + 1])
        variables["ID"] = answer.json()["id"]
        pattern = ".*".join(map(re.escape, shown.split("…")))
        assert re.fullmatch(pattern, answer.text.strip()), answer.text

    assert 2 == len(console)


async def test_the_client(world: World):
    """A picture is settled, none is released, and too few credits are told by their code."""
    one_picture, key = run("client.py", world).one_picture, await world.key("100")

    async def draws(picture: str | None) -> Any:
        async def draw() -> str | None:
            return picture

        return await one_picture(world.url, key, draw)

    assert [None, "picture", "insufficient_credits"] == [await draws(each) for each in (None, "picture", "another")]
    assert 73_500_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_the_fastapi_service(world: World):
    """Five lines gate an endpoint."""
    app, key = run("fastapi_service.py", world).app, await world.key("50")

    @app.post("/images")
    async def images(request: Request) -> dict[str, list[str]]:
        await request.json()
        return {"outputs": ["one"]}

    transport, headers = httpx.ASGITransport(app), {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://studio.test", headers=headers) as client:
        answers = [await client.post("/images", json={"prompt": "a cat"}) for _ in range(2)]
    await shut_down(app)

    assert [200, 402] == [each.status_code for each in answers]
    assert 49_000_000 == (await world.balance()).charged


async def test_the_aiohttp_service(world: World):
    """So they do here."""
    app, key = run("aiohttp_service.py", world).app, await world.key("50")

    async def images(_request: web.Request) -> web.Response:
        return web.json_response({"outputs": ["one"]})

    app.router.add_post("/images", images)
    server = TestServer(app)
    await server.start_server()
    statuses = []
    async with ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
        for _ in range(2):
            async with session.post(server.make_url("/images"), json={"prompt": "a cat"}) as answer:
                statuses.append(answer.status)
    await server.close()

    assert [200, 402] == statuses
    assert 49_000_000 == (await world.balance()).charged


async def proxied(hook: Any, data: dict[str, Any], answer: Any, call_type: str = "image_generation") -> Any:
    """As LiteLLM's proxy calls a hook: before, then after a success or a failure, with the same data."""
    user = SimpleNamespace(user_id="amy")
    try:
        data = await hook.async_pre_call_hook(user, None, data, call_type)
    except HTTPException as error:
        answer = error
    if isinstance(answer, Exception):
        await hook.async_post_call_failure_hook(data, answer, user)
        return answer
    return await hook.async_post_call_success_hook(data, user, answer)


async def test_the_litellm_hook(world: World, monkeypatch: pytest.MonkeyPatch):
    """Pictures are settled by their number, a failure is released, a refusal is raised, and other calls pass."""
    names = ("litellm", "litellm.integrations", "litellm.integrations.custom_logger")
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[names[-1]].CustomLogger = type("CustomLogger", (), {})  # type: ignore[attr-defined]
    monkeypatch.setenv("GATEKEEPER_URL", world.url)
    monkeypatch.setenv("GATEKEEPER_KEY", await world.key("80"))
    hook = run("litellm_gate.py", world).gate
    asked = {"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024", "n": 2}

    made = await proxied(hook, {**asked}, SimpleNamespace(data=["one"]))
    failed = await proxied(hook, {**asked, "n": 1}, TimeoutError())
    running = await hook.async_pre_call_hook(SimpleNamespace(user_id=None), None, {**asked, "n": 1}, "image_generation")
    forged = {**asked, "metadata": {"gatekeeper": running["metadata"]["gatekeeper"]}}
    refused = await proxied(hook, forged, None)
    passed = await proxied(hook, {"model": "gpt-5", "metadata": None}, "text", "completion")
    await hook.client.close()

    assert (["one"], TimeoutError, "text") == (made.data, type(failed), passed)
    assert isinstance(refused, HTTPException)
    assert 402 == refused.status_code
    assert (35_000_000, 35_000_000) == ((await world.balance()).charged, (await world.balance()).held)
    assert ["amy", "amy", None] == [each["member"] for each in world.events("generation.admitted")]
