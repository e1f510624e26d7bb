"""Growth: what is filled in is what real calls would have left, and the arithmetic of its tables."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from benchmarks.client import message
from benchmarks.grown.asking import ask_all
from benchmarks.grown.filling import (
    CHARGE,
    MODELS_IN_A_FILE,
    PATTERN,
    copy_teams,
    make_pattern,
    model_name,
    secret_of,
    settle_many,
    team_name,
    write_models,
)
from benchmarks.grown.points import RSS_AFTER, STORE_MB, request_us
from benchmarks.grown.sizes import FULL, QUICK, GrowthSizes
from benchmarks.grown.tables import table
from benchmarks.grown.teams import AT_WORK_MAX, some_of
from benchmarks.grown.traffic import of_many
from benchmarks.ledger_store import found, hold_all, new_store, orders, settle_all
from benchmarks.load import Window
from benchmarks.results import Row
from benchmarks.servers import KEY, MODEL
from gatekeeper.catalog import load_catalog
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.auth import key_sha256
from tests.benchmarks.conftest import StandIn


@dataclass
class Filled:
    """A point as a table takes it."""

    size: int
    found: dict[str, list[float]] = field(default_factory=dict)


@pytest.fixture(name="store")
async def _store() -> AsyncIterator[tuple[Ledger, Redis]]:
    """A server of its own, with nothing in it."""
    async with new_store(0) as store:
        yield store.ledger, store.redis


async def test_a_copied_team_is_a_team(store: tuple[Ledger, Redis]) -> None:
    """It has its credits, works, and its books can be derived."""
    ledger, redis = store
    await make_pattern(ledger)
    await copy_teams(redis, 0, 3)
    todo = orders(team_name(2), 2)
    await hold_all(ledger, todo)
    await settle_all(ledger, todo)

    reports = [await ledger.verify(team) async for team in ledger.teams()]

    assert [()] * 4 == [report.differences for report in reports]
    assert [1000, 0] == [(await ledger.balance(team_name(number))).charged for number in (2, 1)]


async def test_the_key_of_a_copied_team_is_its_own(store: tuple[Ledger, Redis]) -> None:
    """Found by its secret, which no other team has."""
    ledger, redis = store
    await make_pattern(ledger)
    await copy_teams(redis, 0, 3)

    keys = [await ledger.keyring.find(key_sha256(secret_of(number))) for number in range(4)]

    assert [team_name(0), team_name(1), team_name(2), None] == [key and key.team for key in keys]


async def test_settled_holds_that_are_filled_in_can_be_derived(store: tuple[Ledger, Redis]) -> None:
    """Journal, counters, usage and figures agree, and a real hold goes on from there."""
    ledger, redis = store
    await found(ledger, "old", limits=True)
    await settle_many(ledger, redis, "old", 1001)
    todo = orders("old", 1)
    await hold_all(ledger, todo)
    await settle_all(ledger, todo)

    report, balance = await ledger.verify("old"), await ledger.balance("old", member="amy")

    assert ((), 2 + 2 * 1002) == (report.differences, report.entries)
    assert {1002 * CHARGE} == {balance.charged, *(limit.used for limit in balance.limits)}


def test_models_are_written_as_a_catalog_has_them(tmp_path: Path) -> None:
    """As many as were asked for, in files that may be read together."""
    files = write_models(tmp_path, MODELS_IN_A_FILE + 2)

    catalog = load_catalog(files)

    assert [model_name(number) for number in range(MODELS_IN_A_FILE + 2)] == [model.id for model in catalog.models]
    assert 2 == len(files)


def test_a_models_name_is_as_long_as_another() -> None:
    """One can be put in the place of the one that is asked for everywhere else."""
    assert {len(MODEL)} == {len(model_name(number)) for number in (0, 9_999)}


def test_requests_are_of_many() -> None:
    """Keys and models are drawn from all that are named, and the body is as long as it says."""
    make = of_many("http://127.0.0.1:1/v1", [secret_of(1), secret_of(2)], [model_name(1), model_name(2)])

    requests = [make() for _ in range(50)]

    assert not any(KEY.encode() in each or MODEL.encode() in each for each in requests)
    for name in (secret_of(1), secret_of(2), model_name(1), model_name(2)):
        assert any(name.encode() in each for each in requests)
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_a_model_with_a_longer_name_is_not_taken() -> None:
    """The length of the body stands before it."""
    with pytest.raises(ValueError, match="as long as"):
        of_many("http://127.0.0.1:1/v1", models=["another-painter"])


def test_teams_at_work_are_spread_over_all() -> None:
    """All of few; of many as many as a run takes, none twice."""
    few, many = some_of(10), some_of(1_000_000)

    assert list(range(10)) == few
    assert (AT_WORK_MAX, 0, True) == (len(set(many)), many[0], many[-1] > 990_000)


def test_what_is_done_beside_is_no_request() -> None:
    """One second of a window of 100 requests had 2 ms of it."""
    window = Window(seconds=1.0)
    window.statuses[200] = 100

    assert 480 == request_us(50_000, window, 2_000)


def test_a_table_compares_with_the_smallest_size() -> None:
    """What is not flat has its reason beside it, what is flat has none; what each adds is told."""
    small = Filled(10, {"cost": [100.0, 110.0], "start": [1.0], STORE_MB: [2.0], RSS_AFTER: [100.0]})
    large = Filled(1034, {"cost": [104.0, 110.0], "start": [2.0], STORE_MB: [4.0], RSS_AFTER: [100.5]})

    rows = {row.name: row for row in table("t", "T", "teams", [small, large], {"start": "it reads", "cost": "no"}).rows}

    assert ("it reads", 2.0, "10 teams") == _told(rows["start: 1,034 teams"])
    assert ("", 1.02, "10 teams") == _told(rows["cost: 1,034 teams"])
    assert (2.0, 0.5) == (
        rows["store, KB that each adds: 1,034 teams"].value.median,
        rows["gateway, KB that each adds: 1,034 teams"].value.median,
    )


def _told(row: Row) -> tuple[str, float, str]:
    assert row.ratio is not None
    return row.note, round(row.ratio.median, 6), row.base


@pytest.mark.parametrize("sizes", [FULL, QUICK])
def test_sizes_grow(sizes: GrowthSizes) -> None:
    """The first of each is what the others are compared with."""
    for name in ("teams", "models", "settled", "jobs"):
        grown = getattr(sizes, name)

        assert sorted(grown) == list(grown)
        assert len(grown) > 1


def test_the_pattern_is_no_team_of_the_load() -> None:
    """Nobody asks in its name."""
    assert PATTERN not in map(team_name, range(10))


async def test_all_are_asked_and_told_in_order(stand_in: StandIn) -> None:
    """More than at a time; each answer in the place of its request."""
    submit = message("POST", f"{stand_in.url}/test/fal/bench/studio", b"{}")
    about = [str(orjson.loads(each)["response_url"]) for each in await ask_all(stand_in.url, [submit] * 100)]

    answers = await ask_all(stand_in.url, [message("GET", f"{url}/status") for url in about])

    assert [url.rsplit("/", 1)[1] for url in about] == [orjson.loads(each)["request_id"] for each in answers]


async def test_a_wrong_answer_ends_the_asking(stand_in: StandIn) -> None:
    """With what was asked, and what came back."""
    with pytest.raises(RuntimeError, match=r"^GET /nowhere"):
        await ask_all(stand_in.url, [b"GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"])


async def test_a_result_that_is_fetched_twice_was_made_once(stand_in: StandIn) -> None:
    """The gateway may ask for it as well as its caller."""
    submit = message("POST", f"{stand_in.url}/test/fal/bench/studio", b"{}")
    (told,) = await ask_all(stand_in.url, [submit])
    result = message("GET", orjson.loads(told)["response_url"])

    await ask_all(stand_in.url, [result, result])

    assert 1 == stand_in.tally.outputs
