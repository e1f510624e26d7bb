"""Jobs whose callers, gateways or stores go away in the middle: each is settled, and once."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.app import running_gateway
from gatekeeper.ledger.records import EntryKind
from gatekeeper.web import auth
from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.jobprovider import FAILED, SUCCEEDED, JobProvider
from tests.system.process import Process, gatekeeper, write_config
from tests.system.storeserver import AOF, store_server
from tests.system.test_outbox import verify_by_url
from tests.system.test_process import ENVIRONMENT, balance, generate, verify
from tests.system.world import World, settings_for

SOON: dict[str, Any] = {
    "first_poll_s": 0.1, "poll_min_s": 0.1, "poll_max_s": 0.2, "overdue_poll_s": 0.2, "poll_timeout_s": 0.4,
    "walk_s": 0.1,
}  # fmt: skip
"""An impatient reconciler."""


async def until_ended(world: World, team: str = "team-0") -> None:
    """Waits (bounded) until no hold of the team is open."""
    for _ in range(2000):
        if not await world.gateway.store.ledger.holds(team):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a hold is open")


async def test_an_abandoned_job_is_settled(start_world: StartWorld, jobs: JobProvider) -> None:
    """Its caller never asks: the gateway does, and books what was made."""
    world = await start_world(provider_url=jobs.url, jobs=SOON)
    await world.native(await world.key())
    await jobs.until_polled(2)
    jobs.end(SUCCEEDED)

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 49) == (finished["outcome"], finished["via"], finished["credits_charged"])
    assert ["hold", "job", "settle"] == await world.kinds()
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_an_abandoned_job_that_failed_is_refunded(start_world: StartWorld, jobs: JobProvider) -> None:
    """The whole hold is free, once."""
    world = await start_world(provider_url=jobs.url, jobs=SOON)
    await world.native(await world.key())
    jobs.end(FAILED)

    finished = await world.event("job.finished")

    assert ("failed", "reconciler", 0) == (finished["outcome"], finished["via"], finished["credits_charged"])
    assert ["hold", "job", "release"] == await world.kinds()
    await world.assert_books_clean()


async def test_poll_and_reconciler_race(start_world: StartWorld, jobs: JobProvider) -> None:
    """Both are told the end at the same moment, and a poll comes late: one settlement."""
    world = await start_world(provider_url=jobs.url, jobs=SOON | {"poll_timeout_s": 10})
    key = await world.key()
    await world.native(key)
    jobs.open.clear()
    await jobs.until_polled(1)
    poll = asyncio.ensure_future(world.send("GET", "/v1/generations/job-1", key))
    await jobs.until_polled(2)
    jobs.end(SUCCEEDED)

    jobs.open.set()
    answer, late = await poll, await world.send("GET", "/v1/generations/job-1", key)

    assert ["49", "49"] == [each.headers["Gatekeeper-Credits-Charged"] for each in (answer, late)]
    assert ["hold", "job", "settle"] == await world.kinds()
    assert 1 == len(world.events("job.finished"))
    await world.assert_books_clean()


async def test_a_job_that_vanishes_meets_the_policy_after_its_deadline(
    start_world: StartWorld, jobs: JobProvider
) -> None:
    """The provider knows no such job: not an end before the deadline, the policy after it."""
    world = await start_world(
        provider_url=jobs.url, jobs=SOON | {"image_deadline_s": 2, "poll_timeout_s": 0.2}, on_unknown="charge"
    )
    await world.native(await world.key())
    await jobs.until_polled(1)
    jobs.status = 404

    finished = await world.event("job.finished")

    assert ("policy", 49, True) == (finished["outcome"], finished["credits_charged"], finished["age_s"] >= 2)
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_two_gateways_ask_one_at_a_time_and_settle_once(
    start_world: StartWorld, jobs: JobProvider, tmp_path: Path
) -> None:
    """Two gateways on one store, both impatient: never two questions at once, and one settlement."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        url = f"redis://127.0.0.1:{port}/0"
        world = await start_world(provider_url=jobs.url, store_url=url, jobs=SOON)
        other = settings_for(tmp_path / "other", jobs.url, store_url=url, jobs=SOON)
        async with running_gateway(other):
            await world.native(await world.key())
            await jobs.until_polled(6)
            jobs.end(SUCCEEDED)
            await until_ended(world)
            booked = await world.kinds()
            await world.assert_books_clean()

    assert (1, ["hold", "job", "settle"]) == (jobs.job.at_once_most, booked)


