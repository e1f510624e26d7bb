"""A month in the lives of six teams, for pictures: real generations through a real gateway, at times that are made up.

The calendar is the one that tests turn by hand (`tests/system/almanac.py`), so every amount, day and hold is booked by
the ledger's own scripts. The same seed gives the same month.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp

from gatekeeper.app import Gateway
from tests.system.almanac import Almanac

TODAY: Final = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
"""A Friday: the last three weeks of November's budgets are spent, and something is still going on."""

DAYS: Final = 30

IDEAS: Final = ("a lighthouse at dusk", "a shop window in the rain", "a mountain road", "a market")


@dataclass(frozen=True)
class Work:
    """One kind of thing that a team makes: `share` of its generations on a day."""

    share: int
    model: str
    resolution: str | None
    phase: str | None = None


EXPLORING = (Work(10, "nano-banana-2", "1K", "iteration"), Work(3, "nano-banana", "1K", "iteration"),
             Work(2, "flux-2-pro", "1K", "iteration"), Work(3, "nano-banana-2", "2K", "final"),
             Work(1, "nano-banana-pro", "4K", "final"), Work(1, "nano-banana-2", "1K", "fix"))  # fmt: skip
"""About 70 % of the credits at 1K for ideas, 25 for finals, 5 for repairs."""

HASTY = (Work(3, "nano-banana-2", "1K", "iteration"), Work(6, "nano-banana-pro", "4K", "iteration"),
         Work(2, "nano-banana-2", "4K", "final"))  # fmt: skip
"""High resolutions before anybody has chosen."""

SHOP = (Work(6, "chatgpt-1.5", "1K"), Work(4, "nano-banana", "1K"), Work(2, "seedream-v4.5", "2K"))

SKETCHES = (Work(5, "z-image-turbo", None), Work(2, "nano-banana", "1K"))


@dataclass(frozen=True)
class Team:
    """What a team has, and how it spends. `pace`: generations on a working day; `first` is the day it began."""

    id: str
    granted: int
    works: tuple[Work, ...]
    pace: int
    projects: tuple[str, ...] = ("",)
    members: tuple[str, ...] = ("",)
    timezone: str = "UTC"
    organisation: str = ""
    first: int = 0
    last: int = DAYS
    limits: tuple[dict[str, Any], ...] = ()
    budgets: tuple[dict[str, Any], ...] = ()
    models: tuple[str, ...] = ("*",)


TEAMS: Final = (
    Team(
        "atelier-nord", 30_000, EXPLORING, 9, ("spring-campaign", "lookbook"), ("amy", "carla", "jonas"),
        "Europe/Berlin", "northlight",
        limits=({"scope": "team", "per": "month", "credits": 16_000}, {"scope": "member", "per": "day", "credits": 400},
                {"scope": "project:lookbook", "per": "month", "credits": 5_000}),
        budgets=({"id": "spring-campaign", "credits": 9_000, "per": "month"},),
    ),
    Team("city-desk", 5_000, SKETCHES, 6, members=("ines", "omar"), organisation="northlight", last=24,
         limits=({"scope": "team", "per": "week", "credits": 1_000},)),
    Team("indie-games", 3_000, (*SKETCHES, Work(2, "nano-banana-2", "1K")), 5, ("dungeon",), ("kim", "lou"),
         "America/New_York", last=29),
    Team("monsoon-films", 20_000, HASTY, 7, ("title-sequence", "posters"), ("anand", "devi"), "Asia/Kolkata",
         first=8, budgets=({"id": "title-sequence", "credits": 8_000, "per": "month"},),
         limits=({"scope": "team", "per": "month", "credits": 18_000},)),
    Team("product-shots", 60_000, SHOP, 24, ("autumn-catalogue", "web-shop"), ("robot",), "Europe/Paris",
         limits=({"scope": "team", "per": "day", "credits": 1_500},
                 {"scope": "team", "per": "month", "credits": 17_500}),
         budgets=({"id": "web-shop", "credits": 14_000, "per": "month"},)),
    Team("research", 2_500, EXPLORING, 2, members=("wen",), first=12,
         models=("nano-banana*", "flux-2-pro")),
)  # fmt: skip


