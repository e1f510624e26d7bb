"""Limits and caps of a team, from the record to the refusal: each with its code, its numbers and its way out."""

import asyncio

from gatekeeper.ledger.teamrecord import Caps, Limit, Per
from tests.system.conftest import StartWorld
from tests.system.provider import FAILS, Provider
from tests.system.world import World

CREDIT = 1_000_000


async def test_a_limit_per_month_refuses_with_its_numbers(world: World) -> None:
    """402 limit_exceeded: scope, period, limit, used, when it ends."""
    key = await world.key(limits=(Limit("team", Per.MONTH, 90 * CREDIT),))
    await world.native(key)

    answer = await world.native(key)

    (limit,) = answer.json["credits"]["limits"]
    assert (402, "limit_exceeded") == (answer.status, answer.json["code"])
    assert {"scope": "team", "per": "month", "limit": 90, "used": 49, "held": 0} == {
        name: limit[name] for name in ("scope", "per", "limit", "used", "held")
    }
    assert limit["resets_at"].endswith("Z")


async def test_a_limit_per_member_is_each_members_own(world: World) -> None:
    """What one member has used up another still has."""
    key = await world.key(limits=(Limit("member", Per.DAY, 50 * CREDIT),))
    amy, bob = {"Gatekeeper-Member": "amy"}, {"Gatekeeper-Member": "bob"}

    answers = [await world.native(key, headers=headers) for headers in (amy, amy, bob)]

    assert [200, 402, 200] == [answer.status for answer in answers]


async def test_what_a_limit_leaves_is_offered_as_an_alternative(world: World) -> None:
    """80 credits are left of the limit: 4K at 98 is refused, 2K at 73.5 and 1K at 49 are named."""
    key = await world.key(limits=(Limit("team", Per.LIFETIME, 80 * CREDIT),))

    answer = await world.native(key, resolution="4K")

    assert [49, 73.5] == [alternative["credits"] for alternative in answer.json["alternatives"]]


async def test_a_request_over_its_cap_is_refused(world: World) -> None:
    """402 request_cap_exceeded, whatever the balance."""
    answer = await world.native(await world.key(caps=Caps(per_request=48 * CREDIT)))

    assert (402, "request_cap_exceeded") == (answer.status, answer.json["code"])
    assert "48" in answer.json["detail"]


async def test_too_many_running_generations_are_told_to_wait(start_world: StartWorld, provider: Provider) -> None:
    """429 with Retry-After while the one that may run is running; it fits once that ends."""
    world = await start_world(provider_url=provider.url)
    provider.gate.clear()
    key = await world.key(caps=Caps(open_holds=1))
    first = asyncio.ensure_future(world.native(key))
    await world.event("generation.admitted")

    second = await world.native(key)
    provider.gate.set()

    assert (429, "concurrency_exceeded") == (second.status, second.json["code"])
    assert int(second.headers["Retry-After"]) >= 1
    assert second.json["credits"]["fits_after_release"] is True
    assert 200 == (await first).status
    await world.assert_books_clean()


async def test_too_many_held_credits_are_told_to_wait(start_world: StartWorld, provider: Provider) -> None:
    """429 too: the cap on credits held by running generations."""
    world = await start_world(provider_url=provider.url)
    provider.gate.clear()
    key = await world.key(caps=Caps(held_credits=60 * CREDIT))
    first = asyncio.ensure_future(world.native(key))
    await world.event("generation.admitted")

    second = await world.native(key)
    provider.gate.set()

    assert (429, "concurrency_exceeded") == (second.status, second.json["code"])
    assert "49" in second.json["detail"]
    assert 200 == (await first).status


async def early_in_a_minute(world: World) -> None:
    """Waits (at most five seconds, mostly not at all) until what follows fits into one minute of the store's clock."""
    seconds, _ = await world.gateway.store.client.command("TIME")
    left_s = 60 - int(seconds) % 60
    await asyncio.sleep(left_s if left_s <= 5 else 0)


async def test_too_many_requests_in_a_minute_are_told_to_wait(world: World) -> None:
    """429 rate_limited, with when the minute ends; what was refused does not count, and nothing is forwarded."""
    key = await world.key(caps=Caps(requests_per_minute=2))
    await early_in_a_minute(world)

    answers = [await world.native(key) for _ in range(4)]

    last = answers[-1]
    assert [200, 200, 429, 429] == [answer.status for answer in answers]
    assert ("rate_limited", True, []) == (last.json["code"], last.json["retryable"], last.json["alternatives"])
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    (limit,) = last.json["credits"]["limits"]
    assert {"scope": "team", "per": "minute", "limit": 2, "used": 2, "held": 0} == {
        name: limit[name] for name in ("scope", "per", "limit", "used", "held")
    }
    assert limit["resets_at"].endswith(":00.000Z")
    assert 2 == (await world.provider())["generations"]
    await world.assert_books_clean()


