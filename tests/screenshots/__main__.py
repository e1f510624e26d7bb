"""`make screenshots`: pictures of the console at a gateway with a month of life in it, into docs/screenshots/.

Everything that would differ from one run to the next is held: the calendar, the draws, the random part of ids. So a
picture changes when the console does.
"""

import argparse
import asyncio
import io
import random
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest

from gatekeeper import recent
from gatekeeper.app import running_gateway
from gatekeeper.clock import SystemClock
from gatekeeper.console.pages import actions
from gatekeeper.demo import demo_settings
from gatekeeper.logs import configure_logs
from gatekeeper.proxy import entropy
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from gatekeeper.settings import load_settings
from tests.browser.chromium import chromium
from tests.screenshots import afternoon
from tests.screenshots.month import TEAMS, Month
from tests.screenshots.pictures import take_all
from tests.system.almanac import Almanac, turned_by_hand
from tests.system.world import CATALOG

INTO = Path(__file__).parents[2] / "docs" / "screenshots"

PUBLIC_URL = "http://127.0.0.1:8080"
"""What snippets say, whichever port was free."""


async def main(directory: Path) -> None:
    """Plays the month, looks at it, judges its books."""
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  # one call at the start
    configure_logs("error", "json", io.BytesIO())
    with pytest.MonkeyPatch.context() as patch, turned_by_hand(patch) as almanac:
        hold_still(patch, almanac)
        await _play_and_take(directory, almanac)


def hold_still(patch: pytest.MonkeyPatch, almanac: Almanac) -> None:
    """No clock but the calendar, and the same dice each time. Nothing here keeps a secret."""
    dice = random.Random(1)
    patch.setattr(SystemClock, "now", lambda _: almanac.now())
    patch.setattr(recent, "time_ns", lambda: int(almanac.now().timestamp()) * 10**9)
    patch.setattr(entropy, "os", SimpleNamespace(urandom=dice.randbytes))
    patch.setattr(actions, "secrets", SimpleNamespace(token_hex=lambda size: dice.randbytes(size).hex()))


async def _play_and_take(directory: Path, almanac: Almanac) -> None:
    sandbox = await start_sandbox(SandboxSettings(), host="127.0.0.1", port=0)
    with tempfile.TemporaryDirectory(prefix="gk-") as scratch:
        overrides = {
            "server": {"port": 0, "admin_port": 0, "public_url": PUBLIC_URL},
            "store": {"data_dir": scratch},
            "catalog": [str(path) for path in sorted(CATALOG.glob("*.yaml"))],
            "signals": {"watch_every_s": 0.2, "diagnose_every_s": 0.2},
        }
        settings = demo_settings(load_settings(None, overrides), sandbox.url, Path(scratch))
        async with running_gateway(settings, clock=almanac) as gateway, aiohttp.ClientSession() as session:
            began = datetime.now()  # noqa: DTZ005  # how long it takes, for whoever waits
            month = Month(gateway, almanac, session)
            await month.play()
            await afternoon.play(month)
            for team in TEAMS:
                report = await gateway.store.ledger.verify(team.id)
                assert report.differences == (), (team.id, report.differences)
            print(f"the month took {(datetime.now() - began).total_seconds():.0f} s", file=sys.stderr)  # noqa: DTZ005
            async with chromium() as browser:
                for path in await take_all(browser, gateway.admin_url, gateway.admin_token, directory):
                    print(f"{path.stat().st_size // 1024:4} KB  {path.name}")
    await sandbox.close()


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__, prog="make screenshots")
    reader.add_argument("--into", type=Path, default=INTO)
    asyncio.run(main(reader.parse_args().into))
