"""What the console shows to be copied is sent, word for word, to a running gateway: it is admitted at exactly the price
that stood beside it."""

import asyncio
import io
import json
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from gatekeeper.console.calculator import calculate
from gatekeeper.console.dataport import data_port_of
from gatekeeper.console.snippets.samples import Code, quote_code, samples
from gatekeeper.core.credits import credits_text, parse_credits
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.registry import DIALECTS
from tests.console.shop import forms_of, model, shipped
from tests.system.conftest import StartWorld
from tests.system.tlsrelay import CERTIFICATE, TlsRelay
from tests.system.world import World, settings_for

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:blackforest.*"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("swept"),
]
"""Of the SDKs: the first two as in their tests, the others for programs that end without closing their client."""

MUCH = "100000000"
"""Credits for all of it."""

NAMES = [each.id for each in shipped().models]
PARTS = 4
"""The models are shared out, a world for each share."""

PLACE, HOST_PLACE = "http://127.0.0.1:65535", "http://localhost:65535"
"""Where the gateway will be, until that is known."""

HOSTED = {"providers": {"bfl": {"host": "localhost"}}}


ANSWER: dict[str, Any] = {
    "created": 1,
    "data": [{"url": "https://pictures.example/1.png"}],
    "candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}}],
    "done": False,
    "status": "processing",
    "state": "queued",
    "model": "m",
    "version": "v",
    "input": {},
    "urls": {},
    "polling_url": "http://127.0.0.1:65535/v1/get_result",
}


ONE_OF_EACH = (
    "chatgpt-1.5", "flux-dev", "ideogram-v3", "minimax-image", "nano-banana", "qwen-image", "recraft-v4", "topaz",
    "magnific-precision-v2", "kling-2.6-pro", "ray-2", "seedance-1.0-pro", "xai-grok-imagine",
)  # fmt: skip
"""Small pictures and short films; together every format."""


@dataclass(frozen=True)
class Shown:
    """A snippet, the credits that stand beside it, and how large a picture goes in."""

    code: Code
    credits: str
    pixels: Pixels | None


def shown(name: str, form: dict[str, str], tmp_path: Path, language: str, url: str) -> list[Shown]:
    """The snippets of one form. They are made before the gateway runs: a loop that stands still takes no more."""
    calculation = calculate(model(name), form)
    data_port = data_port_of(settings_for(tmp_path, "http://127.0.0.1:1", **HOSTED))
    found = samples(shipped(), calculation, data_port.doors, url).found
    codes = [code for sample in found for code in sample.codes if code.language == language]
    return [Shown(code, credits_text(calculation.quote.credits), calculation.valid.input_pixels) for code in codes]


def all_shown(part: int, tmp_path: Path, language: str) -> list[Shown]:
    """Those of a share of the models, before anything is chosen and with everything chosen."""
    found = []
    for name in NAMES[part::PARTS]:
        forms = list(forms_of(model(name)))
        for form in (forms[0], forms[-1]):
            found += shown(name, form, tmp_path, language, PLACE)
    return found


def picture(pixels: Pixels | None) -> bytes:
    """A PNG of this size."""
    data = io.BytesIO()
    Image.new("RGB", (pixels.width, pixels.height) if pixels else (64, 64)).save(data, "PNG")
    return data.getvalue()


async def curl(world: World, text: str, key: str, pixels: Pixels | None = None) -> aiohttp.ClientResponse:
    """Does what curl would with these words."""
    joined = text.replace("\\\n", " ")  # a shell goes on with the next line, which shlex does not know
    words = shlex.split(joined.replace("$GATEKEEPER_KEY", key))
    assert ["curl", "-sS"] == words[:2]
    headers, form, body = {}, aiohttp.FormData(default_to_multipart=True), None
    for option, value in zip(words[3::2], words[4::2], strict=True):
        match option:
            case "-H":
                name, _, header = value.partition(": ")
                headers[name] = header
            case "-d":
                body = value.encode()
            case "-F":
                name, _, field = value.partition("=")
                file = {"filename": "picture.png", "content_type": "image/png"} if field.startswith("@") else {}
                form.add_field(name, picture(pixels) if file else field, **file)
    async with world.session.post(words[2], headers=headers, data=form if body is None else body) as response:
        await response.read()
    return response


