"""Mutation by hand: without any one of its guards a script fails a probe, on a real server."""

import re
from collections.abc import Callable, Iterator

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.lua import NAMES, script
from tests.cases import case
from tests.torture.bench import Bench, MutantClient, Mutation, script_text
from tests.torture.model import own_server
from tests.torture.mutations import MUTATIONS
from tests.torture.probes_end import END_PROBES
from tests.torture.probes_hold import HOLD_PROBES
from tests.torture.probes_journal import JOURNAL_PROBES
from tests.torture.probes_keys import KEY_PROBES
from tests.torture.probes_lots import LOT_PROBES
from tests.torture.probes_once import ONCE_PROBES
from tests.torture.probes_terms import TERM_PROBES
from tests.torture.probes_usage import USAGE_PROBES
from tests.torture.probes_wallet import WALLET_PROBES

ALL_PROBES = (
    *HOLD_PROBES, *END_PROBES, *ONCE_PROBES, *LOT_PROBES, *KEY_PROBES, *JOURNAL_PROBES, *TERM_PROBES, *USAGE_PROBES,
    *WALLET_PROBES,
)  # fmt: skip
PROBES = {probe.__name__: probe for probe in ALL_PROBES}
WORDS = (
    "INVALID|NO_TEAM|STALE|MISMATCH|REPEAT|DUPLICATE|RESOLVED|KEPT|GONE|CONFLICT|UNCHANGED|RETRY|MOVED|NOT_EXPORTED|"
    "CAPPED|NO_CHARGE|SUPERSEDED|UNSURE|SHORT|NONE"
)
"""With these a script refuses, or says that it was asked before."""
GUARD = re.compile(rf"return (?:\{{|reply\()'(?:{WORDS})")
CODE = re.compile(r"(?:return \{|reply\(|or |status = )'([A-Z][A-Z_]+)'")


@pytest.fixture(name="redis", scope="module")
def _redis() -> Iterator[Callable[[], Redis]]:
    with own_server() as socket:
        yield lambda: connect(f"unix://{socket}")


async def passes(redis: Redis, probe: str, mutation: Mutation | None) -> bool:
    """Whether the probe ends as it should."""
    client = MutantClient(redis, mutation)
    bench = Bench(client)
    try:
        await bench.found()
        await PROBES[probe](bench)
    except (AssertionError, LedgerError, TypeError, ValueError):
        return False
    finally:
        await client.close()
    return True


async def test_every_probe_passes_and_every_answer_of_every_script_is_seen(redis: Callable[[], Redis]) -> None:
    """With its guards a script passes all probes, and together they hear every word that a script can say."""
    heard: set[tuple[str, str]] = set()
    for probe in PROBES.values():
        client = MutantClient(redis(), None)
        bench = Bench(client)
        await bench.found()
        await probe(bench)
        heard |= client.codes
        await client.close()

    said = {(name, code) for name in NAMES for code in CODE.findall(script_text(name))}
    assert set() == said - heard


@pytest.mark.parametrize("file", sorted({mutation.file for mutation in MUTATIONS}))
async def test_without_a_guard_a_probe_fails(redis: Callable[[], Redis], file: str) -> None:
    """The guard is in the script once, the script without it can still be loaded, and its probe notices."""
    for mutation in MUTATIONS:
        if mutation.file == file:
            with case(mutation.name):
                assert 1 == script_text(file).count(mutation.text)
                await can_be_loaded(redis(), mutation)
                assert not await passes(redis(), mutation.probe, mutation)


async def can_be_loaded(store: Redis, mutation: Mutation) -> None:
    """Raises what the server says of a script without its guard."""
    for name in NAMES if mutation.file == "prelude" else (mutation.file,):
        await store.script_load(mutation.apply(name, script(name).text))
    await store.aclose()


def test_every_guard_is_in_the_list() -> None:
    """Each line by which a script refuses or repeats has a mutation, in itself or in the condition above it."""
    found = [(name, line, near) for name in NAMES for line, near in guards(script_text(name))]
    missing = [f"{name}.lua: {line.strip()}" for name, line, near in found if not listed(name, near)]

    assert [] == missing


def guards(text: str) -> list[tuple[str, str]]:
    """Each guard's line, and the lines from its condition to it."""
    lines, found = text.splitlines(), []
    for number, line in enumerate(lines):
        if GUARD.search(line) and not line.lstrip().startswith("--"):
            begin = next(at for at in range(number, -1, -1) if lines[at].lstrip().startswith(("if ", "local function")))
            found.append((line, "\n".join(lines[begin : number + 1])))
    return found


def listed(name: str, near: str) -> bool:
    """Whether a mutation takes this guard out."""
    return any(mutation.file == name and mutation.text in near for mutation in MUTATIONS)
