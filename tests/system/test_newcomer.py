"""A newcomer's route, from `make run` to the first picture, a refusal, and on: with a browser and OpenAI's SDK."""

import asyncio
import base64
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI
from playwright.async_api import expect

from tests.browser.chromium import chromium
from tests.browser.demoing import TOKEN, Demo, demo_of
from tests.browser.looking import Look, looking
from tests.system.process import Process

ROOT = Path(__file__).parents[2]

PRICE = 35
"""Of one picture of the SDK's, in credits."""


@asynccontextmanager
async def made_run(clone: Path) -> AsyncIterator[Process]:
    """`make run` there, on free ports, in a group of its own: whatever it started is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        "make", "run", "RUN_ARGS=--port 0 --admin-port 0", cwd=clone, stdout=asyncio.subprocess.PIPE,
        env=environment(), start_new_session=True, limit=2**20,
    )  # fmt: skip
    running = Process(process)
    try:
        yield running
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await running.ended()


def environment() -> dict[str, str]:
    """That of somebody at a shell: nothing of the make or the Python that runs the tests."""
    ours = ("MAKE", "MFLAGS", "PYTHONPATH", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONUNBUFFERED": "1", "GATEKEEPER_ADMIN_TOKEN": TOKEN}


@pytest.fixture(name="clone")
def _clone(tmp_path: Path) -> Path:
    """What a clone has and a run needs, set up: the environment of the tests stands for the one that make would build
    with the network."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("gatekeeper", "config"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("data", "__pycache__"))
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    makefile = (ROOT / "Makefile").read_text()
    version = re.findall(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)[0]
    for stamp in (f".has-uv-{version}", ".ready-to-run"):
        (venv / stamp).touch()
    return tmp_path


@pytest.fixture(name="route")
async def _route(clone: Path) -> AsyncIterator[tuple[Look, Demo]]:
    """`make run` in the clone, and a browser before it."""
    async with (
        made_run(clone) as process,
        demo_of(process) as demo,
        chromium() as browser,
        looking(browser, demo) as look,
    ):
        yield look, demo
        assert [] == look.complaints


async def picture(client: AsyncOpenAI) -> bytes:
    """One of OpenAI's squares."""
    answer = await client.images.generate(model="gpt-image-1.5", prompt="a lighthouse", size="1024x1024")
    assert answer.data
    return base64.b64decode(answer.data[0].b64_json or "")


async def test_the_route(route: tuple[Look, Demo]) -> None:
    """Open the console, issue a key, generate, see the charge, hit a limit, read why in the console and in the log,
    raise the limit, go on."""
    look, demo = route
    await look.sign_in()
    await look.page.get_by_role("link", name="demo").click()
    await look.page.locator("#issue-key").click()
    await look.act("Issue the key", "to try it", Name="newcomer")
    secret = await look.page.locator("#secret").inner_text()
    await look.page.get_by_role("link", name="Done").click()

    async with AsyncOpenAI(base_url=f"{demo.url}/openai/v1", api_key=secret) as client:
        assert (await picture(client)).startswith(b"\x89PNG")
        await look.go("/teams/demo")
        await expect(look.page.locator("#by-model")).to_contain_text(f"{PRICE}")
        await expect(look.page.locator("#credits .first dd")).to_contain_text(f"{1000 - PRICE}")

        await look.page.locator("#set-limit").click()
        await look.act("Set the limit", "not all at once", Credits="50")
        with pytest.raises(openai.APIStatusError) as caught:
            await picture(client)
        await read_why(look, demo, caught.value)

        await look.go("/teams/demo")
        await look.page.locator('[data-limit="team/month"]').get_by_role("link", name=re.compile("^Change")).click()
        await look.act("Set the limit", "it is worth it", Credits="500")
        await look.told("team may spend 500 credits per month.")
        assert (await picture(client)).startswith(b"\x89PNG")

    await look.go("/teams/demo")
    await expect(look.page.locator('[data-limit="team/month"]')).to_contain_text(f"{2 * PRICE} of 500")


async def read_why(look: Look, demo: Demo, refused: openai.APIStatusError) -> None:
    """The SDK's exception, the console's row and the log's line say the same."""
    await look.page.get_by_role("link", name="Refusals").click()
    row = look.page.locator("tr.refusal").first
    await expect(row).to_contain_text("team per month")
    line = await demo.process.event("generation.rejected")

    codes = (refused.code, await row.get_attribute("data-code"), line["code"])
    assert (402, ("limit_exceeded",) * 3) == (refused.status_code, codes)
    assert refused.response.headers["Gatekeeper-Request-Id"] == line["request_id"]