@pytest.fixture(name="anybody")
async def _anybody() -> AsyncIterator[str]:
    """A provider that is all of them and draws nothing: its one answer has what any SDK looks for."""
    numbers = count(1)

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        name = f"job-{next(numbers)}"
        return web.json_response(ANSWER | {"id": name, "name": f"models/m/operations/{name}", "task_id": name})

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/{anything:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.mark.parametrize("part", range(PARTS))
async def test_curl_is_admitted_at_the_price_shown(
    start_world: StartWorld, tmp_path: Path, anybody: str, part: int
) -> None:
    """For every model of the catalog, before anything is chosen and with everything chosen, at every provider."""
    snippets = all_shown(part, tmp_path, "curl")
    world = await start_world(provider_url=anybody, **HOSTED)
    key = await world.key(MUCH)

    for each in snippets:
        response = await curl(world, each.code.text.replace(PLACE, world.url), key, each.pixels)

        held = response.headers.get("Gatekeeper-Credits-Held")
        assert (each.code.text, each.credits) == (each.code.text, held)


async def test_the_sandbox_takes_what_is_shown(start_world: StartWorld, tmp_path: Path) -> None:
    """A provider that looks at what it is sent, in each format: it makes or begins what was asked for."""
    snippets = [each for name in ONE_OF_EACH for each in shown(name, {}, tmp_path, "curl", PLACE)]
    world = await start_world(**HOSTED)
    key = await world.key(MUCH)

    asked = set()
    for each in snippets:
        response = await curl(world, each.code.text.replace(PLACE, world.url), key, each.pixels)

        # The sandbox's native backend draws pictures only.
        expected = 400 if "studio" in each.code.id and "video.generate" in each.code.text else 200
        assert (each.code.text, expected) == (each.code.text, 200 if response.ok else response.status)
        asked.add(each.code.id.split("-")[1])
    assert set(DIALECTS) | {"studio"} == asked | {"native"}


@pytest.mark.parametrize("part", range(PARTS))
async def test_the_question_of_the_price_names_it(start_world: StartWorld, part: int) -> None:
    """`POST /v1/quotes` says what the console says, of every model and with its lines."""
    every = [calculate(model(name), form) for name in NAMES[part::PARTS] for form in forms_of(model(name))]
    asked = [(each.quote, quote_code(each, PLACE).text) for each in every]
    world = await start_world()
    key = await world.key(MUCH)

    for quoted, text in asked:
        response = await curl(world, text.replace(PLACE, world.url), key)

        said = await response.json(loads=partial(json.loads, parse_float=Decimal))
        lines = [(line["item"], parse_credits(Decimal(line["credits"]))) for line in said["lines"]]
        assert [(line.item, line.credits) for line in quoted.lines] == lines
        assert (quoted.credits, quoted.price_list.id) == (parse_credits(Decimal(said["credits"])), said["price_list"])


@pytest.mark.parametrize("part", range(PARTS))
async def test_the_sdk_is_admitted_at_the_price_shown(
    start_world: StartWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anybody: str, part: int
) -> None:
    """Each program is run to its end as it is shown, with the SDK as it comes from its registry."""
    snippets = all_shown(part, tmp_path, "Python")
    world = await start_world(provider_url=anybody, **HOSTED)
    monkeypatch.setenv("GATEKEEPER_KEY", await world.key(MUCH))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picture.png").write_bytes(picture(None))

    for each in snippets:
        before = len(world.events("generation.admitted"))
        await asyncio.to_thread(run, each.code.text.replace(PLACE, world.url).replace(HOST_PLACE, by_name(world)))

        admitted = [credits_of(line) for line in world.events("generation.admitted")[before:]]
        assert (each.code.text, [each.credits]) == (each.code.text, admitted)


def credits_of(admitted: dict[str, Any]) -> str:
    """What a line of the log says that was held."""
    return credits_text(parse_credits(str(admitted["credits"])))


def by_name(world: World) -> str:
    return world.url.replace("127.0.0.1", "localhost")


def run(program: str) -> None:
    """Runs a program here: to start a process for each would take a second."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(program, "snippet", "exec"), names)


async def test_fals_sdk_is_admitted_by_https(start_world: StartWorld, tmp_path: Path) -> None:
    """It reads its hosts when it is imported, so each program has a process of its own."""
    relay = TlsRelay()
    await relay.start()
    world = await start_world(public_url=relay.url)
    relay.target = world.url
    key = await world.key(MUCH)

    for name, form in (("flux-dev", {"aspect_ratio": "16:9"}), ("veo-3.1", {"resolution": "4K"})):
        programs = shown(name, form, tmp_path, "Python", relay.url)
        program = next(each for each in programs if each.code.id == "code-fal-python")
        environment = {"GATEKEEPER_KEY": key, "SSL_CERT_FILE": str(CERTIFICATE), "PATH": ""}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program.code.text, env=environment)
        assert 0 == await process.wait()
        assert program.credits == credits_of(world.events("generation.admitted")[-1])
    await relay.close()
