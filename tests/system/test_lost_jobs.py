"""Ways in which a job could be lost between the provider that has it and the books that pay for it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ledger.errors import LedgerUnavailable, OutboxFull
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.ledger.repair import LostHistory
from gatekeeper.ledger.resolution import Act
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.proxy.deferring import resolution_of
from gatekeeper.proxy.jobs.record import JobRecord, read_record, record_text
from gatekeeper.web import auth
from gatekeeper.web.auth import key_sha256
from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.jobprovider import RUNNING, SUCCEEDED, JobProvider, with_links
from tests.system.storeserver import AOF, store_server
from tests.system.test_jobs_reconciled import SOON, until_ended
from tests.system.world import World

PALETTE = "\U0001f3a8"
"""A character of four bytes, such as may stand in a name."""


async def test_a_job_of_the_longest_names_is_followed(start_world: StartWorld, jobs: JobProvider) -> None:
    """Project, member and key may have 128 characters of any script: the record of the job fits all the same."""
    world = await start_world(provider_url=jobs.url, jobs=SOON)
    await world.key()
    name, key = PALETTE * 128, "gk_with-long-names"
    record = KeyRecord(sha256=key_sha256(key), team="team-0", key_id=name, project=name, member=name)
    await world.gateway.store.ledger.keyring.put(record)

    await world.native(key)
    jobs.end(SUCCEEDED)
    await until_ended(world)

    assert "attached" == world.events("job.accepted")[0]["status"]
    assert ["hold", "job", "settle"] == await world.kinds()
    await world.assert_books_clean()


async def open_job(world: World) -> JobRecord:
    """The one job that the store lists."""
    _, ((_, text),) = await world.gateway.store.ledger.open_jobs("team-0")
    return read_record(text)


async def test_a_job_that_time_overtook_on_disk_is_charged(start_world: StartWorld, jobs: JobProvider) -> None:
    """Its gateway was killed with the job on disk, and time freed the hold before another one told the store of it."""
    world = await start_world(provider_url=jobs.url, jobs=SOON)
    await world.native(await world.key())
    first, ledger = await open_job(world), world.gateway.store.ledger
    hold_id = new_hold_id(first.submitted_at_ms, 7)
    await ledger.hold(HoldOrder(hold_id=hold_id, team="team-0", amount=first.held, ttl_ms=0))
    await ledger.expire_due("team-0")
    link = replace(first.link, job_id="job-2")
    record = replace(first, link=link, facts=replace(first.facts, hold_id=hold_id))
    jobs.jobs["job-2"] = jobs.jobs["job-1"]
    waiting = replace(
        resolution_of(Act.JOB, record.facts, record.context, "job"),
        job=record_text(record), ttl_ms=900_000, names=("studio/job-2",), keep_ms=900_000,
    )  # fmt: skip

    await world.gateway.gate.outbox.write(waiting)
    replayed = await world.event("settle.replayed")
    jobs.end(SUCCEEDED)
    late = await world.event("settle.late")
    await until_ended(world)

    assert ("resolved", hold_id, 49) == (replayed["status"], late["hold_id"], late["credits_charged"])
    assert 98_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_the_answer_to_a_submission_survives_an_outage(
    start_world: StartWorld, jobs: JobProvider, tmp_path: Path, monkeypatch: Any
) -> None:
    """The store was away when the job was taken: whoever repeats the request gets that job, and no other."""
    monkeypatch.setattr(auth, "REMEMBER_S", 60)
    port, named = free_port(), {"Idempotency-Key": "one"}
    async with store_server(tmp_path / "store", port, *AOF) as store:
        world = await start_world(provider_url=jobs.url, store_url=f"redis://127.0.0.1:{port}/0")
        key = await world.key()
        jobs.submits_open.clear()
        answer = asyncio.ensure_future(world.native(key, headers=named))
        await jobs.until_submitted()
        store.kill()
        await store.wait()
        jobs.submits_open.set()
        submitted = await answer
    async with store_server(tmp_path / "store", port, *AOF):
        await world.event("settle.replayed")
        again = await world.native(key, headers=named)
        booked = await world.kinds()

    assert (202, submitted.json, 1) == (again.status, again.json, len(jobs.jobs))
    assert ["hold", "job"] == booked


async def test_a_job_that_is_over_is_settled_while_its_caller_asks_on(start_world: StartWorld) -> None:
    """fal says COMPLETED, and only the result tells what was made: a caller that never fetches it pays all the same."""
    world = await start_world(jobs=SOON | {"first_poll_s": 0.5})
    key = await world.key()
    asked = {"prompt": "a cat [sandbox: job=0]", "image_size": {"width": 1024, "height": 1024}}
    submitted = await world.send("POST", "/fal/queue/fal-ai/flux/dev", key, json=asked)
    path = f"/fal/queue/fal-ai/flux/requests/{submitted.json['request_id']}/status"

    for _ in range(200):
        status = await world.send("GET", path, key)
        if world.events("job.finished"):
            break
        await asyncio.sleep(0.05)

    (finished,) = world.events("job.finished")
    assert ("COMPLETED", "made", "reconciler") == (status.json["status"], finished["outcome"], finished["via"])
    await world.assert_books_clean()


async def test_nothing_is_deleted_whose_end_cannot_be_kept(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store away and outbox full: after a delete nobody could tell any more what was made, so it has to wait."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)
    jobs.forgets = True

    async def away(*_: Any, **__: Any) -> None:
        raise LedgerUnavailable("away", maybe_executed=False)

    async def full(_resolution: Any) -> None:
        raise OutboxFull("full")

    with monkeypatch.context() as broken:
        broken.setattr(world.gateway.gate.ledger, "settle", away)
        broken.setattr(world.gateway.gate.outbox, "write", full)
        refused = await world.send("DELETE", "/v1/generations/job-1", key)
        known = len(jobs.jobs)
    taken = await world.send("DELETE", "/v1/generations/job-1", key)

    assert (503, "ledger_unavailable", 1) == (refused.status, refused.json["code"], known)
    assert (True, "49") == (taken.status < 300, taken.headers["Gatekeeper-Credits-Charged"])
    assert ["hold", "job", "settle"] == await world.kinds()


@pytest.mark.parametrize("patience", [SOON, {}], ids=["reconciler", "poll"])
async def test_a_provider_that_packs_its_answers_unasked_is_read(
    start_world: StartWorld, jobs: JobProvider, patience: dict[str, Any]
) -> None:
    """Its submission is a job, and its end an end; the caller gets both as they came."""
    world = await start_world(provider_url=jobs.url, jobs=patience)
    key = await world.key()
    jobs.packed = True

    submitted = await world.native(key)
    jobs.end(SUCCEEDED)
    if not patience:
        await world.send("GET", "/v1/generations/job-1", key)
    await until_ended(world)

    assert ("gzip", "job-1") == (submitted.headers["Content-Encoding"], submitted.json["id"])
    assert ["hold", "job", "settle"] == await world.kinds()
    await world.assert_books_clean()


async def test_links_in_a_packed_answer_lead_through_the_gateway(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves unpacked, and can be given again; nobody is led past the gate."""
    with_links(monkeypatch, "urls.get")
    world = await start_world(provider_url=jobs.url)
    key, named = await world.key(), {"Idempotency-Key": "one"}
    jobs.packed = True

    answers = [await world.native(key, headers=named) for _ in range(2)]

    assert [f"{world.url}/studio/v1/generations/job-1"] * 2 == [answer.json["urls"]["get"] for answer in answers]
    assert not any("Content-Encoding" in answer.headers for answer in answers)
    assert 1 == len(jobs.jobs)


