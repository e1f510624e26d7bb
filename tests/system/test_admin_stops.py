"""What an operator takes away stops on every gateway of the store within a second, and what is given back works."""

import asyncio
from pathlib import Path
from typing import Any

from tests.system.adminworld import TEAM, Admin
from tests.system.conftest import StartWorld
from tests.system.world import World

WITHIN_S = 1.0
"""How long a gateway remembers a key and a team."""

SLACK_S = 1.5
"""What a busy machine may take for a few requests."""


async def code(world: World, key: str) -> str | None:
    """Why the smallest generation is refused; None if it is not."""
    return (await world.native(key)).headers.get("Gatekeeper-Rejection")


async def seconds_until(world: World, key: str, wanted: str | None) -> float:
    """How long it takes until this is the answer (bounded)."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while await code(world, key) != wanted:
        assert loop.time() - began < 10 * WITHIN_S, f"never {wanted}"
        await asyncio.sleep(0.02)
    return loop.time() - began


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
    first, second = await start_world(), await start_world(directory=tmp_path / "second", store_url=store_url)
    admin = Admin(first)
    secrets = await found(admin, "studio", "revoked", "removed", "rotated", "narrowed")
    secrets |= await found(admin, "cold", "frozen") | await found(admin, "gone", "gone")
    worlds = (first, second)
    assert {None} == {await code(world, key) for world in worlds for key in secrets.values()}

    for method, path, body, _ in ACTS.values():
        await admin.done(method, path, body)
    took = await asyncio.gather(
        *(seconds_until(world, secrets[name], act[3]) for world in worlds for name, act in ACTS.items())
    )

    assert max(took) < WITHIN_S + SLACK_S
    for team in ("studio", "cold", "gone"):
        assert () == (await first.gateway.store.ledger.verify(team)).differences


async def test_what_is_given_works_everywhere(start_world: StartWorld, tmp_path: Path, store_url: str) -> None:
    """A rotated key's new secret at once, its old one as long as the overlap lasts; a thawed team within a second."""
    first, second = await start_world(), await start_world(directory=tmp_path / "second", store_url=store_url)
    admin = Admin(first)
    old = (await found(admin, "studio", "ci"))["ci"]
    await admin.done("PATCH", TEAM, {"frozen": True})
    assert ["team_frozen"] * 2 == [await code(world, old) for world in (first, second)]

    new = (await admin.done("POST", f"{TEAM}/keys/ci/rotate", {"overlap_s": 3600}))["secret"]
    await admin.done("PATCH", TEAM, {"frozen": False})

    took = [await seconds_until(world, key, None) for world in (first, second) for key in (old, new)]
    assert max(took) < WITHIN_S + SLACK_S


async def test_an_overlap_ends_by_itself(start_world: StartWorld) -> None:
    """The old secret is refused as expired when its time is over; nobody has to do anything."""
    world = await start_world()
    admin = Admin(world)
    old = (await found(admin, "studio", "ci"))["ci"]

    new = (await admin.done("POST", f"{TEAM}/keys/ci/rotate", {"overlap_s": 1}))["secret"]

    assert None is await code(world, old)
    assert 0 < await seconds_until(world, old, "key_expired") < 2 * WITHIN_S + SLACK_S
    assert None is await code(world, new)
