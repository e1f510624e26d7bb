"""The gateway's own questions and answers: price before, models, balance, holds."""

from typing import Any

import pytest

from gatekeeper.catalog import load_catalog
from tests.system.world import CATALOG, World


async def test_a_quote_shows_the_arithmetic_and_holds_nothing(world: World) -> None:
    """Two pictures at 2K: 2 x 73.5 = 147, with the price list it comes from."""
    key = await world.key("200")

    answer = await world.send(
        "POST", "/v1/quotes", key, json={"model": "nano-banana", "prompt": "a", "resolution": "1K"}
    )

    quote = answer.json
    (line,) = quote["lines"]
    assert (200, 24, 24, 1) == (answer.status, quote["credits"], line["unit_credits"], line["times"])
    assert "@" in quote["price_list"]
    assert (True, 200, []) == (quote["admissible"], quote["available"], quote["violations"])
    assert 0 == (await world.balance()).held


async def test_a_quote_needs_no_prompt(world: World) -> None:
    """Whoever asks for a price may not have one yet."""
    answer = await world.send("POST", "/v1/quotes", await world.key(), json={"model": "flux-dev"})

    assert (True, 5) == (answer.json["admissible"], answer.json["credits"])


async def test_a_quote_of_half_credits_is_exact(world: World) -> None:
    """73.5 is written as 73.5, not as a binary neighbour of it."""
    body = {"model": "nano-banana-2", "prompt": "a", "resolution": "2K", "aspect_ratio": "16:9"}

    answer = await world.send("POST", "/v1/quotes", await world.key(), json=body)

    assert b'"credits":73.5' in answer.body


async def test_a_quote_that_is_too_dear_names_what_would_do(world: World) -> None:
    """Not admissible, and the alternatives are what the credits still buy."""
    body = {"model": "nano-banana-pro", "prompt": "a", "resolution": "4K", "aspect_ratio": "1:1"}

    answer = await world.send("POST", "/v1/quotes", await world.key("100"), json=body)

    assert (False, ["insufficient_credits"]) == (answer.json["admissible"], answer.json["codes"])
    assert {80} == {alternative["credits"] for alternative in answer.json["alternatives"]}


async def test_a_quote_for_what_cannot_be_made_lists_the_violations(world: World) -> None:
    """A quote is an answer, not an error: 200 with what is wrong."""
    body = {"model": "nano-banana-pro", "prompt": "a", "resolution": "8K"}

    answer = await world.send("POST", "/v1/quotes", await world.key(), json=body)

    assert (200, False, None) == (answer.status, answer.json["admissible"], answer.json["credits"])
    assert ["unsupported_resolution"] == [violation["code"] for violation in answer.json["violations"]]


async def test_the_balance_adds_up(world: World) -> None:
    """granted = available + held + charged + expired - debt, after a generation."""
    key = await world.key("100")
    await world.native(key)

    balance = (await world.send("GET", "/v1/balance", key)).json

    assert {"granted": 100, "available": 51, "held": 0, "charged": 49, "expired": 0, "debt": 0} == {
        name: balance[name] for name in ("granted", "available", "held", "charged", "expired", "debt")
    }


async def test_a_team_sees_only_its_own_holds(world: World) -> None:
    """Another team's key shows another list."""
    key = await world.key()

    answer = await world.send("GET", "/v1/holds", key)

    assert {"holds": []} == answer.json


@pytest.mark.parametrize(
    ("query", "inside", "outside"),
    [
        ({}, "topaz", None),
        ({"operation": "image.upscale"}, "topaz", "nano-banana"),
        ({"resolution": "4k"}, "seedream-v4", "nano-banana"),
        ({"aspect_ratio": "21:9"}, "nano-banana-2", "imagen-4"),
        ({"max_credits": "5"}, "flux-dev", "nano-banana"),
        ({"max_credits": "80", "resolution": "4K"}, "seedream-v4", "nano-banana-pro"),
    ],
)
async def test_the_models_can_be_filtered(
    world: World, query: dict[str, str], inside: str, outside: str | None
) -> None:
    """Each filter keeps what matches and drops the rest."""
    answer = await world.send("GET", "/v1/models", await world.key(), params=query)

    ids = {model["id"] for model in answer.json["models"]}
    assert inside in ids
    assert outside not in ids


async def test_every_model_is_listed(world: World) -> None:
    """The whole catalog, in its order, with every price."""
    shipped = load_catalog(sorted(CATALOG.glob("*.yaml")))

    models = (await world.send("GET", "/v1/models", await world.key())).json["models"]

    assert [model.id for model in shipped.models] == [model["id"] for model in models]
    assert all(capability["prices"] for model in models for capability in model["capabilities"])


@pytest.mark.parametrize(("path", "status"), [("/v1/models/grok-imagine", 200), ("/v1/models/nope", 404)])
async def test_one_model_by_id_or_alias(world: World, path: str, status: int) -> None:
    """An alias is as good as the id; an unknown name is a 404."""
    assert status == (await world.send("GET", path, await world.key())).status


async def test_an_unknown_filter_is_refused(world: World) -> None:
    """A misspelt filter must not look like no filter."""
    answer = await world.send("GET", "/v1/models", await world.key(), params={"opration": "x"})

    assert (400, "malformed_request") == (answer.status, answer.json["code"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Gatekeeper-Phase": "final"}, 200),
        ({"Gatekeeper-Phase": "whenever"}, 400),
        ({"Gatekeeper-Project": "spring-campaign", "Gatekeeper-Member": "amy@example.com"}, 200),
        ({"Gatekeeper-Project": "a b"}, 400),
        ({"Gatekeeper-Dry-Run": "maybe"}, 400),
    ],
)
async def test_request_headers_are_understood_or_refused(world: World, headers: dict[str, str], status: int) -> None:
    """What they say is in the log line; what they cannot say is an error, never ignored."""
    answer = await world.native(await world.key(), headers=headers)

    assert status == answer.status
    if status == 200:
        line = await world.event("generation.settled")
        said = {name.removeprefix("Gatekeeper-").lower(): value for name, value in headers.items()}
        assert said == {name: line[name] for name in said}


async def test_a_bound_key_cannot_name_another_project(world: World) -> None:
    """A limit per project must not be walked around by naming another."""
    await world.key()
    key = await world.another_key("team-0", project="spring")

    answer = await world.native(key, headers={"Gatekeeper-Project": "autumn"})

    assert (400, "malformed_request") == (answer.status, answer.json["code"])


@pytest.mark.parametrize(
    ("fields", "charged"),
    [
        ({"model": "topaz", "operation": "image.upscale", "scale": "2x", "input": {"width": 1920, "height": 1080}}, 41),
        (
            {
                "model": "magnific-precision-v2",
                "operation": "image.upscale",
                "scale": 16,
                "input": {"width": 512, "height": 512},
            },
            1040,
        ),
        ({"model": "personalize-core", "prompt": "me", "aspect_ratio": "4:5"}, 24),
        ({"model": "flux-dev", "prompt": "a", "size": "landscape_16_9"}, 5),
        ({"model": "seedream-v4.5", "prompt": "a", "size": {"width": 2048, "height": 2048}}, 24),
    ],
)
async def test_every_kind_of_row_is_priced_held_forwarded_and_charged(
    world: World, fields: dict[str, Any], charged: int
) -> None:
    """Upscales, personalisation, presets and free sizes go the same way as a plain picture."""
    answer = await world.send("POST", "/v1/generations", await world.key("2000"), json=fields)

    assert (200, str(charged)) == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
    await world.assert_books_clean()
