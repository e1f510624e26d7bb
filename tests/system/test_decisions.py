"""The gate without the proxy: credits are held for work done elsewhere, and whoever does it says how it ended."""

import asyncio
import json
from typing import Any

from tests.system.conftest import StartWorld
from tests.system.world import Answer, World

ASKED = {"model": "nano-banana-2", "resolution": "1K", "aspect_ratio": "1:1"}
"""49 credits. Google may make more than was asked for, and what came is charged."""

PAIR = {"model": "seedream-v4.5", "resolution": "2K", "outputs": 2}
"""48 credits. More than these is the provider's own risk."""


async def decide(world: World, key: str, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    """A decision with boring defaults."""
    return await world.send("POST", "/v1/decisions", key, json={**ASKED, **fields}, headers=headers or {})


async def tell(world: World, key: str, hold: str, act: str, body: Any = None, **headers: str) -> Answer:
    """Ends a decision, or gives it more time."""
    options: dict[str, Any] = {"headers": {name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        options["json"] = body
    return await world.send("POST", f"/v1/decisions/{hold}/{act}", key, **options)


async def test_a_decision_holds_and_its_settle_charges_what_was_made(world: World):
    """One of two pictures came: half is charged, the rest is free, the journal confirms it and nothing was sent."""
    key = await world.key()

    decided = await decide(world, key, **PAIR, provider="litellm")
    held = await world.balance()
    settled = await tell(world, key, decided.json["id"], "settle", {"outputs": 1})

    assert (201, 48, "held") == (decided.status, decided.json["credits"], decided.json["state"])
    assert [(24, 2)] == [(line["unit_credits"], line["times"]) for line in decided.json["lines"]]
    assert decided.json["id"] == decided.headers["Gatekeeper-Hold-Id"]
    assert ("48", "952") == tuple(decided.headers[f"Gatekeeper-Credits-{each}"] for each in ("Held", "Available"))
    assert 48_000_000 == held.held
    assert (200, 24, "settled") == (settled.status, settled.json["credits_charged"], settled.json["state"])
    assert 976_000_000 == (await world.balance()).available
    assert 0 == (await world.provider())["images"]
    assert ["litellm"] * 2 == [world.events(f"generation.{name}")[0]["provider"] for name in ("admitted", "settled")]
    await world.assert_books_clean()


async def test_a_decision_is_not_in_flight_here(world: World):
    """Whoever does the work says how it ends: before that and after it, nothing of it is under way in the gateway."""
    key = await world.key()
    counts = []
    decided = await decide(world, key)
    counts.append(await world.gateway.gate.metrics.shown())
    await tell(world, key, decided.json["id"], "settle")
    counts.append(await world.gateway.gate.metrics.shown())

    assert [True, True] == [b"gatekeeper_generations_in_flight 0.0" in each for each in counts]


ENDS = (
    (None, 48), ({}, 48), ({"outputs": 2}, 48), ({"outputs": [{"width": 2048, "height": 2048}]}, 24),
    ({"credits": 0.5}, 0.5), ({"credits": 48}, 48), ({"credits": 0}, 0), ({"outputs": 0}, 0), ({"outputs": []}, 0),
    ({"outputs": 7}, 48), ({"outputs": 1, "duration_s": 8, "audio": True, "quality": "high", "tokens": 9}, 24),
)  # fmt: skip
"""What a settle of a pair may say, and what is charged for it."""


async def test_what_a_settle_may_say(world: World):
    """All as asked, what was made, or what it cost; more than was asked for is at most what was held."""
    key = await world.key()

    for body, charged in ENDS:
        settled = await tell(world, key, (await decide(world, key, **PAIR)).json["id"], "settle", body)

        state = "settled" if charged else "released"
        found = (settled.status, settled.json["credits_charged"], settled.json["state"])
        assert (200, charged, state) == found, body
    await world.assert_books_clean()


NO_ENDS = (
    {"outputs": -1}, {"outputs": 1.5}, {"outputs": "1"}, {"outputs": 10**30}, {"outputs": 1001}, {"credits": -1},
    {"credits": 49.0000001}, {"credits": 50}, {"credits": 10**20}, {"credits": 1, "outputs": 1}, {"output": 1},
    {"duration_s": -1}, {"duration_s": 10**9}, {"tokens": -1}, {"resolution": "16:9"}, {"audio": "yes"}, [], 1,
    b'{"credits": NaN}', b'{"credits": 1, "credits": 2}', b'{"credits": 1e400}', b"\xff", b'{"credits": -Infinity}',
)  # fmt: skip
"""What no settle says: wrong, too much, two things at once, or not to be read in one way only."""


async def test_a_settle_that_cannot_be_understood_books_nothing(world: World):
    """It is refused as malformed, and the hold stands as before."""
    key = await world.key()
    path = f"/v1/decisions/{(await decide(world, key)).json['id']}/settle"

    for body in NO_ENDS:
        raw = body if isinstance(body, bytes) else json.dumps(body)
        answer = await world.send("POST", path, key, data=raw, headers={"Content-Type": "application/json"})

        assert (400, "malformed_request") == (answer.status, answer.json["code"]), body
    form = await world.send("POST", path, key, data={"credits": "1"})
    assert 400 == form.status
    assert 49_000_000 == (await world.balance()).held


async def test_a_field_that_is_not_known_is_refused_with_the_nearest(world: World):
    """So a typing mistake in a settle can be mended."""
    key = await world.key()
    path = f"/v1/decisions/{(await decide(world, key)).json['id']}/settle"

    refused = await world.send("POST", path, key, json={"output": 1})

    assert [("output", "outputs")] == [(each["field"], each["nearest"]) for each in refused.json["violations"]]


async def test_the_same_end_again_is_the_same_answer_and_another_end_is_refused(world: World):
    """Whoever lost the answer asks again; what contradicts what is booked changes nothing and tells what is."""
    key = await world.key()
    hold = (await decide(world, key, **PAIR)).json["id"]

    first = await tell(world, key, hold, "settle", {"outputs": 1})
    again = await tell(world, key, hold, "settle", {"credits": 24})
    other = await tell(world, key, hold, "settle", {"outputs": 2})
    released = await tell(world, key, hold, "release")
    extended = await tell(world, key, hold, "extend", {"ttl_s": 60})

    assert [200, 200, 409, 409, 409] == [each.status for each in (first, again, other, released, extended)]
    assert first.json == again.json
    assert ["hold_ended"] * 3 == [each.json["code"] for each in (other, released, extended)]
    assert "24" == other.headers["Gatekeeper-Credits-Charged"]
    assert 24_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_more_than_was_asked_for_is_charged_where_the_model_says_so(world: World):
    """Of three pictures that Google made of one all are paid for, and the same again is the same answer."""
    key = await world.key("100")
    hold = (await decide(world, key)).json["id"]

    answers = [await tell(world, key, hold, "settle", {"outputs": 3}) for _ in range(2)]

    assert [(200, 147)] * 2 == [(each.status, each.json["credits_charged"]) for each in answers]
    assert 47_000_000 == (await world.balance()).debt
    await world.assert_books_clean()


async def test_two_ends_at_once_book_one(world: World):
    """Of a settle and a release that race one is booked, and the other is told."""
    key = await world.key()
    hold = (await decide(world, key)).json["id"]

    answers = await asyncio.gather(*(tell(world, key, hold, act) for act in ("settle", "release", "settle", "release")))

    assert [200, 200, 409, 409] == sorted(each.status for each in answers)
    await world.assert_books_clean()


async def test_a_release_frees_everything_and_may_come_twice(world: World):
    """Its reason is logged as far as it is one word."""
    key = await world.key()
    hold = (await decide(world, key)).json["id"]

    answers = [await tell(world, key, hold, "release", {"why": "backend_down"}) for _ in range(2)]
    settled = await tell(world, key, hold, "settle")

    assert [(200, "released", 0)] * 2 == [(a.status, a.json["state"], a.json["credits_charged"]) for a in answers]
    assert 409 == settled.status
    assert "released: backend_down" == world.events("generation.released")[0]["outcome"]
    assert 1_000_000_000 == (await world.balance()).available


async def test_nobody_ends_what_is_another_teams_or_was_forwarded(world: World):
    """Neither has such a decision: a hold of a route is the provider's to settle, and nobody's word underpays it."""
    key, other = await world.key(), await world.key()
    hold = (await decide(world, key)).json["id"]
    forwarded = (await world.native(key)).headers["Gatekeeper-Hold-Id"]

    answers = [
        await tell(world, asker, each, act, body)
        for asker, each in ((other, hold), (key, forwarded), (key, "0" * 32), (key, "no-id"), (key, "..%2F.."))
        for act, body in (("settle", None), ("release", None), ("extend", {"ttl_s": 9}))
    ]
    looked = await world.send("GET", f"/v1/decisions/{forwarded}", key)

    assert {(404, "hold_not_found")} == {(each.status, each.json["code"]) for each in (*answers, looked)}
    assert "held" == (await world.send("GET", f"/v1/decisions/{hold}", key)).json["state"]


async def test_a_running_generation_of_a_route_cannot_be_released(start_world: StartWorld):
    """Its hold is listed to its team while the provider draws, and is no decision."""
    world = await start_world()
    key = await world.key()
    running = asyncio.create_task(world.native(key, headers={"Sandbox-Latency": "1"}, prompt="slow"))
    holds: list[Any] = []
    while not holds and not running.done():
        holds = (await world.send("GET", "/v1/holds", key)).json["holds"]

    answers = [await tell(world, key, each["id"], "release") for each in holds]

    assert 200 == (await running).status
    assert [404] * len(holds) == [each.status for each in answers]
    assert 49_000_000 == (await world.balance()).charged


async def test_what_may_not_be_made_is_refused_as_everywhere(world: World):
    """A wrong aspect ratio, too few credits, a frozen team, no such model, a field that does not exist."""
    poor, frozen = await world.key("1"), await world.key(frozen=True)

    answers = [
        await decide(world, poor, aspect_ratio="7:5"), await decide(world, poor), await decide(world, frozen),
        await decide(world, poor, model="nano-bananas"), await decide(world, poor, ttl=5),
        await decide(world, poor, ttl_s=0), await decide(world, poor, ttl_s=86_401),
        await decide(world, poor, on_unknown="forget"), await decide(world, poor, provider="a whole sentence"),
    ]  # fmt: skip

    expected = [
        (422, "unsupported_aspect_ratio"), (402, "insufficient_credits"), (403, "team_frozen"),
        (404, "model_not_found"), *[(400, "malformed_request")] * 5,
    ]  # fmt: skip
    assert expected == [(each.status, each.json["code"]) for each in answers]
    assert ["1K"] == [each["resolution"] for each in answers[0].json["alternatives"]][:1]
    await world.assert_books_clean()


async def test_a_model_may_be_asked_for_as_a_provider_calls_it(world: World):
    """By its only upstream id, like in a quote; a prompt is welcome and not needed."""
    key = await world.key()

    decided = await decide(world, key, model="gemini-3.1-flash-image", prompt="a cat")

    assert (201, "nano-banana-2") == (decided.status, decided.json["model"])


async def test_a_team_in_shadow_gets_its_decision(world: World):
    """Held into debt and told in the log; what has no price is refused all the same."""
    key = await world.key("1", shadow=True)

    decided, unpriced = await decide(world, key), await decide(world, key, model="none-such")
    settled = await tell(world, key, decided.json["id"], "settle")

    assert [201, 404, 200] == [each.status for each in (decided, unpriced, settled)]
    assert "insufficient_credits" == world.events("generation.shadowed")[0]["code"]
    assert 48_000_000 == (await world.balance()).debt
    await world.assert_books_clean()


async def test_a_key_needs_the_scope_to_generate(world: World):
    """To decide, to end and to ask for another; a dry run is a quote."""
    key = await world.key()
    readers = await world.another_key("team-0", scopes=("read", "quote"))
    hold = (await decide(world, key)).json["id"]

    answers = [await decide(world, readers), await tell(world, readers, hold, "settle")]
    answers += [await world.send("GET", "/v1/forward-auth?model=nano-banana-2", readers)]
    quoted = await decide(world, readers, {"Gatekeeper-Dry-Run": "true"})

    assert [(403, "scope_missing")] * 3 == [(each.status, each.json["code"]) for each in answers]
    assert 200 == quoted.status
    assert 49_000_000 == (await world.balance()).held


async def test_decisions_at_once_never_overspend(world: World):
    """Of sixty at once for credits for ten, ten are held; and what they are worth, not more, is charged."""
    key = await world.key("499")

    decided = await asyncio.gather(*(decide(world, key) for _ in range(60)))
    held = [each.json["id"] for each in decided if each.status == 201]
    await asyncio.gather(*(tell(world, key, hold, "settle") for hold in held))

    balance = await world.balance()
    assert (10, {201, 402}) == (len(held), {each.status for each in decided})
    assert (490_000_000, 9_000_000, 0) == (balance.charged, balance.available, balance.held)
    await world.assert_books_clean()


async def test_nothing_is_no_number_of_outputs(world: World):
    """It would cost nothing, and be let by."""
    key = await world.key()

    answers = [await decide(world, key, outputs=0), await decide(world, key, outputs=-1)]
    answers += [await world.send("GET", "/v1/forward-auth?model=nano-banana-2&outputs=0", key)]

    assert all(each.status in {400, 422} for each in answers)


async def test_a_dry_run_holds_nothing(world: World):
    """It is a quote, and no decision."""
    key = await world.key()

    answer = await decide(world, key, {"Gatekeeper-Dry-Run": "true"})

    assert (200, 49, True) == (answer.status, answer.json["credits"], answer.json["admissible"])
    assert "id" not in answer.json
    assert 0 == (await world.balance()).held


async def test_every_request_about_a_decision_has_an_id_of_its_own(world: World):
    """Its header, its refusal and that one's log line have it; how the work ended is told with the decision's."""
    key = await world.key()
    decided = await decide(world, key, **PAIR)
    path = f"/v1/decisions/{decided.json['id']}"

    where = await world.send("GET", path, key)
    extended = await tell(world, key, decided.json["id"], "extend", {"ttl_s": 60})
    malformed = await tell(world, key, decided.json["id"], "settle", {"outputs": -1})
    settled = await tell(world, key, decided.json["id"], "settle")
    released = await tell(world, key, decided.json["id"], "release")

    asked = (decided, where, extended, malformed, settled, released)
    ids = [each.headers["Gatekeeper-Request-Id"] for each in asked]
    rejected = world.events("generation.rejected")
    (booked,) = world.events("generation.settled")
    assert ([201, 200, 200, 400, 200, 409], 6) == ([each.status for each in asked], len(set(ids)))
    assert [ids[3], ids[5]] == [malformed.json["request_id"], released.json["request_id"]]
    assert [ids[3], ids[5]] == [line["request_id"] for line in rejected]
    assert {decided.json["id"]} == {line["hold_id"] for line in (booked, *rejected)}
    assert ids[0] == booked["request_id"]
