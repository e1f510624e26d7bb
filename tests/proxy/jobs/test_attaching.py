"""A job that was just taken: the store has it, or the outbox, or at least this process; and when it is overdue."""

import io
import json
from typing import Any

import pytest

from gatekeeper.core.request import Operation
from gatekeeper.ledger.errors import LedgerError, LedgerInvalid, LedgerUnavailable
from gatekeeper.ledger.records import Attached, JobStatus
from gatekeeper.ledger.resolution import Act
from gatekeeper.logs import configure_logs
from gatekeeper.proxy.jobs.attaching import attach, deadline_s
from gatekeeper.proxy.jobs.record import read_record
from gatekeeper.settings import JobSettings
from tests.cases import each_case
from tests.factories import a_capability, a_model, a_valid_request
from tests.proxy.jobs.conftest import Process, Scene

VIDEO = Operation.VIDEO_GENERATE


@each_case(
    ("deadlines", "changes", "expected"),
    [
        ({}, {}, 900),
        ({}, {"operation": VIDEO}, 3600),
        ({"": 77}, {"operation": VIDEO}, 77),
        ({"1K": 60, "2K": 120}, {"resolution": "2K"}, 120),
        ({"1K": 60, "2K": 120}, {"resolution": None}, 120),
        ({"1K": 60}, {"resolution": "2K"}, 900),
    ],
)
def test_a_job_is_overdue_when_its_model_says(
    deadlines: dict[str, int], changes: dict[str, Any], expected: int
) -> None:
    """By tier, the longest of all if the tier is open; else what the settings say for pictures and for videos."""
    operations = (Operation.IMAGE_GENERATE, VIDEO)
    model = a_model(a_capability(operations=operations, job_deadlines_s=deadlines))

    assert expected == deadline_s(JobSettings(), model, a_valid_request(**changes))


@pytest.fixture(name="process")
def _process(scene: Scene) -> Process:
    return scene.process()


def answers(process: Process, answer: JobStatus | LedgerError) -> dict[str, Any]:
    """What the ledger says to the next attach; gives what it is told."""
    told: dict[str, Any] = {}

    async def attach_job(hold_id: str, team: str, text: str, **named: Any) -> Attached:
        told.update(named, hold_id=hold_id, team=team, text=text)
        if isinstance(answer, LedgerError):
            raise answer
        return Attached(answer, None, 1)

    process.gate.ledger.attach_job = attach_job
    return told


async def test_the_store_has_the_job_under_its_name(scene: Scene, process: Process) -> None:
    """By provider and id, found for a week after its deadline."""
    told = answers(process, JobStatus.ATTACHED)
    job = scene.submit(process)

    status = await attach(process.gate, job)

    assert ("attached", True, ("studio/job-1",)) == (status, job.attached, told["names"])
    assert (900_000, 900_000 + 7 * 86_400_000) == (told["ttl_ms"], told["keep_ms"])
    assert job.record == read_record(told["text"])


async def test_a_store_that_is_away_gets_it_later(scene: Scene, process: Process) -> None:
    """All of it waits in the outbox, and this process knows that the store does not have it."""
    told = answers(process, LedgerUnavailable("away", maybe_executed=True))
    job = scene.submit(process)

    status = await attach(process.gate, job)

    (waiting,) = process.gate.outbox.written
    assert ("deferred", False, Act.JOB) == (status, job.attached, waiting.act)
    assert [told[name] for name in ("text", "ttl_ms", "names", "keep_ms", "hold_id", "team")] == [
        waiting.job, waiting.ttl_ms, waiting.names, waiting.keep_ms, waiting.hold_id, waiting.team,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (JobStatus.RESOLVED, "resolved", "job: resolved"),
        (JobStatus.GONE, "gone", "job: gone"),
        (LedgerInvalid("too long"), "not_booked", "LedgerInvalid"),
    ],
)
async def test_a_hold_that_cannot_follow_is_told(
    scene: Scene, process: Process, answer: JobStatus | LedgerError, status: str, reason: str
) -> None:
    """Over, lost, or a record that the store does not take: a line says so, and this process follows the job."""
    log = io.BytesIO()
    configure_logs("info", "json", log)
    answers(process, answer)
    job = scene.submit(process)

    said = await attach(process.gate, job)

    assert (status, False, reason) == (said, job.attached, json.loads(log.getvalue())["reason"])
    assert job is process.gate.desk.of_hold("hold-1")


async def test_a_job_that_the_store_does_not_have_is_followed(scene: Scene, process: Process) -> None:
    """Known to this process alone it is asked about all the same, and its end is booked."""
    answers(process, LedgerInvalid("too long"))
    job = scene.submit(process)
    await attach(process.gate, job)
    scene.store.open.clear()

    await scene.live(62, process)
    asked = len(scene.asked)

    assert (1, 1) == (asked, process.reconciler.watched)
