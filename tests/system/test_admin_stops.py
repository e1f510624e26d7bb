"""What an operator takes away stops on every gateway of the store within a second, and what is given back works."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gatekeeper.clock import Clock, SystemClock
from tests.system.adminworld import TEAM, Admin
from tests.system.conftest import StartWorld
from tests.system.world import World

WITHIN_S = 1.0
"""How long a gateway remembers a key and a team."""


class Advanced(Clock):
    """The machine's clock, which a test puts on."""

    def __init__(self) -> None:
        self.by_s = 0.0
        self._real = SystemClock()

    def now(self) -> datetime:
        return self._real.now() + timedelta(seconds=self.by_s)

    def monotonic_s(self) -> float:
        return self._real.monotonic_s() + self.by_s


async def code(world: World, key: str) -> str | None:
    """Why the smallest generation is refused; None if it is not."""
    return (await world.native(key)).headers.get("Gatekeeper-Rejection")


async def found(admin: Admin, team: str, *keys: str) -> dict[str, str]:
    """A team with credits and these keys; their secrets."""
    await admin.done("POST", "/teams", {"id": team})
    await admin.done("POST", f"/teams/{team}/grants", {"id": "opening", "credits": 9000})
    made = {key: await admin.done("POST", f"/teams/{team}/keys", {"id": key}) for key in keys}
    return {key: str(each["secret"]) for key, each in made.items()}


ACTS: dict[str, tuple[str, str, Any, str]] = {
    "revoked": ("PATCH", f"{TEAM}/keys/revoked", {"revoked": True}, "unauthenticated"),
    "removed": ("DELETE", f"{TEAM}/keys/removed", {}, "unauthenticated"),
    "rotated": ("POST", f"{TEAM}/keys/rotated/rotate", {}, "unauthenticated"),
    "narrowed": ("PATCH", f"{TEAM}/keys/narrowed", {"scopes": ["read"]}, "scope_missing"),
    "frozen": ("PATCH", "/teams/cold", {"frozen": True}, "team_frozen"),
    "gone": ("DELETE", "/teams/gone", {}, "unauthenticated"),
}


async def test_what_is_taken_away_stops_within_a_second_everywhere(
    start_world: StartWorld, tmp_path: Path, store_url: str
) -> None:
    """Keys and teams that both gateways know and use: revoked, removed, rotated, narrowed, frozen."""
    clock = Advanced()
    first = await start_world(clock=clock)
    second = await start_world(clock=clock, directory=tmp_path / "second", store_url=store_url)
    admin = Admin(first)
    secrets = await found(admin, "studio", "revoked", "removed", "rotated", "narrowed")
    secrets |= await found(admin, "cold", "frozen") | await found(admin, "gone", "gone")
    worlds = (first, second)
    assert {None} == {await code(world, key) for world in worlds for key in secrets.values()}

    for method, path, body, _ in ACTS.values():
        await admin.done(method, path, body)
    clock.by_s += WITHIN_S

    for world in worlds:
        assert {name: act[3] for name, act in ACTS.items()} == {name: await code(world, secrets[name]) for name in ACTS}
    for team in ("studio", "cold", "gone"):
        assert () == (await first.gateway.store.ledger.verify(team)).differences


async def test_what_is_given_works_everywhere(start_world: StartWorld, tmp_path: Path, store_url: str) -> None:
    """A rotated key's new secret at once, its old one as long as the overlap lasts; a thawed team within a second."""
    clock = Advanced()
    first = await start_world(clock=clock)
    second = await start_world(clock=clock, directory=tmp_path / "second", store_url=store_url)
    admin = Admin(first)
    old = (await found(admin, "studio", "ci"))["ci"]
    await admin.done("PATCH", TEAM, {"frozen": True})
    assert ["team_frozen"] * 2 == [await code(world, old) for world in (first, second)]

    new = (await admin.done("POST", f"{TEAM}/keys/ci/rotate", {"overlap_s": 3600}))["secret"]
    await admin.done("PATCH", TEAM, {"frozen": False})
    at_once = [await code(world, new) for world in (first, second)]
    clock.by_s += WITHIN_S

    assert "unauthenticated" not in at_once
    assert [None] * 4 == [await code(world, key) for world in (first, second) for key in (old, new)]


async def test_an_overlap_ends_by_itself(start_world: StartWorld) -> None:
    """The old secret is refused as expired when its time is over; nobody has to do anything."""
    clock = Advanced()
    world = await start_world(clock=clock)
    admin = Admin(world)
    old = (await found(admin, "studio", "ci"))["ci"]
    new = (await admin.done("POST", f"{TEAM}/keys/ci/rotate", {"overlap_s": 3600}))["secret"]

    before = [await code(world, key) for key in (old, new)]
    clock.by_s += 3600

    assert ([None, None], ["key_expired", None]) == (before, [await code(world, key) for key in (old, new)])
