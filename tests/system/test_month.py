"""A month in the life of a team, played on a calendar that the test turns: the store's time and the gateway's."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.allowing import AllowanceLoop
from gatekeeper.ledger.records import Entry, EntryKind
from tests.system.adminworld import TEAM, Admin
from tests.system.almanac import Almanac, turned_by_hand
from tests.system.conftest import StartWorld
from tests.system.world import World

BERLIN = ZoneInfo("Europe/Berlin")
SOON = {"watch_every_s": 0.05, "diagnose_every_s": 0.05, "walk_every_s": 3600}
PICTURE = 49
"""What one picture at 1K costs."""


@pytest.fixture(name="almanac")
def _almanac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Almanac]:
    with turned_by_hand(monkeypatch) as almanac:
        yield almanac


class Life:
    """The team `studio` of Berlin, and what happens to it."""

    def __init__(self, world: World, almanac: Almanac) -> None:
        self.world, self.admin, self._almanac, self.key = world, Admin(world), almanac, ""

    async def at(self, utc: str) -> None:
        """It is this time."""
        await self._almanac.turn(self.world.gateway.store.client, utc)

    async def founded(self) -> None:
        """1,000 credits a month, which lapse with it; 100 a day for each member, 500 a month for the project."""
        await self.admin.found(0, timezone="Europe/Berlin", organisation="acme")
        monthly = {"id": "monthly", "credits": 1000, "per": "month"}
        await self.admin.done("PUT", f"{TEAM}/allowances", {"allowances": [monthly]})
        member = {"scope": "member", "per": "day", "credits": 100}
        project = {"scope": "project", "per": "month", "credits": 500}
        await self.admin.done("PUT", f"{TEAM}/limits", {"limits": [member, project]})
        self.key = await self.admin.new_key(project="spring")

    async def picture(self, member: str, key: str = "") -> str:
        """One at 1K: the hold it was made under, or why it was not."""
        answer = await self.world.native(key or self.key, headers={"Gatekeeper-Member": member})
        return str(answer.headers["Gatekeeper-Hold-Id"] if answer.status == 200 else answer.json["code"])

    async def told(self, percent: int) -> dict[str, Any]:
        """The one line that says that the project's limit is used so far, once it is there (bounded)."""
        for _ in range(1000):
            lines = [line for line in self.world.events("limit.threshold") if line["scope"] == "project:spring"]
            if found := [line for line in lines if line["percent"] == percent]:
                assert 1 == len(found)
                return found[0]
            await asyncio.sleep(0.01)
        raise AssertionError(f"nobody was told of {percent} %")

    async def until_refused(self, key: str) -> str:
        """Why a key stops working; it may be remembered for a second (bounded)."""
        for _ in range(300):
            answer = await self.world.send("GET", "/v1/balance", key)
            if answer.status != 200:
                return str(answer.json["code"])
            await asyncio.sleep(0.01)
        raise AssertionError("the key works on")


def made(*answers: str) -> list[bool]:
    """Which of these are holds."""
    return [len(answer) == 32 for answer in answers]


async def play(life: Life) -> None:
    """From the end of February to the beginning of April 2027. What is refused on the way is said where it is."""
    await life.at("2027-02-27T12:00:00")
    await life.founded()
    await life.at("2027-02-28T22:59:00")  # a minute before March in Berlin
    assert [True, True, False] == made(*[await life.picture("amy") for _ in range(3)])
    await life.at("2027-02-28T23:00:01")
    first = await life.picture("amy")  # what was left of February has lapsed, and March's credits are there
    assert [True] == made(first)
    assert (2000, 902, 951) == await credits_of(life)

    for day in range(2, 11):
        await life.at(f"2027-03-{day:02}T12:00:00")
        assert [True] == made(await life.picture("bob"))
    assert "limit_exceeded" == await life.picture("amy")
    assert [50, 80, 95] == [(await life.told(percent))["percent"] for percent in (50, 80, 95)]

    raised = {"scope": "project", "per": "month", "credits": 500, "raised_to": 800,
              "raised_until": "2027-03-20T00:00:00Z"}  # fmt: skip
    await life.admin.done("PATCH", f"{TEAM}/limits", {"set": [raised], "why": "one more week"})
    assert [True] == made(await life.picture("amy"))
    await life.at("2027-03-20T00:00:00")
    assert "limit_exceeded" == await life.picture("amy")

    wider = {"scope": "project", "per": "month", "credits": 900}
    await life.admin.done("PATCH", f"{TEAM}/limits", {"set": [wider]})
    await life.admin.done("PATCH", TEAM, {"frozen": True, "why": "inquiry"})
    assert "team_frozen" == await life.picture("amy")
    await life.admin.done("PATCH", TEAM, {"frozen": False})
    assert [True] == made(await life.picture("amy"))
    await change_the_lock(life)
    await end_late(life)
    await give_back(life, first)


async def change_the_lock(life: Life) -> None:
    """The key gets a new secret; the old one opens for an hour more."""
    old = life.key
    life.key = (await life.admin.done("POST", f"{TEAM}/keys/ci/rotate", {"overlap_s": 3600}))["secret"]
    await life.at("2027-03-21T12:00:00")
    assert "key_expired" == await life.until_refused(old)
    assert [True] == made(await life.picture("carl"))


