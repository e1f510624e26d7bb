"""Decisions that come twice, take longer, outlive their time, or whose gateway or store is away."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gatekeeper.app import running_gateway
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.records import EntryKind, HoldState
from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.process import gatekeeper, write_config
from tests.system.storeserver import AOF, store_server
from tests.system.test_decisions import ASKED, PAIR, decide, tell
from tests.system.test_process import ENVIRONMENT
from tests.system.world import World, settings_for

TOKEN = "a-token-of-the-backend"
ONCE = {"Idempotency-Key": "order-7"}
OTHER = {"Idempotency-Key": "order-8"}


async def lapse(world: World, hold: str, steps: int = 2) -> None:
    """Time passes for this hold alone: to its deadline, and to the end of its grace."""
    ledger, team = world.gateway.store.ledger, world.teams[0]
    client = world.gateway.store.client
    for _ in range(steps):
        await client.command("ZADD", f"gk:{{{team}}}:due", "XX", 1, hold)
        await ledger.expire_due(team)


async def test_the_same_request_again_is_the_same_decision(world: World):
    """One hold however often it is asked; another body under its key is a conflict; once it has ended it says so."""
    key = await world.key()

    first, again = [await decide(world, key, ONCE) for _ in range(2)]
    other = await decide(world, key, ONCE, resolution="2K")
    await tell(world, key, first.json["id"], "settle")
    late = await decide(world, key, ONCE)

    assert [(201, False), (201, True)] == [(each.status, each.json["replayed"]) for each in (first, again)]
    assert ("true", first.json["id"], 49) == (
        again.headers["Gatekeeper-Replayed"], again.json["id"], again.json["credits"],
    )  # fmt: skip
    assert [(422, "idempotency_conflict"), (409, "already_generated")] == [
        (each.status, each.json["code"]) for each in (other, late)
    ]
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_in_shadow_a_decision_that_came_before_is_held_anew(world: World):
    """Also for another body, and for a proxy: none is refused, and none goes by without its credits."""
    key = await world.key(shadow=True)

    first = await decide(world, key, ONCE)
    await tell(world, key, first.json["id"], "settle")
    again = [await decide(world, key, ONCE, **more) for more in ({}, {"resolution": "2K"})]
    proxied = [await world.send("POST", "/v1/forward-auth?model=nano-banana-2", key, headers=OTHER) for _ in range(2)]

    assert ["already_generated", "idempotency_conflict"] == [each.headers["Gatekeeper-Shadow"] for each in again]
    assert [(200, "49")] * 2 == [(each.status, each.headers["Gatekeeper-Credits-Held"]) for each in proxied]
    assert [None, "generation_in_progress"] == [each.headers.get("Gatekeeper-Shadow") for each in proxied]
    assert (49_000_000, 49_000_000 * 3 + 73_500_000) == (
        (await world.balance()).charged, (await world.balance()).held,
    )  # fmt: skip


async def test_a_key_of_a_route_is_no_key_of_a_decision(world: World):
    """The same key for a generation and for a decision are two requests under one name: a conflict."""
    key = await world.key()

    made = await world.native(key, headers=ONCE)
    decided = await decide(world, key, ONCE)

    assert [200, 422] == [made.status, decided.status]


async def test_a_decision_whose_gateway_died_before_it_answered(world: World, monkeypatch: pytest.MonkeyPatch):
    """The hold is there and nobody knows what for: who asks again under its key gets it, and can settle it; but not at
    once, for whoever held it may be about to say so."""
    key = await world.key()
    first = await decide(world, key, ONCE)
    hold = first.json["id"]
    await world.gateway.store.client.command("DEL", f"gk:{{team-0}}:job:decisions/{hold}")
    world.gateway.gate.desk._by_name.clear()

    too_soon = await decide(world, key, ONCE)
    monkeypatch.setattr("gatekeeper.proxy.decisions.deciding.KEPT_WITHIN_S", 0)
    again = await decide(world, key, ONCE)
    settled = await tell(world, key, hold, "settle", {"credits": 7})

    assert (409, "generation_in_progress") == (too_soon.status, too_soon.json["code"])
    assert (201, hold, True) == (again.status, again.json["id"], again.json["replayed"])
    assert (200, 7) == (settled.status, settled.json["credits_charged"])
    await world.assert_books_clean()


@pytest.mark.parametrize(("end", "code"), [("revoked", "unauthenticated"), ("expires_at_ms", "key_expired")])
async def test_work_that_outlives_its_key_is_paid_for(
    world: World, monkeypatch: pytest.MonkeyPatch, end: str, code: str
):
    """Who has the decision's token tells how it ended, under a key that was good when it was asked; nobody else does
    anything with that key."""
    monkeypatch.setattr("gatekeeper.web.auth.REMEMBER_S", 0)
    key, ledger = await world.key(), world.gateway.store.ledger
    held = [(await decide(world, key, headers)).json["id"] for headers in ({"Gatekeeper-Settle-Token": TOKEN}, {})]
    (record,) = await ledger.keyring.of_team("team-0")
    changed = {"revoked": True} if end == "revoked" else {"expires_at_ms": 1}
    await ledger.keyring.change("team-0", record.key_id, lambda before: replace(before, **changed))

    told = [await tell(world, key, held[1], "release"), await tell(world, key, "0" * 32, "settle")]
    told += [await decide(world, key), await world.send("GET", f"/v1/decisions/{held[0]}", key)]
    told += [await tell(world, key, held[0], "release", Gatekeeper_Settle_Token=each) for each in ("x" * 16, "x" * 20)]
    settled = await tell(world, key, held[0], "settle", Gatekeeper_Settle_Token=TOKEN)

    assert [(401, code)] * 6 == [(each.status, each.json["code"]) for each in told]
    assert (200, 49_000_000) == (settled.status, (await world.balance()).charged)


async def test_a_dry_run_of_an_end_is_refused(world: World):
    """It would be booked all the same: nothing is, and the hold stands as before."""
    key = await world.key()
    hold = (await decide(world, key)).json["id"]

    acts: list[tuple[str, Any]] = [("settle", {}), ("release", {}), ("extend", {"ttl_s": 9000})]
    answers = [await tell(world, key, hold, act, body, Gatekeeper_Dry_Run="true") for act, body in acts]

    assert [(400, "malformed_request")] * 3 == [(each.status, each.json["code"]) for each in answers]
    assert (0, 49_000_000) == ((await world.balance()).charged, (await world.balance()).held)


async def test_nobody_takes_a_decision_over_while_it_is_made(world: World, monkeypatch: pytest.MonkeyPatch):
    """Asked the same between the hold and the record of what it is for, with another token: that is never the one."""
    key, ledger = await world.key(), world.gateway.store.ledger
    name_job, waits, may_go_on = ledger.name_job, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> None:
        waits.set()
        await may_go_on.wait()
        await name_job(*arguments)

    monkeypatch.setattr(ledger, "name_job", slow)
    first = asyncio.create_task(decide(world, key, {"Gatekeeper-Settle-Token": TOKEN, **ONCE}))
    await waits.wait()
    monkeypatch.setattr(ledger, "name_job", name_job)
    second = await decide(world, key, {"Gatekeeper-Settle-Token": "another-token-altogether", **ONCE})
    may_go_on.set()
    hold = (await first).json["id"]
    freed = await tell(world, key, hold, "release", Gatekeeper_Settle_Token="another-token-altogether")
    settled = await tell(world, key, hold, "settle", Gatekeeper_Settle_Token=TOKEN)

    assert [409, 404, 200] == [each.status for each in (second, freed, settled)]
    assert 49_000_000 == (await world.balance()).charged


async def test_only_who_has_its_token_ends_it(world: World):
    """Neither the team's key alone nor another token does: whoever pays is not who says what came of it."""
    key = await world.key()
    hold = (await decide(world, key, {"Gatekeeper-Settle-Token": TOKEN, **ONCE})).json["id"]
    again = await decide(world, key, {"Gatekeeper-Settle-Token": "another-token-altogether", **ONCE})

    answers = [
        await tell(world, key, hold, act, body, **headers)
        for headers in ({}, {"Gatekeeper_Settle_Token": "another-token-altogether"})
        for act, body in (("settle", None), ("release", None), ("extend", {"ttl_s": 9}))
    ]
    looked = await world.send("GET", f"/v1/decisions/{hold}", key)
    settled = await tell(world, key, hold, "settle", Gatekeeper_Settle_Token=TOKEN)

    assert {(404, "hold_not_found")} == {(each.status, each.json["code"]) for each in answers}
    assert [(201, hold), (200, hold)] == [(each.status, each.json["id"]) for each in (again, looked)]
    assert (200, 49) == (settled.status, settled.json["credits_charged"])
    assert TOKEN not in str(again.json) + again.body.decode() + world.log.getvalue().decode()


