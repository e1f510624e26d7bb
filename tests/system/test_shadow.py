"""Shadow mode through a running gateway: what would be refused passes, is held, and is told with its code."""

import asyncio
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import Code
from gatekeeper.ledger.teamrecord import Caps, Limit, Per, Project
from tests.system.conftest import StartWorld
from tests.system.provider import PICTURE, Provider
from tests.system.world import Answer, World

MICRO = 1_000_000
WHO = {"Gatekeeper-Member": "amy", "Gatekeeper-Project": "spring"}


def shadowed(world: World) -> dict[str, Any]:
    """The one line of what was let by."""
    (line,) = world.events("generation.shadowed")
    return line


def bodies(provider: Provider) -> list[dict[str, Any]]:
    """What the provider was asked."""
    return [json.loads(body) for body in provider.bodies]


NONE = {"resolution": None, "aspect_ratio": None}
VEO = {"model": "veo-3.1", "resolution": "720P", "aspect_ratio": "16:9", "audio": False}
UPSCALE = {"model": "topaz", "operation": "image.upscale", "input": {"width": 1920, "height": 1080}, **NONE}
BY_SETTINGS: dict[Code, tuple[dict[str, Any], str]] = {
    Code.UNSUPPORTED_ASPECT_RATIO: ({"aspect_ratio": "7:1"}, "49"),
    Code.UNSUPPORTED_RESOLUTION: ({"resolution": "9K"}, "49"),
    Code.UNSUPPORTED_SIZE: ({**NONE, "size": "100x70"}, "49"),
    Code.TOO_MANY_OUTPUTS: ({"outputs": 3}, "49"),
    Code.MISSING_PARAMETER: ({"prompt": None}, "49"),
    Code.UNSUPPORTED_QUALITY: ({"quality": "best"}, "49"),
    Code.UNSUPPORTED_AUDIO: ({"audio": True}, "49"),
    Code.UNSUPPORTED_DURATION: ({**VEO, "duration_s": 5}, "168.8"),
    Code.UNSUPPORTED_COMBINATION: ({**VEO, "resolution": "4K", "duration_s": 4}, "168.8"),
    Code.UNSUPPORTED_SCALE: ({**UPSCALE, "scale": 5}, "124"),
}
"""For each code a request, and the price of the nearest one that its model takes."""


@pytest.mark.parametrize("code", BY_SETTINGS)
async def test_what_the_model_does_not_take_is_held_at_the_nearest(
    start_world: StartWorld, provider: Provider, code: Code
) -> None:
    """The provider gets the very request, once; the line says what would have become of it, and what was held."""
    world, (fields, price) = await start_world(provider_url=provider.url), BY_SETTINGS[code]
    key = await world.key(shadow=True)

    answer = await world.native(key, **fields)

    line = shadowed(world)
    assert (200, code) == (answer.status, answer.headers["Gatekeeper-Shadow"])
    assert (1, fields) == (provider.calls, {name: bodies(provider)[0][name] for name in fields})
    assert (code, 422, float(price)) == (line["code"], line["status"], line["credits_held"])
    assert answer.headers["Gatekeeper-Hold-Id"] == line["hold_id"]
    assert (price, [price]) == (
        answer.headers["Gatekeeper-Credits-Held"],
        [credits_text((await world.balance()).charged)],
    )
    assert [] == world.events("generation.rejected")
    await world.assert_books_clean()


BY_MONEY = {
    "insufficient_credits": {"granted": "10"},
    "limit_exceeded": {"limits": (Limit("member", Per.DAY, 40 * MICRO),)},
    "request_cap_exceeded": {"caps": Caps(per_request=40 * MICRO)},
    "concurrency_exceeded": {"caps": Caps(open_holds=0)},
    "model_not_allowed": {"models_deny": ("nano-*",)},
    "resolution_not_in_phase": {
        "projects": (Project("spring", 1000 * MICRO, high_resolutions=("1K",), high_in_final_only=True),)
    },
}


