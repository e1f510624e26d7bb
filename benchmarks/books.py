"""Whether everybody says the same when a run is over: the stand-in, the ledger, and `gatekeeper verify`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from benchmarks.bench import Bench, Site
from benchmarks.servers import CREDITS, run_command
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.ledger import Ledger

Answer = TypeVar("Answer")
AT_ONCE: Final = 50
"""Teams asked about side by side."""


async def check_books(bench: Bench) -> list[dict[str, Any]]:
    """The verdict on each store that gateways worked on."""
    tallies = await bench.tallies()
    return [await _check(site, tallies) for site in bench.sites.values()]


async def _check(site: Site, tallies: dict[str, dict[str, int]]) -> dict[str, Any]:
    pictures, jobs = (tallies.get(who, {}).get("outputs", 0) for who in (site.who, f"{site.who}-jobs"))
    made = pictures * CREDITS["bench-painter"] + jobs * CREDITS["bench-studio"]
    balance = await _balance(site.store_url, site.teams or ("bench",))
    found = {
        "store": site.name,
        "outputs": pictures + jobs,
        "credits_made": made + site.before / MICRO,
        "credits_charged": balance["charged"] / MICRO,
        "credits_held": balance["held"] / MICRO,
        "open_holds": balance["open_holds"],
        "verify_clean": await _verified(site),
    }
    quiet = balance == {"charged": made * MICRO + site.before, "held": 0, "open_holds": 0}
    return found | {"agree": quiet and found["verify_clean"]}


async def _verified(site: Site) -> bool:
    if not site.teams:
        code, told = await run_command(site.gateway, "verify", "--json")
        return code == 0 and bool(json.loads(told)["clean"])
    async with _ledger(site.store_url) as ledger:
        return all([report.clean async for report in _each(ledger.verify, site.teams)])


async def _balance(store_url: str, teams: Sequence[str]) -> dict[str, int]:
    found = {"charged": 0, "held": 0, "open_holds": 0}
    async with _ledger(store_url) as ledger:
        async for balance in _each(ledger.balance, teams):
            for name in found:
                found[name] += getattr(balance, name)
    return found


@asynccontextmanager
async def _ledger(store_url: str) -> AsyncIterator[Ledger]:
    ledger = Ledger(StoreClient(connect(store_url)))
    yield ledger
    await ledger.close()


async def _each(ask: Callable[[str], Awaitable[Answer]], teams: Sequence[str]) -> AsyncIterator[Answer]:
    for some in (teams[at : at + AT_ONCE] for at in range(0, len(teams), AT_ONCE)):
        for answer in await asyncio.gather(*map(ask, some)):
            yield answer


def line(book: dict[str, Any]) -> str:
    """One line for people."""
    verdict = "agree" if book["agree"] else "DO NOT AGREE"
    return (
        f"{book['store']}: books {verdict}: {book['outputs']:,} outputs made, "
        f"worth {book['credits_made']:,.15g} credits; "
        f"{book['credits_charged']:,.15g} charged, {book['credits_held']:,.15g} held, {book['open_holds']} open holds; "
        f"verify {'clean' if book['verify_clean'] else 'NOT clean'}"
    )