async def test_a_token_that_is_none_is_refused(world: World):
    """Too short to be a secret: nothing is held."""
    key = await world.key()

    assert 400 == (await decide(world, key, {"Gatekeeper-Settle-Token": "short"})).status
    assert 0 == (await world.balance()).held


@pytest.mark.parametrize(
    ("on_unknown", "state", "charged"),
    [("release", "expired", 0), ("charge", "charged", 49), ("keep", "unknown", 0)],
)
async def test_time_ends_what_nobody_ends(world: World, on_unknown: str, state: str, charged: int):
    """By the policy that was asked for; what comes of it later is booked as the fact it is."""
    key = await world.key()
    hold = (await decide(world, key, on_unknown=on_unknown, ttl_s=1)).json["id"]
    await lapse(world, hold)

    stands = await world.send("GET", f"/v1/decisions/{hold}", key)
    extended = await tell(world, key, hold, "extend", {"ttl_s": 60})
    by_time = (await world.balance()).charged
    settled = [await tell(world, key, hold, "settle", {"credits": 7}) for _ in range(2)]

    assert (200, state) == (stands.status, stands.json["state"])
    assert (200 if on_unknown == "keep" else 409) == extended.status
    assert charged * 10**6 == by_time
    assert [(200, 7)] * 2 == [(each.status, each.json["credits_charged"]) for each in settled]
    assert 7_000_000 == (await world.balance()).charged
    assert (0 if on_unknown == "keep" else 1) == len(world.events("settle.late"))
    await world.assert_books_clean()