@dataclass
class Month:
    """The month as it is played. `keys` are the teams' secrets, which are in no picture."""

    gateway: Gateway
    almanac: Almanac
    session: aiohttp.ClientSession
    keys: dict[str, str] = field(default_factory=dict)
    dice: random.Random = field(default_factory=lambda: random.Random(20261120))

    async def play(self) -> None:
        """From its first day to this afternoon. What is refused on the way is only refused."""
        await self.at(TODAY - timedelta(days=DAYS, hours=8))
        for team in TEAMS:
            await self._found(team)
        for day in range(DAYS):
            for when, team in self._plan(day):
                await self.at(when)
                await self.generate(team, self._drawn(team))

    def _plan(self, day: int) -> list[tuple[datetime, Team]]:
        """Who makes something on this day, in order. On weekends few do, and today there is less of a day."""
        midnight = TODAY.replace(hour=0, minute=0) - timedelta(days=DAYS - 1 - day)
        plan = []
        for team in TEAMS:
            rest = midnight.weekday() >= 5 and team.id != "product-shots"
            pace = team.pace // 4 if rest else self.dice.randint(team.pace * 2 // 3, team.pace * 4 // 3)
            if team.first <= day < team.last:
                hours = (self.dice.uniform(7, 15 if day == DAYS - 1 else 19) for _ in range(pace))
                plan += [(midnight + timedelta(hours=hour), team) for hour in hours]
        return sorted(plan, key=lambda each: each[0])

    def _drawn(self, team: Team) -> dict[str, Any]:
        (work,) = self.dice.choices(team.works, [each.share for each in team.works])
        project = self.dice.choices(team.projects, range(len(team.projects) + 1, 1, -1))[0]
        idea = f"{self.dice.choice(IDEAS)}, study {self.dice.randint(1, 10**6)}"
        body = {"model": work.model, "prompt": idea, "aspect_ratio": "1:1"}
        body |= {"resolution": work.resolution} if work.resolution else {}
        head = {"Project": project, "Member": self.dice.choice(team.members), "Phase": work.phase}
        return {"body": body, "head": {f"Gatekeeper-{name}": value for name, value in head.items() if value}}

    async def _found(self, team: Team) -> None:
        record: dict[str, Any] = {"id": team.id, "timezone": team.timezone, "organisation": team.organisation}
        record |= {"models": {"allow": team.models, "deny": []}}
        await self.admin("POST", "/teams", {**record, "why": "a new customer"})
        grant = {"id": "autumn", "credits": team.granted, "why": "order 2026-117"}
        await self.admin("POST", f"/teams/{team.id}/grants", grant)
        if team.limits:
            await self.admin("PUT", f"/teams/{team.id}/limits", {"limits": team.limits, "why": "as agreed"})
        if team.budgets:
            await self.admin("PUT", f"/teams/{team.id}/projects", {"projects": team.budgets, "why": "as planned"})
        made = await self.admin("POST", f"/teams/{team.id}/keys", {"id": "studio", "why": "their first key"})
        self.keys[team.id] = str(made["secret"])

    async def at(self, when: datetime) -> None:
        """It is this time."""
        await self.almanac.turn(self.gateway.store.client, when.isoformat())

    async def generate(self, team: Team, asked: dict[str, Any]) -> str:
        """One generation: nothing, or why it was refused."""
        status, answer = await self.ask("POST", "/v1/generations", team.id, asked["body"], asked["head"])
        return "" if status == 200 else str(answer["code"])

    async def ask(
        self, method: str, path: str, team: str, body: Any = None, head: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """One request of a team to the data plane."""
        head = {"Authorization": f"Bearer {self.keys[team]}", **(head or {})}
        async with self.session.request(method, self.gateway.url + path, json=body, headers=head) as answer:
            return answer.status, await answer.json(content_type=None)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One operation of the admin API, which must succeed."""
        head = {"Authorization": f"Bearer {self.gateway.admin_token}"}
        url = f"{self.gateway.admin_url}/admin/v1{path}"
        async with self.session.request(method, url, json=body, headers=head) as answer:
            text = await answer.text()
            assert answer.status in {200, 201}, (path, answer.status, text)
            return await answer.json()
