"""Jobs that nobody polls are asked about: by one process at a time, ever less often, until somebody says their end."""

import asyncio
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.core.outcome import Failed, Made, Outcome, Unknown
from gatekeeper.dialects.base import JobLink
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.logs import configure_logs
from gatekeeper.proxy.jobs import reconciler as module
from gatekeeper.proxy.jobs.desk import JobDesk
from gatekeeper.proxy.jobs.record import record_text
from gatekeeper.proxy.jobs.settling import finish
from gatekeeper.settings import JobSettings
from tests.proxy.jobs.conftest import GONE, HELD, MADE, RUNS, Scene


@pytest.fixture(name="lines")
def _lines() -> Any:
    """What is logged, read when it is asked for."""
    log = io.BytesIO()
    configure_logs("info", "json", log)
    return lambda name: [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == name]


async def test_the_first_question_comes_after_a_silence(scene: Scene) -> None:
    """A minute after the submission, and not before."""
    process = scene.process()
    scene.submit(process)

    await scene.live(59, process)
    before = len(scene.asked)
    await scene.live(2, process)

    assert (0, 1) == (before, len(scene.asked))


async def test_polls_of_the_caller_postpone_it(scene: Scene) -> None:
    """While somebody polls here, nobody else has to."""
    process = scene.process()
    job = scene.submit(process)

    for _ in range(40):
        await scene.live(10, process)
        job.asked_at_s = scene.clock.at_s
    during = len(scene.asked)
    await scene.live(62, process)

    assert (0, 1) == (during, len(scene.asked))


async def test_polls_of_the_caller_do_not_postpone_it_for_ever(scene: Scene) -> None:
    """Past the deadline we ask ourselves, whatever somebody makes of his own polls."""
    process = scene.process()
    job = scene.submit(process)
    scene.says = MADE

    for _ in range(100):
        await scene.live(10, process)
        job.asked_at_s = scene.clock.at_s

    assert [("hold-1", HELD, "made")] == scene.store.settled


async def test_an_end_is_booked_once(scene: Scene) -> None:
    """The price is that of the record's list; after it nobody asks any more."""
    process = scene.process()
    scene.submit(process)
    scene.says = MADE

    await scene.live(3600, process, step_s=10)

    assert [("hold-1", HELD, "made")] == scene.store.settled
    assert (1, 0, []) == (len(scene.asked), process.reconciler.watched, process.errors)