@pytest.mark.parametrize("code", BY_MONEY)
async def test_what_the_team_may_not_spend_is_held_all_the_same(
    start_world: StartWorld, provider: Provider, code: str
) -> None:
    """Credits, limits, caps and permissions; credits may go below zero, and the books still add up."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True, **BY_MONEY[code])

    answer = await world.native(key, headers=WHO)

    line, balance = shadowed(world), await world.balance()
    assert (200, code, 1) == (answer.status, answer.headers["Gatekeeper-Shadow"], provider.calls)
    assert (code, 49) == (line["code"], line["credits_held"])
    assert 49 * MICRO == balance.charged
    assert (39 * MICRO if code == "insufficient_credits" else 0) == balance.debt
    hold = next(e for e in await world.gateway.store.ledger.journal("team-0") if e.kind == "hold")
    assert f"shadow: {code}" == hold.fields["why"]
    await world.assert_books_clean()


async def test_a_retired_model_is_held_at_its_last_price(start_world: StartWorld, provider: Provider) -> None:
    """Whether the provider still makes it is the provider's to say."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)

    answer = await world.openai(key, model="gpt-image-1")

    assert (200, "model_retired", 1) == (answer.status, answer.headers["Gatekeeper-Shadow"], provider.calls)
    assert shadowed(world)["credits_held"]
    await world.assert_books_clean()


async def test_a_minute_that_is_full_is_gone_past(start_world: StartWorld, provider: Provider) -> None:
    """The limit per minute counts on, and refuses nobody."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True, caps=Caps(requests_per_minute=1))

    answers = [await world.native(key) for _ in range(3)]

    assert [200] * 3 == [answer.status for answer in answers]
    assert "rate_limited" == answers[2].headers["Gatekeeper-Shadow"]
    await world.assert_books_clean()


UNPRICED: dict[str, dict[str, Any]] = {
    "model_not_found": {"json": {"model": "no-such-model", "prompt": "a cat"}},
    "malformed_request": {"data": b"{", "headers": {"Content-Type": "application/json"}},
    "operation_not_supported": {"json": {"model": "nano-banana-2", "prompt": "x", "operation": "video.generate"}},
}


@pytest.mark.parametrize("code", UNPRICED)
async def test_what_has_no_price_goes_by_unheld(start_world: StartWorld, provider: Provider, code: str) -> None:
    """Unknown models, unreadable bodies and what the model does not do at all: forwarded as they came, nothing held."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)

    answer = await world.send("POST", "/v1/generations", key, **UNPRICED[code])

    line = shadowed(world)
    assert (200, code, 1) == (answer.status, answer.headers["Gatekeeper-Shadow"], provider.calls)
    assert (code, None, None) == (line["code"], line["credits_held"], line["hold_id"])
    assert "Gatekeeper-Hold-Id" not in answer.headers
    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    if "data" in UNPRICED[code]:
        assert [b"{"] == provider.bodies
    await world.assert_books_clean()


