"""Budgets and limits from a request to the call of the team: the right numbers, signed, tried again, told once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest
from standardwebhooks.webhooks import Webhook

from gatekeeper.core.credits import MICRO
from gatekeeper.eventschema import log_event_schema
from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Limit, Per, Project
from gatekeeper.proxy.webhooks.keys import team_secret
from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.webhooking import LOCAL
from tests.system.world import Answer, World

SOON = {"watch_every_s": 0.05, "diagnose_every_s": 0.05, "walk_every_s": 3600}
SPRING = Project("spring", 1000 * MICRO, Per.LIFETIME)
"""Its budget has no end, and so no pace: whatever day of the month it is."""
TOO_EARLY = "too_many_high_resolution_renders_too_early"
FINAL = {"Gatekeeper-Project": "spring", "Gatekeeper-Phase": "final"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@pytest.fixture
async def world(start_world: StartWorld) -> World:
    """A gateway that looks often, and may call this machine."""
    return await start_world(signals=SOON, webhooks=LOCAL)


async def render(world: World, key: str, resolution: str = "4K", *, times: int = 1, **headers: str) -> Answer:
    """So many pictures for the project `spring`, each with a prompt of its own."""
    for number in range(times):
        named = {"Gatekeeper-Project": "spring"} | headers
        answer = await world.native(key, resolution=resolution, prompt=f"cat {number}", headers=named)
        assert 200 == answer.status, answer.body
    return answer


async def signals(world: World) -> Any:
    """What the admin plane answers about the team."""
    token = {"Authorization": f"Bearer {world.gateway.admin_token}"}
    url = f"{world.gateway.admin_url}/admin/v1/teams/team-0/signals"
    async with world.session.get(url, headers=token) as response:
        assert 200 == response.status
        return await response.json()


async def until_attempts(world: World, count: int) -> list[tuple[str, int, str]]:
    """The team's delivery log, the first attempt first, once so many are in it (bounded)."""
    for _ in range(2000):
        found = await world.gateway.store.ledger.alerts.deliveries("team-0")
        if len(found) >= count:
            return [(each.outcome, each.status, each.reason) for each in reversed(found)]
        await asyncio.sleep(0.01)
    raise AssertionError(f"not {count} attempts")


async def test_a_project_that_renders_4k_early_is_told_so(world: World, receiver: Receiver) -> None:
    """Two pictures at 98 credits of a budget of 1000: all high where a quarter is planned, 147 beyond the plan, half of
    that to be saved at 1K. The event, the call and `GET .../signals` say the same."""
    key = await world.key("10000", projects=(SPRING,), alert_url=receiver.url)

    await render(world, key, times=2)
    line = await world.event("budget.signal")
    await receiver.until_received(1)
    document = await signals(world)

    assert (TOO_EARLY, "spring", 1000, 196, 73.5) == (
        line["diagnosis"],
        line["project"],
        line["credits_budget"],
        line["credits_charged"],
        line["credits_saved"],
    )
    assert (196, 100.0, 25.0, 19.6, 147) == tuple(
        line["facts"][name]
        for name in ("credits_high", "high_percent", "planned_percent", "used_percent", "credits_beyond_plan")
    )
    (shown,) = document["projects"]
    signal = next(each for each in shown["signals"] if each["diagnosis"] == TOO_EARLY)
    assert (line["facts"], line["detail"], 73.5) == (signal["facts"], signal["detail"], signal["credits_saved"])
    headers, body = receiver.received[0]
    event: Any = Webhook(team_secret(world.gateway.gate.webhooks.secret, "team-0")).verify(body, headers)
    assert ("budget.signal", line["detail"], 73.5) == (
        event["type"],
        event["data"]["detail"],
        event["data"]["credits_saved"],
    )