async def test_questions_get_rarer_with_age(scene: Scene) -> None:
    """A quarter of its age, at least 30 s and at most 10 min apart."""
    scene.settings = JobSettings(image_deadline_s=86_400)
    process = scene.process()
    record = scene.submit(process).record
    object.__setattr__(record, "deadline_s", 86_400)

    await scene.live(7200, process)

    pauses = [after - before for before, after in zip(scene.asked, scene.asked[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert 30 <= pauses[0] <= 32
    assert 600 <= pauses[-1] <= 602


@pytest.mark.parametrize("trouble", [Unknown("429"), Unknown("500"), Unknown("refused"), GONE])
async def test_trouble_ends_nothing_before_the_deadline(scene: Scene, trouble: Outcome) -> None:
    """Errors, and a 404 too soon, only make the pauses longer; the end is booked when it is told."""
    process = scene.process()
    scene.submit(process)
    scene.says = trouble
    await scene.live(800, process, step_s=5)
    asked_in_trouble, settled_in_trouble = len(scene.asked), list(scene.store.settled)

    scene.says = MADE
    await scene.live(3700, process, step_s=5)

    assert [] == settled_in_trouble
    assert 3 <= asked_in_trouble <= 6
    assert [("hold-1", HELD, "made")] == scene.store.settled


async def test_one_process_at_a_time_asks(scene: Scene) -> None:
    """Two processes know the job; together they ask no oftener than one would."""
    one, two = scene.process("a"), scene.process("b")
    scene.submit(one)
    scene.submit(two)

    await scene.live(800, one, two)

    pauses = [after - before for before, after in zip(scene.asked, scene.asked[1:], strict=False)]
    assert min(pauses) >= 30
    assert len(scene.asked) <= 12


async def test_the_end_is_booked_by_whoever_is_left(scene: Scene) -> None:
    """The process that asked so far is gone; the other finds the job by its walk and ends it."""
    gone, left = scene.process("a"), scene.process("b")
    scene.submit(gone)
    await scene.live(200, gone)
    scene.says = MADE

    await left.reconciler.walk()
    await scene.live(300, left)

    assert [("hold-1", HELD, "made")] == scene.store.settled


async def test_a_job_that_the_desk_forgets_is_asked_about_all_the_same(scene: Scene) -> None:
    """More jobs than names are remembered: each is asked about in its time, and what was counted is not forgotten."""
    process = scene.process()
    process.gate.desk = JobDesk(scene.store, scene.clock.monotonic_s, names_max=1)
    process.gate.desk.on_job = process.reconciler.watch_job
    for number in range(5):
        scene.abandoned(number)
    scene.says = GONE
    await process.reconciler.walk()

    await scene.live(8000, process, step_s=5)

    assert sorted(scene.store.settled) == [(f"hold-{number}", 0, "job gone") for number in range(5)]


async def test_a_walk_finds_every_team_and_page_once(scene: Scene) -> None:
    """Jobs of many teams, several pages each; the next walk finds nothing new."""
    process = scene.process()
    for number in range(6):
        scene.abandoned(number, f"team-{number % 2}")

    found = await process.reconciler.walk(), await process.reconciler.walk()

    assert ((6, 0), 6) == (found, process.reconciler.watched)


async def test_a_job_that_ended_elsewhere_is_forgotten(scene: Scene) -> None:
    """Another process booked it: the provider is not asked again."""
    process = scene.process()
    scene.submit(process)
    scene.store.open.clear()

    await scene.live(120, process)

    assert ([], 0) == (scene.asked, process.reconciler.watched)


async def test_a_pending_job_is_never_ended_by_time(scene: Scene, lines: Any) -> None:
    """Past its deadline it is asked about once an hour, and told of once."""
    process = scene.process()
    scene.submit(process)
    await scene.live(1000, process, step_s=5)
    before = len(scene.asked)

    await scene.live(86_400, process, step_s=60)

    assert [] == scene.store.settled
    assert 22 <= len(scene.asked) - before <= 25
    assert ["pending"] == [line["state"] for line in lines("job.overdue")]


@pytest.mark.parametrize(
    ("policy", "settled"),
    [(OnUnknown.RELEASE, [("hold-1", 0, "job gone")]), (OnUnknown.CHARGE, [("hold-1", HELD, "job gone")])],
)
async def test_a_job_that_is_gone_after_its_deadline_meets_the_policy(
    scene: Scene, policy: OnUnknown, settled: list[Any], lines: Any
) -> None:
    """The provider's `on_unknown` frees the hold, or charges it; one 404 alone does neither."""
    scene.policy = policy
    process = scene.process()
    scene.submit(process)
    await scene.live(1000, process, step_s=5)
    scene.says, asked = GONE, len(scene.asked)
    while len(scene.asked) == asked:
        await scene.live(60, process, step_s=60)
    after_one = list(scene.store.settled)

    await scene.live(3700, process, step_s=5)

    assert ([], settled) == (after_one, scene.store.settled)
    assert [("policy", "reconciler")] == [(line["outcome"], line["via"]) for line in lines("job.finished")]


async def test_a_job_that_is_gone_after_a_cancel_ends_as_cancelled(scene: Scene) -> None:
    """Its caller had it stopped, and the provider forgot it: what it bills for that is booked before the deadline."""
    process = scene.process()
    job = scene.submit(process)
    job.cancelled = True
    scene.says = GONE

    await scene.live(300, process)

    assert [("hold-1", 0, "cancelled")] == scene.store.settled


async def test_an_end_is_counted_at_once(scene: Scene) -> None:
    """Ended by its caller's poll, it is open no more, though its time to be asked about has not come."""
    process = scene.process()
    job = scene.submit(process)
    open_before = process.reconciler.watched

    await finish(process.gate, job.record, MADE, "poll")

    assert (1, 0) == (open_before, process.reconciler.watched)


async def test_a_job_that_is_gone_may_be_kept(scene: Scene, lines: Any) -> None:
    """With `on_unknown: keep` the hold stays for a person to decide, and a line says so once."""
    scene.policy = OnUnknown.KEEP
    process = scene.process()
    scene.submit(process)
    scene.says = GONE

    await scene.live(86_400, process, step_s=60)

    assert ([], ["gone"]) == (scene.store.settled, [line["state"] for line in lines("job.overdue")])


async def test_an_end_that_the_store_cannot_take_waits_on_disk(scene: Scene) -> None:
    """The outbox has it once, and nobody asks the provider again."""
    process = scene.process()
    job = scene.submit(process)
    scene.says = MADE
    real = scene.store.claim_job

    async def claim_then_away(*arguments: Any) -> bool:
        claimed = await real(*arguments)
        scene.store.away = True
        return claimed

    scene.store.claim_job = claim_then_away  # type: ignore[method-assign]
    await scene.live(600, process, step_s=5)

    assert [("settle", HELD)] == [(each.act, each.amount) for each in process.gate.outbox.written]
    assert (1, True, None) == (len(scene.asked), job.ended, job.charged)


async def test_a_store_that_is_away_ends_nothing(scene: Scene) -> None:
    """Without the store nobody knows whose turn it is; when it is back the job is ended."""
    process = scene.process()
    scene.submit(process)
    scene.store.away, scene.says = True, MADE
    await scene.live(300, process, step_s=5)
    asked_without_it = len(scene.asked)
    scene.store.away = False

    await scene.live(120, process, step_s=5)

    assert (0, [("hold-1", HELD, "made")]) == (asked_without_it, scene.store.settled)


async def test_one_bad_record_does_not_stop_the_others(scene: Scene) -> None:
    """A text that is no record is told, and asked about no oftener than every ten minutes."""
    process = scene.process()
    scene.store.open["studio", "hold-0"] = "nonsense"
    scene.abandoned(1)
    scene.says = MADE
    await process.reconciler.walk()

    await scene.live(120, process)

    assert [("hold-1", HELD, "made")] == scene.store.settled
    assert ["ValueError"] == [type(error).__name__ for error in process.errors]


async def test_a_team_that_cannot_be_read_is_passed_by(scene: Scene) -> None:
    """The other teams' jobs are found all the same."""
    process = scene.process()
    scene.abandoned(1, "broken")
    scene.abandoned(2, "fine")
    real = scene.store.open_jobs

    async def broken(team: str, cursor: str) -> Any:
        if team == "broken":
            raise LedgerBroken("cannot be read")
        return await real(team, cursor)

    scene.store.open_jobs = broken  # type: ignore[method-assign]

    assert (1, 1) == (await process.reconciler.walk(), len(process.errors))


async def test_only_so_many_are_asked_at_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty are due: twenty are begun, and each that is done with makes room for the next."""
    process = scene.process()
    for number in range(30):
        scene.submit(process, number)
    scene.clock.at_s += 61
    asked, go = list[str](), asyncio.Event()

    async def waits(_provider: Any, link: JobLink, _timeout_s: float, **_: str) -> Outcome:
        asked.append(link.job_id)
        await go.wait()
        return RUNS

    monkeypatch.setattr(module, "ask", waits)
    begun = await process.reconciler.watch()
    await turns()
    at_first = len(asked)
    go.set()
    await process.reconciler.settle_down()

    assert (20, 20, 30) == (begun, at_first, len(set(asked)))


async def turns() -> None:
    """Everything that waits for nothing but its turn has had it."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_a_provider_that_does_not_answer_does_not_hold_up_the_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty questions to it are due before the one to another, which ends all the same."""
    process = scene.process()
    process.gate.providers["silent"] = process.gate.providers["studio"]
    for number in range(2, 32):
        record = replace(scene.record(number), provider="silent")
        scene.store.open[record.team, record.hold_id] = record_text(record)
        process.gate.desk.adopt(record)
    scene.clock.at_s += 1
    scene.submit(process)
    scene.clock.at_s += 61
    asked, never = list[str](), asyncio.Event()

    async def silent(_provider: Any, link: JobLink, _timeout_s: float, **_: str) -> Outcome:
        asked.append(link.job_id)
        if link.job_id != "job-1":
            await never.wait()
        return MADE

    monkeypatch.setattr(module, "ask", silent)
    await process.reconciler.watch()
    await turns()

    assert [("hold-1", HELD, "made")] == scene.store.settled
    assert 10 == len(asked) - 1
    never.set()
    await process.reconciler.settle_down()


async def test_a_job_of_a_provider_that_is_no_more_is_kept(scene: Scene) -> None:
    """Whoever runs the gateway took it out of the settings: nobody can be asked, and nothing is ended."""
    process = scene.process()
    scene.submit(process)
    process.gate.providers.clear()

    await scene.live(7200, process, step_s=30)

    assert ([], []) == (scene.asked, scene.store.settled)


async def test_a_failure_is_refunded(scene: Scene) -> None:
    """A job that failed frees its hold, and a failure that the provider bills does not."""
    process = scene.process()
    scene.submit(process, 1)
    scene.says = Failed("nsfw")
    await scene.live(62, process)
    scene.submit(process, 2)
    scene.says = Failed("nsfw", billable=True)
    await scene.live(62, process)

    assert [("hold-1", 0, "nsfw"), ("hold-2", HELD, "failed_billable")] == scene.store.settled


async def test_files_are_known_by_their_names(scene: Scene) -> None:
    """What was made may be asked for by names of its own, here and elsewhere."""
    process = scene.process()
    job = scene.submit(process)
    scene.says = Made(1, files=("files/x", "files/y"))

    await scene.live(62, process)

    assert ["studio/files/x", "studio/files/y"] == scene.store.named
    assert job is await process.gate.desk.find("studio", "studio", "files/x")


async def test_it_stops_while_a_question_is_on_its_way(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops end, and a question that hangs is given up: nothing was changed by asking."""
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.01)
    process = scene.process()
    scene.submit(process)
    scene.clock.at_s += 61
    asked = asyncio.Event()

    async def hangs(*_: Any, **__: Any) -> Outcome:
        asked.set()
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(module, "ask", hangs)
    process.reconciler.start()
    await asked.wait()

    async with asyncio.timeout(5):
        await process.reconciler.stop()

    assert ([], []) == (process.errors, scene.store.settled)


async def test_a_walk_looks_at_many_teams_at_once(scene: Scene) -> None:
    """Their questions share a pipeline: all have been asked before the first is answered."""
    process = scene.process()
    for number in range(module.TEAMS_AT_ONCE):
        scene.abandoned(number, f"team-{number:03d}")
    real, asked, all_asked = scene.store.open_jobs, list[str](), asyncio.Event()

    async def together(team: str, cursor: str) -> Any:
        asked.append(team)
        if len(asked) == module.TEAMS_AT_ONCE:
            all_asked.set()
        await asyncio.wait_for(all_asked.wait(), 5)
        return await real(team, cursor)

    scene.store.open_jobs = together  # type: ignore[method-assign]

    assert module.TEAMS_AT_ONCE == await process.reconciler.walk()


async def test_how_far_behind_it_is(scene: Scene) -> None:
    """The time for which the next question is due; nothing before it is."""
    process = scene.process()
    none_s = process.reconciler.behind_s
    scene.submit(process)
    early_s = process.reconciler.behind_s
    scene.clock.at_s += 90

    assert (0, 0, 30) == (none_s, early_s, process.reconciler.behind_s)
