"""The end of a job is booked once, whoever comes with it and whatever the ledger says."""

import asyncio
import io
import json
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.core.outcome import Cost, Failed, Made
from gatekeeper.core.spec import OverRun
from gatekeeper.ledger.errors import LedgerInvalid, OutboxFull
from gatekeeper.ledger.records import Settlement, SettleStatus
from gatekeeper.logs import configure_logs
from gatekeeper.proxy.jobs.settling import finish, give_up
from tests.factories import a_capability, a_model
from tests.proxy.jobs.conftest import HELD, Scene


@pytest.fixture(name="lines")
def _lines() -> Any:
    """What is logged, read when it is asked for."""
    log = io.BytesIO()
    configure_logs("info", "json", log)
    return lambda name: [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == name]


async def test_ends_that_race_are_booked_once(scene: Scene, lines: Any) -> None:
    """Poll, webhook and reconciler with three readings at once: the first is booked, the others change nothing."""
    process = scene.process()
    job = scene.submit(process)
    outcomes = ((Made(1), "poll"), (Failed("x"), "webhook"), (Made(3), "reconciler"))

    ended = await asyncio.gather(*(finish(process.gate, job.record, what, via) for what, via in outcomes))  # type: ignore[arg-type]

    assert [("hold-1", HELD, "made")] == scene.store.settled
    assert {HELD} == {each.charged for each in ended}
    assert 1 == len(lines("generation.settled")) == len(lines("job.finished"))


async def test_two_processes_with_two_readings_book_the_first(scene: Scene, lines: Any) -> None:
    """The second is told what was booked, and a line says that its reading was another."""
    one, two = scene.process("a"), scene.process("b")
    record = scene.submit(one).record

    await finish(one.gate, record, Made(1), "poll")
    job = await finish(two.gate, record, Failed("x"), "webhook")

    assert ([("hold-1", HELD, "made")], HELD, True) == (scene.store.settled, job.charged, job.ended)
    assert ["mismatch"] == [line["reason"] for line in lines("settle.failed")]


async def test_two_processes_with_one_reading_tell_of_it_once(scene: Scene, lines: Any) -> None:
    """The second finds it booked, as it would have booked it."""
    one, two = scene.process("a"), scene.process("b")
    record = scene.submit(one).record

    for process in (one, two):
        await finish(process.gate, record, Made(1), "poll")

    assert (1, 0) == (len(lines("generation.settled")), len(lines("settle.failed")))


@pytest.mark.parametrize("away", [False, True])
async def test_outputs_are_told(scene: Scene, away: bool) -> None:
    """How many outputs a job made goes to the ledger with its end, and to the outbox if the store is away."""
    process = scene.process()
    record = scene.submit(process).record
    told: list[int] = []
    real = scene.store.settle

    async def settle(*arguments: Any, **named: Any) -> Any:
        told.append(named["outputs"])
        return await real(*arguments, **named)

    scene.store.settle = settle  # type: ignore[method-assign]
    scene.store.away = away
    await finish(process.gate, record, Made(1), "poll")

    assert [1] == told
    assert [1] * away == [each.outputs for each in process.gate.outbox.written]


async def test_a_caller_that_leaves_does_not_stop_a_booking(scene: Scene) -> None:
    """Cancelled while the ledger is asked: it is booked all the same."""
    process = scene.process()
    record = scene.submit(process).record
    asked, go = asyncio.Event(), asyncio.Event()
    real = scene.store.settle

    async def slow(*arguments: Any, **named: Any) -> Any:
        asked.set()
        await go.wait()
        return await real(*arguments, **named)

    scene.store.settle = slow  # type: ignore[method-assign]
    ending = asyncio.ensure_future(finish(process.gate, record, Made(1), "poll"))
    await asked.wait()
    ending.cancel()
    go.set()

    assert 0 == await process.gate.in_flight.until_none(1)
    assert [("hold-1", HELD, "made")] == scene.store.settled