async def test_a_limit_is_told_and_tried_again_until_it_is_taken(world: World, receiver: Receiver) -> None:
    """The receiver fails twice: the same id comes a third time, and the delivery log has all three."""
    receiver.statuses[:] = [500, 503]
    limit = Limit("member", Per.DAY, 98 * MICRO)
    key = await world.key(limits=(limit,), thresholds=(50, 100), alert_url=receiver.url)

    await world.native(key, headers={"Gatekeeper-Member": "amy"})
    line = await world.event("limit.threshold")
    attempts = await until_attempts(world, 3)

    assert ("member:amy", "day", 50, 98, 49) == tuple(
        line[name] for name in ("scope", "per", "percent", "credits_limit", "credits_used")
    )
    assert [("retried", 500, "status 500"), ("retried", 503, "status 503"), ("delivered", 200, "")] == attempts
    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received})
    failed, delivered = world.events("alert.failed"), await world.event("alert.delivered")
    assert ([False, False], "127.0.0.1") == ([each["final"] for each in failed], delivered["host"])


async def test_the_next_gateway_goes_on_with_a_call(start_world: StartWorld, receiver: Receiver) -> None:
    """What was told and not taken is on disk; whoever starts there calls again under the same id, and tells nothing."""
    receiver.statuses[:] = [500]
    first = await start_world(signals=SOON, webhooks=LOCAL | {"retry_min_s": 3600, "retry_max_s": 3600})
    key = await first.key(limits=(Limit("team", Per.DAY, 49 * MICRO),), thresholds=(100,), alert_url=receiver.url)
    await first.native(key)
    await until_attempts(first, 1)

    second = await start_world(signals=SOON, webhooks=LOCAL)
    await second.event("alert.delivered")

    assert ["retried", "delivered"] == [outcome for outcome, *_ in await until_attempts(first, 2)]
    assert 1 == len({headers["webhook-id"] for headers, _ in receiver.received})
    assert [] == second.events("limit.threshold")


async def test_two_gateways_tell_it_once(start_world: StartWorld, receiver: Receiver) -> None:
    """Both see the spend of the team; each point is one line and one call."""
    first, second = [await start_world(signals=SOON, webhooks=LOCAL) for _ in range(2)]
    limit = Limit("team", Per.DAY, 196 * MICRO)
    key = await first.key(limits=(limit,), thresholds=(50, 100), alert_url=receiver.url)

    for number in (1, 2):
        await asyncio.gather(first.native(key), second.native(key))
        await second.event("limit.threshold", number)
        await receiver.until_received(number)

    assert [50, 100] == [line["percent"] for line in second.events("limit.threshold")]
    assert 2 == len({headers["webhook-id"] for headers, _ in receiver.received}) == len(receiver.received)


async def test_an_address_that_leads_inside_is_never_called(start_world: StartWorld, receiver: Receiver) -> None:
    """Whoever manages a team must not reach the gateway's neighbours by it; the log says why nothing came."""
    world = await start_world(signals=SOON)
    limit = Limit("team", Per.DAY, 49 * MICRO)
    for url in (receiver.url, "https://127.0.0.1/hook"):
        key = await world.key(limits=(limit,), thresholds=(100,), alert_url=url)
        await world.native(key)

    lines = [await world.event("alert.failed", number) for number in (1, 2)]

    assert [True, True] == [line["final"] for line in lines]
    assert all("address not allowed" in line["reason"] for line in lines)
    assert ([], "failed") == (receiver.received, (await until_attempts(world, 1))[0][0])


async def test_without_an_address_the_log_is_told(world: World) -> None:
    """Once, however much is spent after it."""
    key = await world.key(limits=(Limit("team", Per.LIFETIME, 100 * MICRO),), thresholds=(40,))
    for _ in range(2):
        await world.native(key)
        line = await world.event("limit.threshold")

    await asyncio.gather(*(world.native(key, resolution="512") for _ in range(2)))

    assert (1, None) == (len(world.events("limit.threshold")), line["resets_at"])