async def test_another_gateway_answers_polls(start_world: StartWorld, jobs: JobProvider, tmp_path: Path) -> None:
    """Submitted through one, polled through the other, which finds the job in the store."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF):
        url = f"redis://127.0.0.1:{port}/0"
        world = await start_world(provider_url=jobs.url, store_url=url)
        async with running_gateway(settings_for(tmp_path / "other", jobs.url, store_url=url)) as second:
            key = await world.key()
            await world.native(key)
            jobs.end(SUCCEEDED)
            headers = {"Authorization": f"Bearer {key}"}
            async with world.session.get(f"{second.url}/v1/generations/job-1", headers=headers) as answer:
                charged = answer.headers["Gatekeeper-Credits-Charged"]
            late = await world.send("GET", "/v1/generations/job-1", key)
            booked = await world.kinds()

    assert ("49", "49", ["hold", "job", "settle"]) == (charged, late.headers["Gatekeeper-Credits-Charged"], booked)


def impatient(config: Path) -> Path:
    """The same config with an impatient reconciler."""
    document = orjson.loads(config.read_bytes())
    config.write_bytes(orjson.dumps(document | {"jobs": SOON}))
    return config


async def until_freed(url: str) -> dict[str, Any]:
    """The balance, once nothing is held any more (bounded)."""
    for _ in range(1000):
        figures: dict[str, Any] = await balance(url)
        if figures["held"] == 0:
            return figures
        await asyncio.sleep(0.02)
    raise AssertionError("credits are held")


async def test_a_gateway_that_is_killed_in_mid_job_settles_it_after_its_start(
    jobs: JobProvider, tmp_path: Path
) -> None:
    """kill -9 while the job runs; the next process finds it in the store, asks, and charges once."""
    config = impatient(write_config(tmp_path, jobs.url))
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        status, _ = await generate((await server.event("server.started"))["url"], "a cat")
        await jobs.until_polled(1)
        server.signal(signal.SIGKILL)
        await server.ended()
    jobs.end(SUCCEEDED)
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        url = (await server.event("server.started"))["url"]
        finished = await server.event("job.finished")
        after = await balance(url)
        server.signal(signal.SIGTERM)
        assert 0 == await server.ended()

    assert (202, "reconciler", 951, 0, 49) == (
        status, finished["via"], after["available"], after["held"], after["charged"]
    )  # fmt: skip
    await verify(config)


@pytest.mark.parametrize("moment", ["asking", "told"])
async def test_a_kill_between_the_end_and_its_booking_loses_nothing(
    jobs: JobProvider, tmp_path: Path, moment: str
) -> None:
    """Killed while it asks, or when the provider has told the end: the next process asks again, and books once."""
    config = impatient(write_config(tmp_path, jobs.url))
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        await generate((await server.event("server.started"))["url"], "a cat")
        jobs.open.clear()
        await jobs.until_polled(1)
        jobs.end(SUCCEEDED)
        if moment == "told":
            jobs.open.set()
        server.signal(signal.SIGKILL)
        await server.ended()
    jobs.open.set()
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        after = await until_freed((await server.event("server.started"))["url"])

    assert (951, 0, 49) == (after["available"], after["held"], after["charged"])
    await verify(config)


async def test_a_store_that_is_away_at_the_submission(
    start_world: StartWorld, jobs: JobProvider, tmp_path: Path
) -> None:
    """The caller gets its job; that it is one waits on disk, and is booked and ended when the store is back."""
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=jobs.url, store_url=f"redis://127.0.0.1:{port}/0", jobs=SOON)
        key = await world.key()
        jobs.submits_open.clear()
        answer = asyncio.ensure_future(world.native(key))
        await jobs.until_submitted()
        store.kill()
        await store.wait()
        jobs.submits_open.set()
        submitted = await answer
        deferred = await world.event("settle.deferred")
    jobs.end(SUCCEEDED)
    async with store_server(tmp_path / "store", port, *AOF):
        finished = await world.event("job.finished")
        await until_ended(world)
        await world.event("settle.replayed")
        booked = await world.kinds()
        await world.assert_books_clean()

    assert (202, "job", "made") == (submitted.status, deferred["act"], finished["outcome"])
    assert "deferred" == world.events("job.accepted")[0]["status"]
    assert [EntryKind.HOLD, EntryKind.SETTLE] == [kind for kind in booked if kind != EntryKind.JOB]


async def test_a_kill_9_while_the_submission_waits_on_disk(jobs: JobProvider, tmp_path: Path) -> None:
    """Store gone, the job on disk, gateway killed; both start again: the job is found, asked for, charged once."""
    port, store_dir = free_port(), tmp_path / "store"
    environment = ENVIRONMENT | {"GATEKEEPER_STORE__URL": f"redis://127.0.0.1:{port}/0"}
    config = impatient(write_config(tmp_path, jobs.url))
    arguments = ("serve", "--config", str(config))
    async with (
        store_server(store_dir, port, *AOF) as store,
        gatekeeper(*arguments, cwd=tmp_path, **environment) as server,
    ):
        url = (await server.event("server.started"))["url"]
        jobs.submits_open.clear()
        answer = asyncio.ensure_future(generate(url, "a cat"))
        await jobs.until_submitted()
        store.kill()
        await store.wait()
        jobs.submits_open.set()
        status, _ = await answer
        await server.event("settle.deferred")
        server.signal(signal.SIGKILL)
        await server.ended()
    jobs.end(SUCCEEDED)
    async with store_server(store_dir, port, *AOF), gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
        url = (await server.event("server.started"))["url"]
        replayed = await server.event("settle.replayed")
        finished = await server.event("job.finished")
        after = await balance(url)
        assert 0 == await verify_by_url(tmp_path, config, environment)

    assert (202, "job", "attached", "reconciler") == (status, replayed["act"], replayed["status"], finished["via"])
    assert (951, 0, 49) == (after["available"], after["held"], after["charged"])


async def test_a_store_that_is_away_at_the_end(
    start_world: StartWorld, jobs: JobProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll that tells the end gets its answer; the charge waits on disk, and later polls add nothing to it."""
    monkeypatch.setattr(auth, "REMEMBER_S", 60)  # the key is known: it is the settlement that waits for the store
    port = free_port()
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=jobs.url, store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        await world.native(key)
        store.kill()
        await store.wait()
        jobs.end(SUCCEEDED)
        answers = [await world.send("GET", "/v1/generations/job-1", key) for _ in range(3)]
        depth = world.gateway.gate.outbox.depth
    async with store_server(tmp_path / "store", port, *AOF):
        replayed = await world.event("settle.replayed")
        booked = await world.kinds()
        await world.assert_books_clean()

    assert ([200] * 3, 1) == ([answer.status for answer in answers], depth)
    assert all("Gatekeeper-Credits-Charged" not in answer.headers for answer in answers)
    assert ("settled", ["hold", "job", "settle"]) == (replayed["status"], booked)


