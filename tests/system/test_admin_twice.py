"""The same asked for more than once, also at the same time: it is done once, and nobody's change is lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.system.adminworld import TEAM, Admin
from tests.system.conftest import StartWorld
from tests.system.world import Answer

AT_ONCE = 8


@pytest.fixture(name="admin")
async def _admin(start_world: StartWorld) -> AsyncIterator[Admin]:
    world = await start_world()
    yield Admin(world)
    await world.assert_books_clean()


async def at_once(admin: Admin, path: str, body: Any) -> list[Answer]:
    """The same create, eight times at the same time."""
    return list(await asyncio.gather(*(admin.ask("POST", path, body) for _ in range(AT_ONCE))))


async def test_a_create_at_the_same_time_is_done_once(admin: Admin) -> None:
    """One is made and the others find it: teams, grants, refunds and transfers; one journal entry each."""
    admin.world.teams.append("studio")
    await admin.done("POST", "/teams", {"id": "other", "organisation": "house"})
    made = [await at_once(admin, "/teams", {"id": "studio", "organisation": "house"})]
    made.append(await at_once(admin, f"{TEAM}/grants", {"id": "opening", "credits": 1000}))
    hold = (await admin.world.native(await admin.new_key())).headers["Gatekeeper-Hold-Id"]
    made.append(await at_once(admin, f"{TEAM}/refunds", {"id": "sorry", "hold_id": hold}))
    made.append(await at_once(admin, f"{TEAM}/transfers", {"id": "hand", "to": "other", "credits": 100}))

    assert [[200] * 7 + [201]] * 4 == [sorted(answer.status for answer in answers) for answers in made]
    kinds = [entry["kind"] for entry in (await admin.done("GET", f"{TEAM}/journal"))["entries"]]
    assert ["team", "grant", "key", "hold", "settle", "refund", "transfer"] == kinds
    assert 900 == (await admin.done("GET", TEAM))["balance"]["available"]


async def test_a_key_at_the_same_time_has_one_secret(admin: Admin) -> None:
    """One answer has it, and it works; the others say that the key is there."""
    await admin.found()

    answers = await at_once(admin, f"{TEAM}/keys", {"id": "ci"})

    secrets = [answer.json["secret"] for answer in answers if answer.json["secret"]]
    assert (1, 1) == (len(secrets), sum(answer.status == 201 for answer in answers))
    assert 200 == (await admin.world.native(secrets[0])).status


async def test_changes_at_the_same_time_are_all_there(admin: Admin) -> None:
    """Each changes something else of the team, and none takes another one's away."""
    await admin.found()
    limits = [{"scope": f"member:m{number}", "per": "day", "credits": number} for number in range(5)]

    await asyncio.gather(
        admin.done("PATCH", TEAM, {"retry_guard": False}),
        admin.done("PATCH", TEAM, {"timezone": "Asia/Tokyo"}),
        admin.done("PUT", f"{TEAM}/alerts", {"thresholds": [70]}),
        *(admin.done("PATCH", f"{TEAM}/limits", {"set": [limit]}) for limit in limits),
    )

    team = await admin.done("GET", TEAM)
    found = (await admin.done("GET", f"{TEAM}/limits"))["limits"]
    assert (False, "Asia/Tokyo", 9) == (team["retry_guard"], team["timezone"], team["revision"])
    assert {f"member:m{number}" for number in range(5)} == {limit["scope"] for limit in found}
    assert [70] == (await admin.done("GET", f"{TEAM}/alerts"))["thresholds"]


@pytest.mark.parametrize(("method", "act", "body"), [("PATCH", "", {"member": "amy"}), ("POST", "/rotate", {})])
async def test_a_change_of_a_key_that_is_removed_meanwhile(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, method: str, act: str, body: Any
) -> None:
    """There is none any more, and the answer says so: no change was made."""
    await admin.found()
    await admin.new_key()
    keyring = admin.world.gateway.store.ledger.keyring
    get = keyring.get

    async def get_and_lose(team_id: str, key_id: str) -> Any:
        monkeypatch.setattr(keyring, "get", get)
        found = await get(team_id, key_id)
        await keyring.remove(team_id, key_id)
        return found

    monkeypatch.setattr(keyring, "get", get_and_lose)
    answer = await admin.ask(method, f"{TEAM}/keys/ci{act}", body)

    assert (404, "key_not_found") == (answer.status, answer.json["code"])


async def test_a_change_that_changes_nothing_is_not_in_the_journal(admin: Admin) -> None:
    """The same once more adds no entry."""
    await admin.found()
    for _ in range(2):
        await admin.done("PATCH", TEAM, {"frozen": True})
        await admin.done("PUT", f"{TEAM}/limits", {"limits": [{"scope": "team", "per": "day", "credits": 5}]})
        await admin.done("POST", f"{TEAM}/keys", {"id": "ci"})
        await admin.done("PATCH", f"{TEAM}/keys/ci", {"member": "amy"})

    assert 6 == len((await admin.done("GET", f"{TEAM}/journal"))["entries"])


async def test_usage_is_the_data_planes_and_a_table_on_demand(admin: Admin) -> None:
    """What the team sees of itself is what the operator sees; as CSV it is a file of the same rows."""
    await admin.found()
    key = await admin.new_key(project="spring", member="amy")
    await admin.world.native(key, headers={"Gatekeeper-Phase": "final"})
    asked = "?by=model,member,phase"

    own = (await admin.world.send("GET", f"/v1/usage{asked}", key)).json
    shown = await admin.done("GET", f"{TEAM}/usage{asked}")
    table = await admin.ask("GET", f"{TEAM}/usage{asked}&format=csv")

    assert own == shown
    assert "nano-banana-2,amy,final,49,1,0,1\r\n" in table.body.decode()
    assert 'attachment; filename="usage-studio-' in table.headers["Content-Disposition"]
