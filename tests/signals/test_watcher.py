"""What is told, to whom, and that it is told once: on a real store, by one watcher and by several at once."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.clock import SystemClock
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.alerts import alert_id
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldContext, HoldOrder
from gatekeeper.ledger.teamrecord import Limit, Per, Project, TeamRecord
from gatekeeper.metrics import Metrics
from gatekeeper.signals.report import report
from gatekeeper.signals.watcher import Alert
from gatekeeper.teamevents import BudgetSignal, LimitThreshold
from tests.ledger.conftest import fresh_id
from tests.signals.conftest import MakeWatcher
from tests.signals.scene import CATALOG

MEMBER_A_DAY = Limit("member", Per.DAY, 100 * MICRO)
SPRING = Project("spring", 1000 * MICRO)


class Died(BaseException):
    """A gateway's end: nothing that it runs goes on."""


async def spend(ledger: Ledger, team: TeamRecord, amount: int, usage: str = "", **who: Any) -> None:
    """One generation, from its hold to its end, whole credits."""
    order = HoldOrder(fresh_id(), team.id, amount * MICRO, ttl_ms=60_000, price_list="list", usage=usage, **who)
    held: Any = await ledger.hold(order)
    context = HoldContext(order.amount, order.project, order.member, windows=held.windows, usage=usage)
    await ledger.settle(order.hold_id, team.id, order.amount, context=context)


def points(told: list[Any]) -> list[tuple[str, int]]:
    """Scope and percent of the thresholds that were told."""
    return [(each.scope, each.percent) for each in told if isinstance(each, LimitThreshold)]


async def test_every_point_is_told_once_in_its_window(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any]
) -> None:
    """Each member's limit by itself, as it is reached; and not again, by this watcher or another."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,)))
    watcher = make_watcher()
    for amount in (49, 1, 45):
        await spend(ledger, team, amount, member="amy")
        await watcher.watch()
    await spend(ledger, team, 100, member="bob")

    counts = [await make_watcher(owner).watch() for owner in "bc"]

    amy, bob = "member:amy", "member:bob"
    assert [(amy, 50), (amy, 80), (amy, 95), (bob, 50), (bob, 80), (bob, 95), (bob, 100)] == points(told)
    assert [4, 0] == counts


async def test_the_event_has_the_numbers(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any]
) -> None:
    """What the limit is, what is used and held of it, and until when."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,), thresholds=(60,)))
    await spend(ledger, team, 60, member="amy")
    await ledger.hold(HoldOrder(fresh_id(), team.id, 7 * MICRO, ttl_ms=60_000, member="amy"))

    await make_watcher().watch()

    (event,) = told
    assert (100 * MICRO, 60 * MICRO, 7 * MICRO) == (event.credits_limit, event.credits_used, event.credits_held)
    assert event.window_start is not None
    assert event.resets_at is not None
    assert "T00:00:00Z" == event.window_start[10:] == event.resets_at[10:]


async def test_many_watchers_at_once_tell_it_once(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any], sent: list[Alert]
) -> None:
    """Ten gateways see the same spend in the same moment."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,), thresholds=(50, 80), alert_url="https://a.example/"))
    await spend(ledger, team, 80, member="amy")
    spenders = ledger.alerts.take_seen()

    watchers = [make_watcher(f"gateway-{number}") for number in range(10)]
    counts = await asyncio.gather(*(watcher.look_at(team.id, spenders) for watcher in watchers))

    assert (2, 2, 2) == (sum(counts), len(told), len(sent))
    assert {alert_id(team.id, claim) for claim in await ledger.alerts.told_since(team.id)} == {each.id for each in sent}


async def test_what_could_not_be_kept_is_told_later(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any], sent: list[Alert]
) -> None:
    """Its claim is given back, and the next look, of whichever gateway, tells it; nothing is logged before."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,), thresholds=(50,), alert_url="https://a.example/"))
    await spend(ledger, team, 50, member="amy")

    first = await make_watcher("a", kept=lambda: False).watch()
    before = list(told)
    second = await make_watcher("b").watch()

    assert (0, [], 1, 1) == (first, before, second, len(sent))


