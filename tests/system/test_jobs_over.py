"""A job made more than was held: the house bears it, the team as far as its credits go, or the team in any case."""

from dataclasses import replace

import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.core.spec import OverRun
from tests.system.conftest import StartWorld
from tests.system.jobprovider import SUCCEEDED, JobProvider
from tests.system.world import World

TWO = {**SUCCEEDED, "outputs": SUCCEEDED["outputs"] * 2}
"""One was asked for and held, at 49 credits."""


def with_policy(world: World, over: OverRun) -> None:
    """From now on every model has this policy."""
    shelf = world.gateway.gate.shelf
    models = [
        replace(model, capabilities=tuple(replace(each, over=over) for each in model.capabilities))
        for model in shelf.catalog.models
    ]
    shelf.catalog = Catalog.of(models, f"{shelf.catalog.digest}-{over}")


@pytest.mark.parametrize(
    ("over", "granted", "charged", "beyond", "available"),
    [
        (OverRun.ABSORB, "60", 49, 49, 11),
        (OverRun.CHARGE, "60", 60, 38, 0),
        (OverRun.CHARGE, "200", 98, 0, 102),
        (OverRun.CHARGE, "49", 49, 49, 0),
        (OverRun.DEBT, "60", 98, 0, -38),
    ],
)
async def test_who_bears_an_over_run(
    start_world: StartWorld, jobs: JobProvider, over: OverRun, granted: str, charged: int, beyond: int, available: int
) -> None:
    """What was charged, what beyond that it was worth, and what the team has left; the books verify."""
    world = await start_world(provider_url=jobs.url)
    with_policy(world, over)
    key = await world.key(granted)
    await world.native(key)
    jobs.end(TWO)

    answers = [await world.send("GET", "/v1/generations/job-1", key) for _ in range(2)]

    assert [str(charged)] * 2 == [answer.headers["Gatekeeper-Credits-Charged"] for answer in answers]
    (line,) = world.events("generation.settled")
    assert (49, charged, beyond) == (line["credits_held"], line["credits_charged"], line["credits_over"])
    figures = await world.balance()
    assert available * 1_000_000 == figures.available - figures.debt
    await world.assert_books_clean()


async def test_a_job_is_priced_from_the_list_it_was_held_by(start_world: StartWorld, jobs: JobProvider) -> None:
    """The catalog was reloaded while it ran: the list and the policy of its day count."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key("60")
    await world.native(key)
    shelf = world.gateway.gate.shelf
    dearer = [replace(each, price_list=replace(each.price_list, id="dearer@1")) for each in shelf.catalog.models]
    shelf.catalog = Catalog.of(dearer, "another")
    jobs.end(SUCCEEDED)

    await world.send("GET", "/v1/generations/job-1", key)

    (line,) = world.events("generation.settled")
    assert (49, "") == (line["credits_charged"], line["note"])


async def test_a_list_that_is_gone_divides_the_hold(start_world: StartWorld, jobs: JobProvider) -> None:
    """After many reloads, or a start with another catalog: what was held, by what was made, and a note."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key, model="ideogram-v3", outputs=2, resolution=None)
    shelf = world.gateway.gate.shelf
    for number in range(8):
        other = [replace(each, price_list=replace(each.price_list, id=f"l@{number}")) for each in shelf.catalog.models]
        shelf.catalog = Catalog.of(other, f"catalog-{number}")
    jobs.end(SUCCEEDED)

    await world.send("GET", "/v1/generations/job-1", key)

    (line,) = world.events("generation.settled")
    assert (50, 25, "partial") == (line["credits_held"], line["credits_charged"], line["outcome"])
    assert "price list gone" in line["note"]
    await world.assert_books_clean()