async def test_what_nobody_could_keep_is_tried_again(scene: Scene, lines: Any) -> None:
    """Store away and outbox full: the job is not taken for ended, and the next who learns its end books it."""
    process = scene.process()
    job = scene.submit(process)

    async def full(_resolution: Any) -> None:
        raise OutboxFull("full")

    process.gate.outbox = SimpleNamespace(write=full)
    scene.store.away = True
    await finish(process.gate, job.record, Made(1), "poll")
    ended_before = job.ended
    scene.store.away = False
    await finish(process.gate, job.record, Made(1), "poll")

    assert (False, True, ["OutboxFull"]) == (
        ended_before,
        job.ended,
        [line["reason"] for line in lines("settle.failed")],
    )
    assert [("hold-1", HELD, "made")] == scene.store.settled


async def test_a_call_that_is_wrong_in_itself_is_told(scene: Scene, lines: Any) -> None:
    """It would stay wrong in the outbox; a line says that nobody booked it."""
    process = scene.process()
    record = scene.submit(process).record

    async def refuses(*_: Any, **__: Any) -> Any:
        raise LedgerInvalid("amount")

    scene.store.settle = refuses  # type: ignore[method-assign]
    job = await finish(process.gate, record, Made(1), "poll")

    assert (False, ["LedgerInvalid"]) == (job.ended, [line["reason"] for line in lines("settle.failed")])


async def test_more_than_the_books_can_take_is_charged_as_held(scene: Scene, lines: Any) -> None:
    """The model has the team bear it, and the answer is absurd: its hold is charged, and is not kept for ever."""
    process = scene.process()
    record = scene.submit(process).record
    process.gate.shelf = SimpleNamespace(find_model=lambda *_: a_model(a_capability(over=OverRun.DEBT)))
    real = scene.store.settle

    async def limited(hold_id: str, team: str, amount: int, **named: Any) -> Any:
        if amount > 10**15:
            raise LedgerInvalid("the charged total would pass 9e15")
        return await real(hold_id, team, amount, **named)

    scene.store.settle = limited  # type: ignore[method-assign]
    job = await finish(process.gate, record, Made(10**12), "poll")

    assert ([("hold-1", HELD, "made")], True) == (scene.store.settled, job.ended)
    (line,) = lines("generation.settled")
    assert (49, 49) == (line["credits_held"], line["credits_charged"])
    assert line["credits_over"] > 0


async def test_what_was_worth_more_is_told(scene: Scene, lines: Any) -> None:
    """Two came, one was held, and the house bears it: `credits_over` says how much."""
    process = scene.process()
    record = scene.submit(process).record

    await finish(process.gate, record, Made(2), "poll")

    (line,) = lines("generation.settled")
    assert (49, 49, 49) == (line["credits_held"], line["credits_charged"], line["credits_over"])


async def test_the_ledger_is_told_who_bears_it(scene: Scene) -> None:
    """`over: charge` asks for all of it, as far as the team's credits go."""
    process = scene.process()
    record = scene.submit(process).record
    process.gate.shelf.find_model = lambda _model, _list: a_model(a_capability(over=OverRun.CHARGE))
    asked = list[dict[str, Any]]()
    real = scene.store.settle

    async def heard(hold_id: str, team: str, amount: int, **named: Any) -> Any:
        asked.append({"amount": amount} | named)
        return await real(hold_id, team, amount, **named)

    scene.store.settle = heard  # type: ignore[method-assign]
    await finish(process.gate, record, Made(2), "poll")

    assert [(2 * HELD, True)] == [(each["amount"], each["within_available"]) for each in asked]


@pytest.mark.parametrize(
    ("at_submission", "at_end", "expected"),
    [
        (Cost(Fraction(4), "bfl_credits"), None, (4.0, "bfl_credits")),
        (Cost(Fraction(4), "bfl_credits"), Cost(Fraction(5), "bfl_credits"), (5.0, "bfl_credits")),
        (None, None, (None, None)),
    ],
)
async def test_a_reported_cost_stands_beside_the_charge(
    scene: Scene, lines: Any, at_submission: Cost | None, at_end: Cost | None, expected: tuple[Any, Any]
) -> None:
    """That of the end, else that of the submission; it never becomes the charge."""
    process = scene.process()
    record = replace(scene.submit(process).record, cost=at_submission)

    await finish(process.gate, record, Made(1, cost=at_end), "poll")

    (line,) = lines("generation.settled")
    assert (expected, 49) == ((line["cost_reported"], line["cost_unit"]), line["credits_charged"])