async def test_a_gateway_that_dies_in_between_loses_nothing(
    ledger: Ledger, client: StoreClient, team: TeamRecord, make_watcher: MakeWatcher, sent: list[Alert]
) -> None:
    """It had the claim and had sent, and never marked it: once its lease is over the same id is sent again."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,), thresholds=(50,), alert_url="https://a.example/"))
    await spend(ledger, team, 50, member="amy")
    spenders = ledger.alerts.take_seen()

    def dies() -> bool:
        raise Died

    with pytest.raises(Died):
        await make_watcher("a", kept=dies).look_at(team.id, spenders)
    held_back = await make_watcher("b").look_at(team.id, spenders)
    (lease,) = await client.command("KEYS", f"gk:{{{team.id}}}:alert:*")
    await client.command("DEL", lease)
    told_now = await make_watcher("b").look_at(team.id, spenders)

    assert (0, 1) == (held_back, told_now)
    assert [lease.rpartition(":")[2]] == [each.id for each in sent]


async def test_a_store_that_is_away_is_asked_again(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who spent meanwhile is not forgotten."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,), thresholds=(50,)))
    await spend(ledger, team, 50, member="amy")
    watcher = make_watcher()

    async def away(*_: Any) -> Any:
        raise LedgerUnavailable("away", maybe_executed=False)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "team", away)
        with pytest.raises(LedgerUnavailable):
            await watcher.watch()

    assert (1, [("member:amy", 50)]) == (await watcher.watch(), points(told))


async def test_one_team_that_is_away_keeps_no_other_from_being_told(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the watch nor in the walk; it is looked at again itself."""
    limits = (Limit("team", Per.MONTH, 10 * MICRO),)
    for each in (team.id, "other"):
        await ledger.put_team(TeamRecord(each, limits=limits, thresholds=(50,)))
        await ledger.grant(each, "more", 100 * MICRO)
        await spend(ledger, TeamRecord(each), 10)
    find, watcher = ledger.team, make_watcher()

    async def away_for_one(team_id: str) -> TeamRecord | None:
        if team_id == team.id:
            raise LedgerUnavailable("away", maybe_executed=False)
        return await find(team_id)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "team", away_for_one)
        with pytest.raises(LedgerUnavailable):
            await watcher.watch()
        counts = [len(told), await watcher.walk()]
    counts.append(await watcher.watch())

    assert [1, 0, 1] == counts


async def test_the_walk_finds_what_nobody_saw(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any]
) -> None:
    """Limits of the team, of projects and by name; marks of windows long over go."""
    limits = (Limit("team", Per.MONTH, 200 * MICRO), Limit("member:amy", Per.MONTH, 100 * MICRO))
    await ledger.put_team(replace(team, limits=limits, projects=(SPRING,), thresholds=(50,)))
    await spend(ledger, team, 100, member="amy")
    await ledger.alerts.mark(team.id, "old", now_ms=1, ends_ms=2)
    ledger.alerts.take_seen()

    await make_watcher().walk()

    assert {("team", 50), ("member:amy", 50)} == set(points(told))
    assert "old" not in await ledger.alerts.told_since(team.id)


async def test_a_budget_is_told_like_a_limit_and_its_cause_beside_it(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any]
) -> None:
    """600 of 1000 credits, half of them at 4K: the point, the pace and the cause; the report says the same."""
    project = replace(SPRING, per=Per.MONTH)
    await ledger.put_team(replace(team, projects=(project,)))
    for amount, resolution in ((300, "1K"), (300, "4K")):
        usage = f"painter|image.generate|{resolution}|||"
        await spend(ledger, team, amount, usage, project="spring")
    metrics = Metrics()

    await make_watcher(metrics=metrics).watch()
    document = await report(ledger, CATALOG, team.id)

    assert [("budget:spring", 50)] == points(told)
    causes = {each.diagnosis: each for each in told if isinstance(each, BudgetSignal)}
    cause = causes["too_many_high_resolution_renders_too_early"]
    # 300 high where 150 are planned: half of what they would have been less at 1K, 49 of 98.
    assert (600 * MICRO, 75 * MICRO) == (cause.credits_charged, cause.credits_saved)
    (shown,) = orjson.loads(orjson.dumps(document))["projects"]
    assert (600, 1000, 60.0, [50]) == (
        shown["credits_charged"],
        shown["credits_budget"],
        shown["used_percent"],
        shown["thresholds_reached"],
    )
    parts = {each["part"]: (each["credits_planned"], each["credits_charged"]) for each in shown["parts"]}
    assert {"iteration": (700, 300), "final": (250, 300), "fix": (50, 0)} == parts
    (signal,) = [each for each in shown["signals"] if each["diagnosis"] == cause.diagnosis]
    assert (cause.detail, 75, 50.0) == (signal["detail"], signal["credits_saved"], signal["facts"]["high_percent"])
    assert signal["told_at"] is not None
    assert b'gatekeeper_budget_signals_total{diagnosis="too_many' in await metrics.shown()


