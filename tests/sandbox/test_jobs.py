"""Jobs live, end and are counted as they were asked to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekeeper.sandbox.behaviour import Behaviour
from gatekeeper.sandbox.jobs import Job, JobStore, State
from gatekeeper.sandbox.movie import movie_spec
from gatekeeper.sandbox.picture import picture_spec
from gatekeeper.sandbox.record import Record


@pytest.fixture
def record() -> Record:
    return Record(10)


@pytest.fixture
async def store(record: Record) -> AsyncIterator[JobStore]:
    store = JobStore(jobs=3, job_s=0.0, record=record, now_s=lambda: 1_000.0)
    yield store
    await store.close()


def start(store: JobStore, count: int = 2, **behaviour: Any) -> Job:
    spec = movie_spec("a cat", "m", 64, 64, 5)
    return store.start("video", "m", (spec,) * count, Behaviour(**behaviour), colour="red")


async def test_a_job_goes_through_its_states(store: JobStore) -> None:
    """Queued, then running, then done with what was asked for."""
    job = start(store, job_wait=True)
    first = job.state

    store.end_all()
    await job.wait(5)

    assert (State.QUEUED, State.DONE, 2, True) == (first, job.state, len(job.made), job.ended)


async def test_a_job_that_waits_runs(store: JobStore) -> None:
    """It stays so until it is told to end, and says how far it is only when it knows."""
    job = start(store, job_wait=True)

    for _ in range(200):
        if job.state is State.RUNNING:
            break
        await asyncio.sleep(0.01)

    assert (State.RUNNING, 0.0, False) == (job.state, job.progress(2_000.0), await job.wait(0.01))


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({}, (State.DONE, 2)),
        ({"partial": 1}, (State.DONE, 1)),
        ({"empty": True}, (State.DONE, 0)),
        ({"job_fail": True}, (State.FAILED, 0)),
        ({"job_moderated": True}, (State.MODERATED, 0)),
        ({"job_expire": True}, (State.EXPIRED, 0)),
    ],
)
async def test_each_end_can_be_asked_for(store: JobStore, behaviour: dict[str, Any], expected: tuple[Any, int]) -> None:
    """And only a job that is done has anything to show."""
    job = start(store, **behaviour)

    await job.wait(5)

    assert expected == (job.state, len(job.made))


async def test_what_is_done_is_counted_at_its_end(store: JobStore, record: Record) -> None:
    """Videos as videos, images as images, failures not at all."""
    jobs = [start(store), start(store, job_fail=True)]
    jobs.append(store.start("image", "n", (picture_spec("a cat", "n", 64, 64),), Behaviour()))

    for job in jobs:
        await job.wait(5)

    report = record.report()
    assert (3, 2, 1, 2) == tuple(report[name] for name in ("jobs", "videos", "images", "generations"))


async def test_a_cancelled_job_ends_at_once(store: JobStore) -> None:
    """Once: a second cancellation, or one that comes too late, changes nothing."""
    job, over = start(store, job_wait=True), start(store)
    await over.wait(5)

    answers = [await job.cancel(), await job.cancel(), await over.cancel()]

    assert ([True, False, False], State.CANCELLED, State.DONE) == (answers, job.state, over.state)


async def test_a_job_can_vanish(store: JobStore) -> None:
    """At its end it is as if it had never been."""
    job = start(store, job_vanish=True)
    known = store.find(job.id)

    await job.wait(5)

    assert (job, None) == (known, store.find(job.id))


async def test_the_end_is_told_once(store: JobStore) -> None:
    """To the webhook given, but for jobs that vanish or are to end in silence."""
    told = list[Job]()

    async def tell(job: Job) -> None:
        told.append(job)

    jobs = [
        store.start("image", "m", (), behaviour, tell)
        for behaviour in (Behaviour(), Behaviour(no_webhook=True), Behaviour(job_vanish=True))
    ]
    for job in jobs:
        await job.wait(5)

    assert jobs[:1] == told


async def test_the_oldest_that_has_ended_is_forgotten(store: JobStore) -> None:
    """So many are remembered; those that run still go last."""
    running, ended = start(store, job_wait=True), start(store)
    await ended.wait(5)

    newer = [start(store, job_wait=True), start(store, job_wait=True)]

    assert [running, None, *newer] == [store.find(job.id) for job in (running, ended, *newer)]


async def test_a_job_that_must_go_ends_for_those_who_wait(store: JobStore) -> None:
    """With more running jobs than are remembered, the oldest goes, and nobody waits for it for ever."""
    jobs = [start(store, job_wait=True) for _ in range(4)]

    assert (True, None) == (await jobs[0].wait(5), store.find(jobs[0].id))


async def test_facts_and_ids_are_the_dialects_own(store: JobStore) -> None:
    """What a dialect wants to remember comes back; an id in its own form is taken."""
    job = store.start("image", "m", (), Behaviour(), job_id="task_7", colour="red")

    assert ({"colour": "red"}, job) == (job.facts, store.find("task_7"))
    assert 32 == len(start(store).id)