async def test_what_would_pass_passes_as_ever(start_world: StartWorld, provider: Provider) -> None:
    """No header, no line: in shadow, too, a request that nothing is wrong with is none to talk about."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)

    answer = await world.native(key)

    assert (200, 1) == (answer.status, provider.calls)
    assert "Gatekeeper-Shadow" not in answer.headers
    assert [] == world.events("generation.shadowed")
    hold = next(e for e in await world.gateway.store.ledger.journal("team-0") if e.kind == "hold")
    assert "" == hold.fields["why"]
    await world.assert_books_clean()


async def test_a_provider_in_shadow_refuses_nobody_and_the_others_do(
    start_world: StartWorld, provider: Provider
) -> None:
    """The setting of a provider is about what goes to it, whatever team sends it."""
    world = await start_world(provider_url=provider.url, providers={"openai": {"shadow": True}})
    key = await world.key()

    by_openai = await world.openai(key, size="100x70")
    by_studio = await world.native(key, aspect_ratio="7:1")

    assert (200, "unsupported_size") == (by_openai.status, by_openai.headers["Gatekeeper-Shadow"])
    assert (422, 1) == (by_studio.status, provider.calls)
    await world.assert_books_clean()


NOT_LET_BY: dict[str, dict[str, Any]] = {
    "no key": {"path": "/v1/generations", "key": None},
    "a route nobody knows": {"path": "/studio/v1/other"},
    "a body that is too large": {"path": "/v1/generations", "data": (b"x" * 1000, 2000)},
}


@pytest.mark.parametrize(("case", "status"), [*zip(NOT_LET_BY, (401, 403, 413), strict=True)])
async def test_what_is_refused_in_shadow_too(
    start_world: StartWorld, provider: Provider, case: str, status: int
) -> None:
    """Without a key, on an unknown route, with too large a body: nothing is forwarded."""
    world = await start_world(provider_url=provider.url, max_body_mb=1)
    key = await world.key(shadow=True)
    options = {"json": {"model": "nano-banana-2"}, **NOT_LET_BY[case]}
    if "data" in options:
        piece, times = options.pop("data")
        options |= {"json": None, "data": io.BytesIO(piece * times)}

    answer = await world.send("POST", options.pop("path"), options.pop("key", key), **options)

    assert (status, 0) == (answer.status, provider.calls)


ELSEWHERE = {
    "already_generated", "generation_in_progress", "idempotency_conflict", "rate_limited", "model_retired",
    "job_not_found", "price_undetermined",
}  # fmt: skip
"""Let by too, each with a test of its own; the last has nothing near it that has a price."""

NEVER_LET_BY = {
    "unauthenticated", "key_expired", "scope_missing", "team_frozen", "payload_too_large", "route_not_gated",
    "ledger_unavailable", "provider_unavailable", "provider_timeout", "hold_not_found", "hold_ended", "overloaded",
}  # fmt: skip


def test_every_code_is_let_by_or_is_not() -> None:
    """Whoever adds one says what shadow does about it."""
    assert set(Code) == {*BY_SETTINGS, *BY_MONEY, *UNPRICED, *ELSEWHERE, *NEVER_LET_BY}


@pytest.mark.parametrize("fields", [{}, {"model": "no-such-model"}])
async def test_a_frozen_team_is_frozen_in_shadow_too(
    start_world: StartWorld, provider: Provider, fields: dict[str, Any]
) -> None:
    """Held or not: nothing of it is forwarded."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True, frozen=True)

    answer = await world.native(key, **fields)

    assert (403, "team_frozen", 0) == (answer.status, answer.headers["Gatekeeper-Rejection"], provider.calls)


async def test_a_dry_run_says_what_would_be(start_world: StartWorld, provider: Provider) -> None:
    """In shadow a dry run is answered as outside of it."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)
    dry = {"Gatekeeper-Dry-Run": "true"}

    answers = [await world.native(key, headers=dry, **f) for f in ({"aspect_ratio": "7:1"}, {"model": "no-such-model"})]

    assert [200, 404] == [answer.status for answer in answers]
    assert [False, 0] == [answers[0].json["admissible"], provider.calls]


async def test_a_quote_says_what_would_be(start_world: StartWorld, provider: Provider) -> None:
    """What is retired everywhere is not admissible, in shadow or not."""
    world = await start_world(provider_url=provider.url, models=[])
    key = await world.key(shadow=True)

    answer = await world.send("POST", "/v1/quotes", key, json={"model": "gpt-image-1"})

    assert (False, ["model_retired"]) == (answer.json["admissible"], answer.json["codes"])


async def test_a_request_that_comes_again_is_sent_again_where_no_answer_was_kept(
    start_world: StartWorld, provider: Provider
) -> None:
    """Pictures are not kept; with the key of another request it goes by as well. A kept answer comes again."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)
    once = {"Idempotency-Key": "one"}

    kept = [await world.native(key, headers=once) for _ in range(2)]
    provider.document = PICTURE
    large = [await world.openai(key, headers={"Idempotency-Key": "two"}) for _ in range(2)]
    other = await world.openai(key, headers=once, size="1024x1536")
    odd = await world.openai(key, headers={"Idempotency-Key": "with a space"})

    told = [answer.headers.get("Gatekeeper-Shadow") for answer in (*kept, *large, other, odd)]
    assert [None, None, None, "already_generated", "idempotency_conflict", "malformed_request"] == told
    assert ("true", 5) == (kept[1].headers["Gatekeeper-Replayed"], provider.calls)
    await world.assert_books_clean()