async def test_a_caller_that_leaves_at_any_moment_changes_nothing(start_world: StartWorld, jobs: JobProvider) -> None:
    """Gone while the job is submitted, gone while the end is asked for: it is held, and it is settled."""
    world = await start_world(provider_url=jobs.url, jobs=SOON | {"first_poll_s": 30})
    key = await world.key()
    jobs.submits_open.clear()
    submission = asyncio.ensure_future(world.native(key))
    await jobs.until_submitted()
    submission.cancel()
    jobs.submits_open.set()
    await world.event("job.accepted")
    jobs.end(SUCCEEDED)
    jobs.open.clear()
    poll = asyncio.ensure_future(world.send("GET", "/v1/generations/job-1", key))
    await jobs.until_polled(1)
    poll.cancel()
    jobs.open.set()

    await until_ended(world)

    assert ["hold", "job", "settle"] == await world.kinds()
    await world.assert_books_clean()


async def test_a_shutdown_in_mid_job_leaves_it_to_the_next(jobs: JobProvider, tmp_path: Path) -> None:
    """SIGTERM ends the process at once: the job is in the store, and the next process ends it."""
    config = impatient(write_config(tmp_path, jobs.url))
    arguments = ("serve", "--config", str(config))
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        await generate((await server.event("server.started"))["url"], "a cat")
        await jobs.until_polled(1)
        code = await stopped(server)
    jobs.end(SUCCEEDED)
    async with gatekeeper(*arguments, cwd=tmp_path, **ENVIRONMENT) as server:
        after = await until_freed((await server.event("server.started"))["url"])

    assert (0, 49) == (code, after["charged"])


async def stopped(server: Process) -> int:
    """The exit code after SIGTERM."""
    server.signal(signal.SIGTERM)
    return await server.ended()
