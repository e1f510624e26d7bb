"""Whether everybody says the same when a run is over: the stand-in, the ledger, and `gatekeeper verify`."""

import json
from typing import Any

from benchmarks.bench import Bench, Site
from benchmarks.servers import CREDITS, run_command
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.ledger import Ledger


async def check_books(bench: Bench) -> list[dict[str, Any]]:
    """The verdict on each store that gateways worked on."""
    tallies = await bench.tallies()
    return [await _check(site, tallies) for site in bench.sites.values()]


async def _check(site: Site, tallies: dict[str, dict[str, int]]) -> dict[str, Any]:
    pictures, jobs = (tallies.get(who, {}).get("outputs", 0) for who in (site.who, f"{site.who}-jobs"))
    made = pictures * CREDITS["bench-painter"] + jobs * CREDITS["bench-studio"]
    balance = await _balance(site.store_url)
    code, told = await run_command(site.gateway, "verify", "--json")
    found = {
        "store": site.name,
        "outputs": pictures + jobs,
        "credits_made": made,
        "credits_charged": balance["charged"] / MICRO,
        "credits_held": balance["held"] / MICRO,
        "open_holds": balance["open_holds"],
        "verify_clean": code == 0 and bool(json.loads(told)["clean"]),
    }
    quiet = balance == {"charged": made * MICRO, "held": 0, "open_holds": 0}
    return found | {"agree": quiet and found["verify_clean"]}


async def _balance(store_url: str) -> dict[str, int]:
    ledger = Ledger(StoreClient(connect(store_url)))
    balance = await ledger.balance("bench")
    await ledger.close()
    return {"charged": balance.charged, "held": balance.held, "open_holds": balance.open_holds}


def line(book: dict[str, Any]) -> str:
    """One line for people."""
    verdict = "agree" if book["agree"] else "DO NOT AGREE"
    return (
        f"{book['store']}: books {verdict}: {book['outputs']:,} outputs made, worth {book['credits_made']:,} credits; "
        f"{book['credits_charged']:,.15g} charged, {book['credits_held']:,.15g} held, {book['open_holds']} open holds; "
        f"verify {'clean' if book['verify_clean'] else 'NOT clean'}"
    )