async def test_a_release_after_its_time(world: World):
    """What time charged goes back; what it freed stays free."""
    key = await world.key()
    holds = [(await decide(world, key, on_unknown=policy)).json["id"] for policy in ("charge", "release")]
    for hold in holds:
        await lapse(world, hold)

    answers = [await tell(world, key, hold, "release") for hold in holds]

    assert [(200, 0)] * 2 == [(each.status, each.json["credits_charged"]) for each in answers]
    assert (1_000_000_000, 0) == ((await world.balance()).available, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_a_decision_takes_longer(world: World):
    """An extend puts its deadline off, also out of its grace; a shorter one changes nothing; 48 hours are the end."""
    key = await world.key()
    first = (await decide(world, key, ttl_s=60)).json
    hold = first["id"]

    later = await tell(world, key, hold, "extend", {"ttl_s": 3600})
    shorter = await tell(world, key, hold, "extend", {"ttl_s": 5})
    await lapse(world, hold, steps=1)
    again = await tell(world, key, hold, "extend", {"ttl_s": "900s"})
    odd = [
        await tell(world, key, hold, "extend", body) for body in (None, {}, {"ttl_s": 0}, {"ttl_s": 86_401}, {"a": 1})
    ]

    assert [200, 200, 200] == [each.status for each in (later, shorter, again)]
    assert first["expires_at"] < later.json["expires_at"] == shorter.json["expires_at"]
    assert "held" == again.json["state"]
    assert [400, 422, 400, 400, 400] == [each.status for each in odd]
    kinds = [entry.kind for entry in await world.gateway.store.ledger.journal("team-0")]
    assert [EntryKind.EXTEND, EntryKind.UNKNOWN, EntryKind.EXTEND] == kinds[-3:]
    await tell(world, key, hold, "settle")
    await world.assert_books_clean()


async def test_an_extend_beyond_48_hours_is_refused(world: World, monkeypatch: pytest.MonkeyPatch):
    """Counted from the hold; what is left is said."""
    key = await world.key()
    hold = (await decide(world, key)).json["id"]
    monkeypatch.setattr("gatekeeper.proxy.decisions.ending.LIFE_MAX_S", 1800)

    answers = [await tell(world, key, hold, "extend", {"ttl_s": seconds}) for seconds in (1700, 1900)]

    assert [200, 400] == [each.status for each in answers]


async def test_extends_and_time_race(world: World):
    """Whoever comes first wins: the decision lives on with a deadline, or it is over and every extend says so."""
    key = await world.key()
    hold = (await decide(world, key, ttl_s=1, on_unknown="release")).json["id"]

    *answers, _ = await asyncio.gather(
        *(tell(world, key, hold, "extend", {"ttl_s": 60 + n}) for n in range(4)), lapse(world, hold)
    )

    found = await world.gateway.store.ledger.open_hold(hold, "team-0")
    assert {each.status for each in answers} <= {200, 409}
    assert found is None or found.deadline_ms is not None
    assert (await world.gateway.store.ledger.verify("team-0")).clean


async def test_another_gateway_ends_it(start_world: StartWorld, tmp_path: Path):
    """A decision is known by the store, so any process settles it; what one ended the other repeats."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        one = await start_world(store_url=f"redis://127.0.0.1:{port}/0", directory=tmp_path / "one")
        settings = settings_for(tmp_path / "two", "http://127.0.0.1:9", store_url=f"redis://127.0.0.1:{port}/0")
        async with running_gateway(settings) as other:
            two = World(other, None, one.session, one.log)
            key = await one.key()
            hold = (await decide(one, key, **PAIR)).json["id"]
            settled = await tell(two, key, hold, "settle", {"outputs": 1})
            again, differs = [await tell(one, key, hold, "settle", {"outputs": n}) for n in (1, 2)]

    assert [(200, 24), (200, 24)] == [(each.status, each.json["credits_charged"]) for each in (settled, again)]
    assert 409 == differs.status


async def test_the_store_is_away(start_world: StartWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No store, no decision, and nothing stays held; an end waits on disk and is booked when it is back, once. It is
    told by a key that was not looked up since the store went."""
    monkeypatch.setattr("gatekeeper.web.auth.REMEMBER_S", 0)
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        hold = (await decide(world, key, **PAIR)).json["id"]
        store.kill()
        await store.wait()
        first = await tell(world, key, hold, "settle", {"outputs": 1})
        second, differs, extended, refused = await asyncio.gather(  # each waits for the store until its time is over
            tell(world, key, hold, "settle", {"outputs": 1}),
            tell(world, key, hold, "settle", {"outputs": 2}),
            tell(world, key, hold, "extend", {"ttl_s": 60}),
            decide(world, key),
        )
    async with store_server(tmp_path / "store", port, *AOF):
        await world.event("settle.replayed")
        for _ in range(1000):
            if not (await world.balance()).held:
                break
            await asyncio.sleep(0.01)
        charged = (await world.balance()).charged
        again = await decide(world, key)
        await tell(world, key, again.json["id"], "release")
        await world.assert_books_clean()

    assert [(202, "deferred", None)] * 2 == [
        (each.status, each.json["state"], each.json["credits_charged"]) for each in (first, second)
    ]
    assert [409, 409, 503] == [each.status for each in (differs, extended, refused)]
    assert (24_000_000, 201) == (charged, again.status)


async def test_a_hold_whose_purpose_the_store_did_not_take_is_freed(world: World, monkeypatch: pytest.MonkeyPatch):
    """The store goes away between the two: the caller is refused, and nothing stays held."""
    key = await world.key()
    ledger = world.gateway.store.ledger
    real = ledger.name_job
    tries: list[Any] = []

    async def fails_once(*arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) == 1:
            raise LedgerUnavailable("gone", maybe_executed=True)
        await real(*arguments)

    monkeypatch.setattr(ledger, "name_job", fails_once)

    answers = [await decide(world, key, ONCE) for _ in range(2)]

    assert [503, 201] == [each.status for each in answers]
    assert 49_000_000 == (await world.balance()).held
    states = [entry.kind for entry in await ledger.journal("team-0")][-3:]
    assert [EntryKind.HOLD, EntryKind.RELEASE, EntryKind.HOLD] == states


async def test_a_killed_gateway_forgets_no_decision(tmp_path: Path):
    """kill -9 between the hold and its settle: the next process settles it."""
    config = write_config(tmp_path, "http://127.0.0.1:9")
    headers = {"Authorization": "Bearer gk_the_process_of_the_tests"}

    async def call(url: str, path: str, body: Any) -> Any:
        async with aiohttp.ClientSession() as session, session.post(url + path, json=body, headers=headers) as answer:
            return await answer.json(content_type=None)

    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as process:
        decided = await call((await process.event("server.started"))["url"], "/v1/decisions", ASKED)
        process.signal(signal.SIGKILL)
        await process.ended()
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **ENVIRONMENT) as process:
        url = (await process.event("server.started"))["url"]
        settled = await call(url, f"/v1/decisions/{decided['id']}/settle", {"credits": 12.5})

    assert ("settled", 12.5) == (settled["state"], settled["credits_charged"])
    assert HoldState.SETTLED == settled["state"]


async def test_an_end_that_nobody_can_keep_is_to_be_told_again(world: World, monkeypatch: pytest.MonkeyPatch):
    """Neither the store nor the disk takes it: 503, nothing is let by for it, and told again it is booked once."""
    key, ledger = await world.key(), world.gateway.store.ledger
    hold = (await decide(world, key)).json["id"]

    async def away(*_arguments: Any, **_named: Any) -> None:
        raise LedgerUnavailable("gone", maybe_executed=True)

    async def full(*_arguments: Any) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "settle", away)
        patched.setattr("gatekeeper.proxy.jobs.settling.defer", full)
        refused = await tell(world, key, hold, "settle")
        at_once = await world.send("GET", "/v1/forward-auth?model=nano-banana-2&settle=now", key)
    told = [await tell(world, key, hold, "settle") for _ in range(2)]

    assert [503, 503] == [refused.status, at_once.status]
    assert "2" == refused.headers["Retry-After"]
    assert [(200, 49)] * 2 == [(each.status, each.json["credits_charged"]) for each in told]
    (left,) = await ledger.holds("team-0")
    await lapse(world, left.hold_id)
    assert (49_000_000, 951_000_000) == ((await world.balance()).charged, (await world.balance()).available)
    await world.assert_books_clean()