async def test_links_in_a_packed_poll_that_says_the_same_lead_through_the_gateway(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In packed bytes no link is to be seen, so none of them is passed on unread."""
    with_links(monkeypatch, "urls.get")
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.packed = True

    shown = []
    for step in range(8):  # some packed bytes happen to look as if a link could be in them, which would save them
        jobs.end(RUNNING | {"step": step})
        shown += [await world.send("GET", "/studio/v1/generations/job-1", key) for _ in range(2)]

    assert {f"{world.url}/studio/v1/generations/job-1"} == {answer.json["urls"]["get"] for answer in shown}
    assert not any("Content-Encoding" in answer.headers for answer in shown)


async def test_a_job_that_nobody_could_keep_is_kept_when_the_store_is_back(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store away and outbox full at the submission: soon the store has the job, and time does not end its hold."""
    world = await start_world(provider_url=jobs.url, jobs=SOON)
    key = await world.key()

    async def away(*_: Any, **__: Any) -> None:
        raise LedgerUnavailable("away", maybe_executed=False)

    async def full(_resolution: Any) -> None:
        raise OutboxFull("full")

    with monkeypatch.context() as broken:
        broken.setattr(world.gateway.gate.ledger, "attach_job", away)
        broken.setattr(world.gateway.gate.outbox, "write", full)
        await world.native(key)
    await jobs.until_polled(1)
    jobs.end(SUCCEEDED)
    await until_ended(world)

    assert "not_booked" == world.events("job.accepted")[0]["status"]
    assert ["hold", "job", "settle"] == await world.kinds()
    await world.assert_books_clean()


async def test_a_job_that_the_store_has_lost_is_listed_again(start_world: StartWorld, jobs: JobProvider) -> None:
    """It came back without the end of its history: whoever knows a job of that team tells it once more."""
    world = await start_world(provider_url=jobs.url, jobs=SOON)
    submitted = await world.native(await world.key())
    hold_id, store = submitted.headers["Gatekeeper-Hold-Id"], world.gateway.store
    await store.client.command("HDEL", TeamKeys("team-0").jobs, hold_id)

    store.ledger.repair.on_lost(LostHistory("team-0", seen=9, kept=8, told_again=0, refused=0))
    await until_listed(world, hold_id)
    jobs.end(SUCCEEDED)
    await until_ended(world)

    assert ["hold", "job", "job", "settle"] == await world.kinds()
    assert "ledger.history_lost" in {line["event"] for line in world.events()}
    await world.assert_books_clean()


async def until_listed(world: World, hold_id: str) -> None:
    """Waits (bounded) until the store lists the job of this hold."""
    for _ in range(1000):
        if await world.gateway.store.ledger.open_job("team-0", hold_id) is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the job is not listed")


async def test_a_large_question_is_not_remembered(start_world: StartWorld, jobs: JobProvider) -> None:
    """Headers of a few kilobytes pass as ever, and nothing of them stays with the job."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    (job,) = world.gateway.gate.desk._by_name.values()

    assert 200 == (await world.send("GET", "/v1/generations/job-1", key)).status
    known = job.question is not None
    assert 200 == (await world.send("GET", "/v1/generations/job-1", key, headers={"X-Word": "a" * 4000})).status

    assert (True, None) == (known, job.question)