@pytest.mark.parametrize("path", ["/v1/generations", "/v1/quotes", "dry-run"])
async def test_high_resolutions_wait_for_the_final_phase(world: World, path: str) -> None:
    """Generation, quote and dry run say the same, with what may be rendered now and its price."""
    key = await world.key("1000", projects=(Project("spring", 1000 * MICRO, high_in_final_only=True),))
    dry = {"Gatekeeper-Dry-Run": "true"} if path == "dry-run" else {}
    body = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "2K", "aspect_ratio": "16:9"}
    route = "/v1/generations" if dry else path

    drafted = await world.send("POST", route, key, json=body, headers={"Gatekeeper-Project": "spring"} | dry)
    final = await world.send("POST", route, key, json=body, headers=FINAL | dry)

    refused = path == "/v1/generations"
    assert (403 if refused else 200, 200) == (drafted.status, final.status)
    assert ["resolution_not_in_phase"] == ([drafted.json["code"]] if refused else drafted.json["codes"])
    (violation,) = drafted.json["violations"]
    assert ("2K", "1K") == (violation["requested"], violation["nearest"])
    assert {"resolution": "1K", "aspect_ratio": "16:9", "size": "1376x768", "credits": 49} in drafted.json[
        "alternatives"
    ]
    if not refused:
        assert final.json["admissible"] is True


async def rows(world: World) -> list[UsageRow]:
    """What the team has used."""
    ledger = world.gateway.store.ledger
    return await ledger.usage.rows("team-0", 0, 2**42)


async def test_habits_are_counted_as_traits(world: World) -> None:
    """An SDK's own retry, and the same prompt at 2K again."""
    key = await world.key("10000")
    await world.native(key, headers={"x-stainless-retry-count": "1"})
    for _ in range(2):
        await world.native(key, resolution="2K", prompt="a castle")
    await world.native(key, resolution="2K", prompt="another castle")

    found = {(row.resolution, row.traits): row.generations for row in await rows(world)}

    assert {("1K", ("retry",)): 1, ("2K", ()): 2, ("2K", ("repeated_prompt",)): 1} == found


async def test_sound_that_nobody_refused_is_told(start_world: StartWorld) -> None:
    """Two videos of 8 s whose sound was left open: charged 337.6 credits with it, a fifth more than without."""
    world = await start_world(signals=SOON, jobs={"first_poll_s": 0.05, "poll_min_s": 0.05})
    key = await world.key("10000", projects=(SPRING,))
    for number in (1, 2):
        body, project = {"prompt": f"sea {number}"}, {"Gatekeeper-Project": "spring"}
        submitted = await world.send("POST", "/fal/queue/fal-ai/veo3.1/fast", key, json=body, headers=project)
        assert 200 == submitted.status

    await world.event("job.finished", 2)
    line = await world.event("budget.signal")

    assert ("audio_by_default", 67.52, 337.6) == (
        line["diagnosis"],
        line["credits_saved"],
        line["facts"]["credits_with_audio"],
    )


async def test_the_lines_match_the_schema(world: World, receiver: Receiver) -> None:
    """Thresholds, signals, and alerts that are taken or not."""
    receiver.statuses[:] = [500]
    key = await world.key("10000", projects=(SPRING,), alert_url=receiver.url, thresholds=(10,))
    await render(world, key, times=2)
    for name in ("limit.threshold", "budget.signal", "alert.failed", "alert.delivered"):
        await world.event(name)

    validator = jsonschema.Draft202012Validator(log_event_schema())
    assert [] == [error.message for line in world.events() for error in validator.iter_errors(line)]


async def test_no_prompt_is_told(world: World, receiver: Receiver) -> None:
    """Neither in a line nor in what the team is called with."""
    key = await world.key("10000", projects=(SPRING,), alert_url=receiver.url)
    for _ in range(3):
        await world.native(key, resolution="4K", prompt="secret castle", headers={"Gatekeeper-Project": "spring"})

    await world.event("budget.signal")
    await receiver.until_received(1)

    told = world.log.getvalue() + b"".join(body for _, body in receiver.received)
    assert b"castle" not in told