async def test_a_name_that_the_store_did_not_take_is_known_here(scene: Scene, lines: Any) -> None:
    """The charge is booked; the file may be asked for in this process, and a line says what is lacking."""
    process = scene.process()
    record = scene.submit(process).record
    real = scene.store.settle

    async def settle_then_away(*arguments: Any, **named: Any) -> Any:
        settled = await real(*arguments, **named)
        scene.store.away = True
        return settled

    scene.store.settle = settle_then_away  # type: ignore[method-assign]
    job = await finish(process.gate, record, Made(1, files=("files/x",)), "poll")

    assert job is await process.gate.desk.find("studio", "studio", "files/x")
    assert ["name: LedgerUnavailable"] == [line["reason"] for line in lines("settle.failed")]


async def test_a_name_that_the_store_did_not_take_is_told_again(scene: Scene) -> None:
    """The next who polls the end has the store know the file, and then nobody has to any more."""
    process = scene.process()
    record = scene.submit(process).record
    outcome = Made(1, files=("files/x",))
    await finish(process.gate, record, Made(1), "poll")
    scene.store.away = True
    await finish(process.gate, record, outcome, "poll")
    scene.store.away = False

    for _ in range(3):
        await finish(process.gate, record, outcome, "poll")

    assert ["studio/files/x"] == scene.store.named


async def test_a_job_that_ended_elsewhere_is_given_up_in_silence(scene: Scene, lines: Any) -> None:
    """What was booked stands, and nothing went wrong."""
    one, two = scene.process("a"), scene.process("b")
    record = scene.submit(one).record
    await finish(one.gate, record, Made(1), "poll")

    job = await give_up(two.gate, record, charge=False)

    assert (True, HELD, []) == (job.ended, job.charged, lines("settle.failed"))


@pytest.mark.parametrize(("charge", "expected"), [(True, HELD), (False, 0)])
async def test_a_job_is_given_up_once(scene: Scene, charge: bool, expected: int) -> None:
    """And an end that comes after all changes nothing any more."""
    process = scene.process()
    record = scene.submit(process).record

    await give_up(process.gate, record, charge=charge)
    await finish(process.gate, record, Made(1), "webhook")

    assert [("hold-1", expected, "job gone")] == scene.store.settled


async def test_labels_are_bounded(scene: Scene) -> None:
    """Metrics of jobs have a provider, an outcome of a closed list, and who learnt it; never a team or a job."""
    process = scene.process()
    for number, outcome in enumerate((Made(1), Made(0), Failed("a reason of its own"), Failed("x", billable=True))):
        await finish(process.gate, scene.submit(process, number).record, outcome, "poll")

    text = (await process.gate.metrics.shown()).decode()
    ended = [line.rpartition(" ")[0] for line in text.splitlines() if line.startswith("gatekeeper_jobs_ended_total")]
    assert sorted(ended) == sorted(
        f'gatekeeper_jobs_ended_total{{outcome="{outcome}",provider="studio",via="poll"}}'
        for outcome in ("made", "partial", "failed", "failed_billable")
    )
    assert 'gatekeeper_job_seconds_count{provider="studio"} 4.0' in text


@pytest.mark.parametrize(("age_s", "told"), [(60, ["gone"]), (49 * 3600, [])])
async def test_what_is_long_over_is_no_failure(scene: Scene, lines: Any, age_s: int, told: list[str]) -> None:
    """The ledger forgets ends after days: who polls then is answered, and no alarm is raised."""
    process = scene.process()
    record = scene.submit(process).record
    scene.clock.at_s += age_s

    async def knows_nothing(*_: Any, **__: Any) -> Settlement:
        return Settlement(SettleStatus.GONE, 0, 0, 0, 0, 0, False, None, 0)

    scene.store.settle = knows_nothing  # type: ignore[method-assign]
    job = await finish(process.gate, record, Made(1), "poll")

    assert (True, None, told) == (job.ended, job.charged, [line["reason"] for line in lines("settle.failed")])