async def test_a_repeat_of_what_still_runs_is_sent_too(start_world: StartWorld, provider: Provider) -> None:
    """While the first one runs the second goes its own way, under a hold of its own."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)
    once = {"Idempotency-Key": "one"}
    provider.gate.clear()

    running = [asyncio.create_task(world.native(key, headers=once))]
    await world.event("generation.admitted")
    running.append(asyncio.create_task(world.native(key, headers=once)))
    await world.event("generation.admitted", 2)
    provider.gate.set()
    answers: list[Answer] = await asyncio.gather(*running)

    assert [None, "generation_in_progress"] == [answer.headers.get("Gatekeeper-Shadow") for answer in answers]
    assert (2, 98 * MICRO) == (provider.calls, (await world.balance()).charged)
    await world.assert_books_clean()


async def test_more_than_the_nearest_is_charged_as_the_model_says(start_world: StartWorld, provider: Provider) -> None:
    """Three were asked of a model that makes one: one is held; what came is charged, for this model does that."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)
    provider.document = {"outputs": [{"url": f"http://pictures/{n}.png"} for n in range(3)]}

    answer = await world.native(key, outputs=3)

    assert ("49", "147") == (answer.headers["Gatekeeper-Credits-Held"], answer.headers["Gatekeeper-Credits-Charged"])
    await world.assert_books_clean()


async def test_enforcement_begins_with_the_debt_that_shadow_left(start_world: StartWorld, provider: Provider) -> None:
    """Out of shadow the team is refused until it is granted more than it owes."""
    world = await start_world(provider_url=provider.url)
    key, ledger = await world.key("10", shadow=True), world.gateway.store.ledger
    await world.native(key)
    record = await ledger.team("team-0")
    assert record is not None

    await ledger.put_team(replace(record, shadow=False))
    for _ in range(200):
        refused = await world.native(key)
        if refused.status == 402:
            break
        await asyncio.sleep(0.02)
    await ledger.grant("team-0", "more", 9000 * MICRO)
    allowed = await world.native(key)

    assert (402, "insufficient_credits") == (refused.status, refused.headers["Gatekeeper-Rejection"])
    assert 200 == allowed.status
    await world.assert_books_clean()


async def test_each_code_is_counted(start_world: StartWorld, provider: Provider) -> None:
    """The metric has the code that the line has."""
    world = await start_world(provider_url=provider.url)
    key = await world.key(shadow=True)
    await world.native(key, aspect_ratio="7:1")

    async with world.session.get(f"{world.gateway.admin_url}/metrics") as answer:
        text = await answer.text()

    assert 'gatekeeper_shadowed_total{code="unsupported_aspect_ratio"} 1.0' in text
    assert 'gatekeeper_rejections_total{code="unsupported_aspect_ratio"}' not in text


async def test_a_decision_is_made_in_shadow_too(start_world: StartWorld, provider: Provider) -> None:
    """It is held and settled; only what has no price is refused, for there is nothing that could be let by."""
    world = await start_world(provider_url=provider.url)
    key = await world.key("10", shadow=True)
    asked = {"model": "nano-banana-2", "resolution": "1K", "aspect_ratio": "7:1"}

    decided = await world.send("POST", "/v1/decisions", key, json=asked)
    settled = await world.send("POST", f"/v1/decisions/{decided.json['id']}/settle", key)
    unknown = await world.send("POST", "/v1/decisions", key, json={"model": "no-such-model"})

    assert (201, "unsupported_aspect_ratio") == (decided.status, decided.headers["Gatekeeper-Shadow"])
    assert ["unsupported_aspect_ratio", "insufficient_credits"] == shadowed(world)["codes"]
    assert (200, 404) == (settled.status, unknown.status)
    assert 39 * MICRO == (await world.balance()).debt
    await world.assert_books_clean()


async def test_a_webhook_that_may_not_be_called_stays_the_providers_to_call(
    start_world: StartWorld, provider: Provider
) -> None:
    """Every byte goes on as it came: the gateway puts no address of its own in its place."""
    world = await start_world(provider_url=provider.url)
    provider.document = {"id": "p1", "status": "starting", "urls": {}}
    key = await world.key(shadow=True)
    wanted = {"version": "nano-banana-2", "input": {"prompt": "a"}, "webhook": "https://10.0.0.1/hook"}
    body = json.dumps(wanted).encode() + b"  "

    answer = await world.send(
        "POST", "/replicate/v1/predictions", key, data=body, headers={"Content-Type": "application/json"}
    )

    assert ("malformed_request", 49) == (answer.headers["Gatekeeper-Shadow"], shadowed(world)["credits_held"])
    assert [body] == provider.bodies
