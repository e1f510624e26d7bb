"""Jobs that the store does not list, or whose caller was heard elsewhere: they are ended all the same, and once."""

from typing import Any

import pytest

from gatekeeper.core.outcome import Made
from gatekeeper.ledger.records import JobStatus
from gatekeeper.ledger.replay import Replayed
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.proxy.jobs.attaching import take_up
from gatekeeper.proxy.jobs.record import record_text
from gatekeeper.proxy.jobs.settling import cancelled, finish
from tests.proxy.jobs.conftest import GONE, HELD, MADE, RUNS, Scene


def from_the_outbox(scene: Scene, status: JobStatus, act: Act = Act.JOB) -> Replayed:
    """What became of a job that waited on disk."""
    record = scene.record()
    waited = Resolution(act=act, team=record.team, hold_id=record.hold_id, job=record_text(record))
    return Replayed(waited, status)


@pytest.mark.parametrize("status", [JobStatus.RESOLVED, JobStatus.GONE])
async def test_a_job_that_time_overtook_on_disk_is_followed(scene: Scene, status: JobStatus) -> None:
    """Its hold was resolved or lost when the outbox told of it, so the store lists no such job: this process asks."""
    process = scene.process()
    scene.store.over.add("hold-1")
    scene.says = MADE

    take_up(process.gate, from_the_outbox(scene, status))
    await scene.live(120, process)

    assert [("hold-1", HELD, "made")] == scene.store.settled
    assert 1 == len(scene.asked)


@pytest.mark.parametrize(
    ("status", "act"), [(JobStatus.ATTACHED, Act.JOB), (JobStatus.DUPLICATE, Act.JOB), (JobStatus.GONE, Act.SETTLE)]
)
async def test_what_the_store_lists_is_found_by_the_walk(scene: Scene, status: JobStatus, act: Act) -> None:
    """Nothing more is to be done about what it took, nor about what is no job."""
    process = scene.process()

    take_up(process.gate, from_the_outbox(scene, status, act))

    assert 0 == process.reconciler.watched


async def test_a_record_that_cannot_be_read_is_left(scene: Scene) -> None:
    """It is set aside on disk with its reason; the replay of the others goes on."""
    process = scene.process()

    take_up(process.gate, Replayed(Resolution(act=Act.JOB, team="studio", hold_id="hold-1", job="{}"), "gone"))

    assert 0 == process.reconciler.watched


async def test_a_job_whose_hold_the_store_has_lost_is_ended(scene: Scene) -> None:
    """The store came back without it: whoever knows of it asks on, and books its end."""
    process = scene.process()
    scene.submit(process)
    scene.says = RUNS
    await scene.live(100, process)
    scene.store.open.clear()
    scene.store.over.add("hold-1")
    await scene.live(100, process)
    asked_before = len(scene.asked)

    process.gate.desk.doubt_all("studio")
    process.gate.desk.doubt_all("another")
    scene.says = MADE
    await scene.live(300, process)

    assert 2 == asked_before
    assert [("hold-1", HELD, "made")] == scene.store.settled


async def test_a_doubted_job_that_the_store_has_is_followed_as_before(scene: Scene) -> None:
    """It was told again: its lease and its end are as they were."""
    process = scene.process()
    job = scene.submit(process)

    process.gate.desk.doubt_all("studio")
    await scene.live(100, process)

    assert (True, 2) == (job.attached, len(scene.asked))


async def test_a_cancel_at_one_process_is_known_at_another(scene: Scene) -> None:
    """Whoever asks about the job learns that it is gone, and that its caller wanted that: freed before its deadline."""
    one, two = scene.process("a"), scene.process("b")
    job = scene.submit(one)
    scene.says = GONE

    await cancelled(one.gate, job)
    await two.reconciler.walk()
    await scene.live(600, two)

    assert [("hold-1", 0, "cancelled")] == scene.store.settled


async def test_a_job_that_is_gone_and_was_not_cancelled_waits_for_its_deadline(scene: Scene) -> None:
    """At no process did anybody cancel it."""
    one, two = scene.process("a"), scene.process("b")
    scene.submit(one)
    scene.says = GONE

    await two.reconciler.walk()
    await scene.live(600, two)

    assert [] == scene.store.settled


async def test_a_job_that_neither_store_nor_outbox_took_is_told_again(scene: Scene) -> None:
    """When the store is back it has the job: another process finds it, by its name and by the walk."""
    one, two = scene.process("a"), scene.process("b")
    one.gate.outbox = None
    job = one.gate.desk.adopt(scene.record())
    job.attached = False

    await scene.live(100, one)

    assert (True, ["hold-1"]) == (job.attached, [hold for _, hold in scene.store.open])
    assert await two.gate.desk.find("studio", "studio", "job-1") is not None
    assert 0 == len(one.errors)


async def test_files_are_not_waited_for_one_by_one(scene: Scene) -> None:
    """The store is away: it is asked once, all files are known here, and the next poll tells it all of them."""
    process = scene.process()
    record = scene.submit(process).record
    outcome, asked = Made(1, files=("files/x", "files/y", "files/z")), list[str]()
    await finish(process.gate, record, Made(1), "poll")
    real = scene.store.name_job

    async def counted(team: str, name: str, *arguments: Any) -> None:
        asked.append(name)
        await real(team, name, *arguments)

    scene.store.name_job = counted  # type: ignore[method-assign]
    scene.store.away = True
    await finish(process.gate, record, outcome, "poll")
    known = [await process.gate.desk.find("studio", "studio", name) for name in outcome.files]
    asked_away = list(asked)
    scene.store.away = False
    await finish(process.gate, record, outcome, "poll")

    assert (["studio/files/x"], True) == (asked_away, all(known))
    assert [f"studio/{name}" for name in outcome.files] == scene.store.named
