"""Pages of many teams: read once for all who look, in bounded parts, and honest about how old and how many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gatekeeper.console import roster
from gatekeeper.console.joblines import OpenJobs
from gatekeeper.console.keeping import KEEP_S, KINDS_MAX, Kept
from gatekeeper.console.pages import jobs
from gatekeeper.console.pages.jobs import open_jobs
from gatekeeper.console.roster import Roster
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.console.consoleworld import Console
from tests.console.test_sessions import Clock
from tests.proxy.jobs.test_record import a_record

MANY = [f"team-{number:06}" for number in range(100_000)]


class Store:
    """A ledger of so many teams, each with one open job. `walks` and `asked` count what it is asked."""

    def __init__(self, ids: list[str] | None = None) -> None:
        self.ids = MANY if ids is None else ids
        self.walks, self.asked = 0, 0

    async def teams(self) -> AsyncIterator[str]:
        self.walks += 1
        for team_id in reversed(self.ids):
            yield team_id

    async def open_jobs(self, team_id: str, cursor: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        self.asked += 1
        return "0", ()


async def test_all_who_look_at_once_share_one_walk() -> None:
    """Of a hundred thousand teams; for ten seconds nobody walks again, and the age is told."""
    clock, store = Clock(), Store()
    teams = Roster(clock)  # type: ignore[arg-type]

    found = await asyncio.gather(*(teams.find(store, "0009") for _ in range(5)))  # type: ignore[arg-type]
    clock.at_s += KEEP_S - 1
    later = await teams.find(store)  # type: ignore[arg-type]
    walks = store.walks
    clock.at_s += 1
    await teams.find(store)  # type: ignore[arg-type]

    assert (1, 2, KEEP_S - 1, 100_000) == (walks, store.walks, later.age_s, len(later.ids))
    assert MANY[999:1001] == list(later.behind(MANY[998], 2))
    assert all("0009" in name for name in found[0].ids)


async def test_few_teams_are_read_anew() -> None:
    """Where a walk is two questions to the store, a team that was just made is there."""
    store = Store(["a"])
    teams = Roster(Clock())  # type: ignore[arg-type]
    await teams.find(store)  # type: ignore[arg-type]
    store.ids.append("b")

    assert ["a", "b"] == list((await teams.find(store)).ids)  # type: ignore[arg-type]


async def test_a_store_of_more_teams_than_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded, and the page knows that there is more."""
    monkeypatch.setattr(roster, "IDS_MAX", 10)

    found = await Roster(Clock()).find(Store())  # type: ignore[arg-type]

    assert (10, False) == (len(found.ids), found.is_all)


async def test_a_look_at_jobs_asks_so_many_teams() -> None:
    """However many there are; the next page goes on behind the last of them."""
    store = Store()

    found = await open_jobs(store, MANY[: jobs.TEAMS_MAX + 1], len(MANY))  # type: ignore[arg-type]

    assert (jobs.TEAMS_MAX, jobs.TEAMS_MAX) == (store.asked, found.looked)
    assert (MANY[jobs.TEAMS_MAX - 1], 100_000) == (found.next_cursor, found.teams)


async def test_a_full_page_of_jobs_ends_with_a_team(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages behind one another have every team's jobs once."""
    monkeypatch.setattr(jobs, "JOBS_SHOWN", 3)
    monkeypatch.setattr(jobs, "read_record", lambda _: a_record())

    class Busy(Store):
        async def open_jobs(self, team_id: str, cursor: str) -> tuple[str, tuple[tuple[str, str], ...]]:
            return "0", ((f"{team_id}-1", ""), (f"{team_id}-2", ""))

    found = await open_jobs(Busy(), MANY[:9], 9)  # type: ignore[arg-type]

    assert (4, 2, MANY[1], False) == (len(found.jobs), found.looked, found.next_cursor, found.is_cut)


async def test_what_is_kept_is_bounded() -> None:
    """The oldest reading goes for a new one; a reading that fails is told and not kept."""
    kept = Kept[int, OpenJobs](Clock(), lambda _: True)  # type: ignore[arg-type]

    async def read() -> OpenJobs:
        return OpenJobs((), 1, 1, None, is_cut=False)

    async def fail() -> OpenJobs:
        raise OSError("away")

    for number in range(KINDS_MAX + 1):
        await kept.get(number, read)
    with pytest.raises(OSError, match="away"):
        await kept.get(-1, fail)

    assert (KINDS_MAX, False) == (len(kept._kept), -1 in kept._reading)


async def test_pages_of_jobs_are_honest(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that has looked at a part of the teams says of how many, and does not say that no job is open."""
    monkeypatch.setattr(jobs, "TEAMS_MAX", 2)
    for name in ("a", "b", "c"):
        await console.world.gateway.store.ledger.put_team(TeamRecord(name))

    first = await console.get("/jobs")
    last = await console.get("/jobs?team=&after=b")

    assert ["0 of 2 of 4 teams" in first, "No job is open." in first, 'id="next-teams"' in first] == [True, False, True]
    assert 'id="next-teams"' not in last