async def test_an_answer_again_is_not_counted_in_the_minute(world: World) -> None:
    """Only what is admitted counts: the same request again is answered though the minute is used up."""
    key = await world.key(caps=Caps(requests_per_minute=1))
    await early_in_a_minute(world)

    answers = [await world.native(key, headers={"Idempotency-Key": "a"}) for _ in range(3)]

    assert [200, 200, 200] == [answer.status for answer in answers]
    assert 429 == (await world.native(key)).status


async def test_credits_held_by_running_generations_would_do(start_world: StartWorld, provider: Provider) -> None:
    """402 insufficient_credits that says it fits once the running ones end."""
    world = await start_world(provider_url=provider.url)
    provider.gate.clear()
    key = await world.key("60")
    first = asyncio.ensure_future(world.native(key, prompt=FAILS))
    await world.event("generation.admitted")

    second = await world.native(key)
    provider.gate.set()
    await first
    third = await world.native(key)

    assert (402, 49, True) == (
        second.status,
        second.json["credits"]["held"],
        second.json["credits"]["fits_after_release"],
    )
    assert 200 == third.status


async def test_every_reason_of_a_refusal_is_told(world: World) -> None:
    """Frozen, over its cap, out of credits and over its limit at once: four codes, the hardest first."""
    key = await world.key(
        "10", frozen=True, caps=Caps(per_request=20 * CREDIT), limits=(Limit("team", Per.DAY, 30 * CREDIT),)
    )

    answer = await world.native(key)

    assert (403, "team_frozen") == (answer.status, answer.json["code"])
    assert {"team_frozen", "request_cap_exceeded", "insufficient_credits", "limit_exceeded"} == set(
        answer.json["codes"]
    )


async def test_a_changed_limit_counts_from_the_next_request(world: World) -> None:
    """The record is read in the hold's own step, so a raise or a freeze needs no restart."""
    key = await world.key()
    ledger = world.gateway.store.ledger
    record = await ledger.team("team-0")
    assert record is not None
    before = await world.native(key)
    await ledger.put_team(type(record)(id="team-0", frozen=True))
    after = await world.native(key)

    assert (200, 403) == (before.status, after.status)


async def test_a_quote_knows_what_a_hold_would_say(world: World) -> None:
    """Each check about money has its code in the quote too."""
    key = await world.key(
        "40", caps=Caps(per_request=20 * CREDIT, held_credits=10 * CREDIT), limits=(Limit("team", Per.DAY, 1),)
    )
    body = {"model": "nano-banana-2", "prompt": "a", "resolution": "1K", "aspect_ratio": "1:1"}

    quote = (await world.send("POST", "/v1/quotes", key, json=body)).json

    assert quote["admissible"] is False
    assert {"request_cap_exceeded", "insufficient_credits", "limit_exceeded", "concurrency_exceeded"} == set(
        quote["codes"]
    )


async def test_an_expired_key_is_told_so(world: World) -> None:
    """401 key_expired, not a guess about a wrong key."""
    await world.key()
    key = await world.another_key("team-0", expires_at_ms=1)

    answer = await world.native(key)

    assert (401, "key_expired") == (answer.status, answer.json["code"])


async def test_a_revoked_key_is_no_key(world: World) -> None:
    """401, as if it had never been."""
    await world.key()
    key = await world.another_key("team-0", revoked=True)

    answer = await world.native(key)

    assert (401, "unauthenticated") == (answer.status, answer.json["code"])


async def test_a_quote_offers_only_what_a_hold_would_take(world: World) -> None:
    """What the limit and the cap leave, not what the balance would buy, and never the refused request itself."""
    key = await world.key("500", limits=(Limit("team", Per.DAY, 60 * CREDIT),))
    body = {"model": "nano-banana-2", "prompt": "a", "resolution": "2K", "aspect_ratio": "16:9"}

    quote = (await world.send("POST", "/v1/quotes", key, json=body)).json

    assert (False, [49]) == (quote["admissible"], [alternative["credits"] for alternative in quote["alternatives"]])


async def test_a_raised_limit_says_until_when(world: World) -> None:
    """The balance tells the amount that is in force and when the raise ends, and requests go by it."""
    ledger = world.gateway.store.ledger
    until_ms = await ledger.now_ms("team-0") + 60_000
    key = await world.key(limits=(Limit("team", Per.MONTH, 50 * CREDIT, 100 * CREDIT, until_ms),))
    statuses = [(await world.native(key)).status for _ in range(3)]

    (limit,) = (await world.send("GET", "/v1/balance", key)).json["limits"]
    assert ([200, 200, 402], 100) == (statuses, limit["limit"])
    assert limit["raised_until"].endswith("Z")