async def end_late(life: Life) -> None:
    """What was begun in March is told to be made in April, when time has given its credits back."""
    await life.at("2027-03-31T21:50:00")
    asked = {"model": "nano-banana-2", "resolution": "1K", "aspect_ratio": "1:1", "prompt": "a cat", "ttl_s": 60}
    head = {"Gatekeeper-Member": "amy"}
    decided = await life.world.send("POST", "/v1/decisions", life.key, json=asked, headers=head)
    ledger = life.world.gateway.store.ledger
    for utc in ("2027-03-31T22:30:00", "2027-03-31T22:40:00"):
        await life.at(utc)
        await ledger.expire_due("studio")
    path = f"/v1/decisions/{decided.json['id']}/settle"
    settled = await life.world.send("POST", path, life.key, json={"outputs": 1})
    assert (200, PICTURE) == (settled.status, settled.json["credits_charged"])
    assert 1 == len(life.world.events("settle.late"))
    assert [True] == made(await life.picture("amy"))  # April has credits and limits of its own


async def give_back(life: Life, hold: str) -> None:
    """The first picture of March was black and is paid back; of credits that never expire some are handed on."""
    life.world.teams.append("sister")
    await life.admin.done("POST", f"{TEAM}/grants", {"id": "bonus", "credits": 100})
    await life.admin.done("POST", "/teams", {"id": "sister", "organisation": "acme"})
    await life.admin.done("POST", f"{TEAM}/refunds", {"id": "black", "hold_id": hold, "why": "all black"})
    await life.admin.done("POST", f"{TEAM}/transfers", {"id": "spare", "to": "sister", "credits": 40})


async def credits_of(life: Life) -> tuple[int, int, int]:
    """What was granted, what has lapsed of it, and what is available."""
    figures = await life.world.balance("studio")
    return figures.granted // MICRO, figures.expired // MICRO, figures.available // MICRO


async def test_a_month_adds_up(start_world: StartWorld, almanac: Almanac) -> None:
    """Recurring grants, limits by member and project, a raise, a freeze, a new secret, thresholds, the month's end, an
    end that comes late, a refund and a transfer: verify is clean, and usage is what the journal comes to."""
    life = Life(await start_world(clock=almanac, signals=SOON), almanac)

    await play(life)

    await life.world.assert_books_clean()
    journal = await life.world.gateway.store.ledger.journal("studio", 0, 1000)
    query = "from=2027-02-01&to=2027-04-30&by=day,member,project,model,resolution"
    used = await life.admin.done("GET", f"{TEAM}/usage?{query}")
    assert charged_by(journal) == {
        (row["day"], row["member"], row["project"], row["model"], row["resolution"]): round(row["credits"] * MICRO)
        for row in used["rows"]
    }
    by_month = Counter[str]()
    for (day, *_), amount in charged_by(journal).items():
        by_month[day[:7]] += amount // MICRO
    pictures = {"2027-02": 2, "2027-03": 13, "2027-04": 1}
    assert {month: count * PICTURE for month, count in pictures.items()} == dict(by_month)
    assert 40 == (await life.world.balance("sister")).available // MICRO


async def test_a_recurring_grant_is_there_when_its_period_begins(
    start_world: StartWorld, almanac: Almanac, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for credits at the turn of the month: whoever looks now and then looks just then."""
    life = Life(await start_world(clock=almanac), almanac)
    await life.at("2027-02-28T22:59:59.500")
    await life.founded()
    ledger = life.world.gateway.store.ledger
    loop = AllowanceLoop(ledger.allowances, ledger.wallet, on_error=fail, look_s=3600)
    look, looked = loop.look, asyncio.Event()

    async def tell() -> None:
        await look()
        looked.set()

    monkeypatch.setattr(loop, "look", tell)
    loop.start()
    await looked.wait()
    await life.at("2027-02-28T23:00:00")

    given = await life.world.event("allowance.given", 2)
    await loop.stop()

    assert "allowance:monthly:2027-03-01" == given["grant"]


def fail(error: Exception) -> None:
    """Nothing may go wrong on the way."""
    raise error


def charged_by(journal: tuple[Entry, ...]) -> dict[tuple[str, ...], int]:
    """What the journal says was charged and not paid back, by the day on which its hold was made, and for what."""
    made_of: dict[str, tuple[str, ...]] = {}
    charged = Counter[tuple[str, ...]]()
    for entry in journal:
        if entry.kind is EntryKind.HOLD:
            asked = orjson.loads(entry.fields["meta"])
            day = datetime.fromtimestamp(entry.at_ms / 1000, BERLIN).date().isoformat()
            made_of[entry.hold_id] = (
                day, entry.fields["member"], entry.fields["project"], asked["model"], asked["resolution"],
            )  # fmt: skip
        elif entry.kind in {EntryKind.SETTLE, EntryKind.LATE}:
            charged[made_of[entry.hold_id]] += entry.charged
        elif entry.kind is EntryKind.REFUND:
            charged[made_of[orjson.loads(entry.fields["meta"])["hold"]]] -= entry.amount
    return dict(charged)
