"""Jobs are known by their team's names for them, and looked up once."""

from dataclasses import replace

import pytest

from gatekeeper.proxy.jobs.desk import JobDesk
from gatekeeper.proxy.jobs.record import JobRecord, record_text
from tests.proxy.jobs.conftest import Scene


class Names:
    """A ledger that knows jobs by name, and counts."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {}
        self.asked = 0

    async def job(self, team_id: str, name: str) -> tuple[str, str] | None:
        self.asked += 1
        text = self.known.get((team_id, name))
        return None if text is None else ("hold-1", text)


@pytest.fixture(name="names")
def _names() -> Names:
    return Names()


@pytest.fixture(name="record")
def _record(scene: Scene) -> JobRecord:
    return scene.record()


def a_desk(names: Names, names_max: int = 10) -> JobDesk:
    return JobDesk(names, lambda: 7.0, names_max)


async def test_a_job_is_looked_up_once(names: Names, record: JobRecord) -> None:
    """From then on it is known here."""
    names.known["studio", "studio/job-1"] = record_text(record)
    desk = a_desk(names)

    found = [await desk.find("studio", "studio", "job-1") for _ in range(3)]

    assert (1, record) == (names.asked, found[0] and found[0].record)
    assert found[0] is found[1] is found[2]


async def test_a_job_is_its_teams_alone(names: Names, record: JobRecord) -> None:
    """Also to this process another team's job is none."""
    desk = a_desk(names)
    desk.adopt(record)

    assert await desk.find("other", "studio", "job-1") is None
    assert await desk.find("studio", "elsewhere", "job-1") is None


@pytest.mark.parametrize("change", [{"provider": "other"}, {"facts": None}, None])
async def test_a_record_that_contradicts_its_name_is_not_believed(
    names: Names, record: JobRecord, change: dict[str, object] | None
) -> None:
    """Of another provider, of another team, or no record at all."""
    if change == {"facts": None}:
        change = {"facts": replace(record.facts, team="other")}
    names.known["studio", "studio/job-1"] = (
        "nonsense" if change is None else record_text(replace(record, **change))  # type: ignore[arg-type]
    )

    assert await a_desk(names).find("studio", "studio", "job-1") is None


async def test_a_second_name_leads_to_the_same_job(names: Names, record: JobRecord) -> None:
    """Found by a file's name in the store, it is the job that was known by its id."""
    names.known["studio", "studio/files/x"] = record_text(record)
    desk = a_desk(names)
    job = desk.adopt(record)

    assert job is await desk.find("studio", "studio", "files/x")
    assert job is desk.of_hold("hold-1")


async def test_the_names_known_are_bounded(names: Names, record: JobRecord) -> None:
    """The one that nobody asked for the longest is forgotten; the store still knows it."""
    desk = a_desk(names, 2)
    job = desk.adopt(record)
    desk.call_it(job, "b")
    await desk.find("studio", "studio", "job-1")
    desk.call_it(job, "c")

    found = [await desk.find("studio", "studio", name) is not None for name in ("job-1", "b", "c")]

    assert ([True, False, True], 1) == (found, names.asked)


async def test_every_job_that_becomes_known_is_told_once(names: Names, record: JobRecord) -> None:
    """However often it is adopted."""
    desk, told = a_desk(names), list[str]()
    desk.on_job = lambda job: told.append(job.record.hold_id)

    jobs = [desk.adopt(record) for _ in range(3)]

    assert (["hold-1"], 1) == (told, len({id(job) for job in jobs}))