async def test_who_stops_spending_is_diagnosed_all_the_same(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any]
) -> None:
    """What is spent so soon after a diagnosis that the next one has to wait is looked at when its time has come, though
    nobody of the team spends any more."""
    await ledger.put_team(replace(team, projects=(replace(SPRING, per=Per.MONTH),)))
    watcher, clock = make_watcher(diagnose_every_s=60), HandClock()
    watcher._clock = clock
    await spend(ledger, team, 1, "painter|image.generate|1K|||", project="spring")
    await watcher.watch()
    await spend(ledger, team, 600, "painter|image.generate|4K|||", project="spring")
    await watcher.watch()
    early = [each for each in told if isinstance(each, BudgetSignal)]

    clock.at_s += 60
    counts = [await watcher.watch() for _ in range(2)]

    causes = {each.diagnosis for each in told if isinstance(each, BudgetSignal)}
    assert ([], 0) == (early, counts[1])
    assert "too_many_high_resolution_renders_too_early" in causes


class HandClock(SystemClock):
    """A clock that is turned by hand."""

    at_s = 100.0

    def monotonic_s(self) -> float:
        return self.at_s


async def test_a_campaigns_budget_counts_from_its_beginning(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any]
) -> None:
    """What the project spent before is not its; with a new beginning it is told anew."""
    await spend(ledger, team, 800, "painter|image.generate|1K|||", project="spring")
    now_ms = await ledger.now_ms(team.id)
    day_ms = 86_400_000
    for since_ms in (now_ms + 2 * day_ms, now_ms - day_ms, now_ms - 2 * day_ms):
        campaign = replace(SPRING, per=Per.LIFETIME, since_ms=since_ms, until_ms=now_ms + 9 * day_ms)
        await ledger.put_team(replace(team, projects=(campaign,), thresholds=(80,)))
        await make_watcher().walk()

    assert [("budget:spring", 80)] * 2 == points(told)


async def test_a_team_whose_books_cannot_be_read_is_passed_by(
    ledger: Ledger,
    client: StoreClient,
    team: TeamRecord,
    make_watcher: MakeWatcher,
    told: list[Any],
    failures: list[Exception],
) -> None:
    """The others are told all the same."""
    for each in (team.id, "other"):
        await ledger.put_team(TeamRecord(each, limits=(Limit("team", Per.MONTH, 10 * MICRO),), thresholds=(50,)))
        await ledger.grant(each, "more", 100 * MICRO)
        await spend(ledger, TeamRecord(each), 10)
    await client.command("HSET", f"gk:{{{team.id}}}:bal", "team", "broken")

    await make_watcher().watch()

    assert ([("team", 50)], 1) == (points(told), len(failures))


async def test_it_watches_by_itself_until_it_is_stopped(
    ledger: Ledger, team: TeamRecord, make_watcher: MakeWatcher, told: list[Any], failures: list[Exception]
) -> None:
    """What fails once is told and tried again; after its stop nothing is looked at."""
    await ledger.put_team(replace(team, limits=(MEMBER_A_DAY,), thresholds=(50,)))
    watcher = make_watcher(watch_every_s=0.01, walk_every_s=0.01)
    look_at, looks = watcher.look_at, list[str]()

    async def fails_once(team_id: str, spenders: Any) -> int:
        looks.append(team_id)
        if len(looks) == 1:
            raise LedgerUnavailable("away", maybe_executed=False)
        return await look_at(team_id, spenders)

    watcher.look_at = fails_once  # type: ignore[method-assign]
    await spend(ledger, team, 50, member="amy")
    watcher.start()
    for _ in range(500):
        if told:
            break
        await asyncio.sleep(0.01)
    await watcher.stop()
    count = len(looks)
    await spend(ledger, team, 50, member="bob")

    assert ([("member:amy", 50)], 1, count) == (points(told), len(failures), len(looks))
