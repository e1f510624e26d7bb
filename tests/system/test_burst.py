"""Many at once: a limit that holds for one request at a time is no limit."""

import asyncio
from collections import Counter

from tests.system.world import World


async def test_a_burst_spends_the_grant_exactly(world: World) -> None:
    """60 requests of 49 credits at once on a grant of 490: 10 reach the provider, 50 are told 402, nothing is lost."""
    key = await world.key("490")

    answers = await asyncio.gather(*(world.native(key) for _ in range(60)))

    balance = await world.balance()
    assert Counter({402: 50, 200: 10}) == Counter(answer.status for answer in answers)
    assert 10 == (await world.provider())["generations"]
    assert (0, 0, 490_000_000, 0) == (balance.available, balance.held, balance.charged, balance.debt)
    await world.assert_books_clean()


async def test_every_refusal_of_a_burst_names_its_numbers(world: World) -> None:
    """Each 402 carries what was required and what was available, never a negative figure."""
    key = await world.key("490")

    answers = await asyncio.gather(*(world.native(key) for _ in range(60)))

    money = [answer.json["credits"] for answer in answers if answer.status == 402]
    assert {49} == {facts["required"] for facts in money}
    assert all(0 <= facts["available"] < 49 and facts["held"] >= 0 for facts in money)


async def test_a_small_burst_on_two_models_mixes_without_loss(world: World) -> None:
    """Requests of 5 and 160 credits on 1,000: whatever gets through, charged and left add up to the grant."""
    key = await world.key("1000")
    small = [world.native(key, model="z-image-turbo") for _ in range(20)]
    large = [world.native(key, model="nano-banana-pro", resolution="4K") for _ in range(8)]

    await asyncio.gather(*small, *large)

    balance = await world.balance()
    assert 1_000_000_000 == balance.available + balance.charged
    assert 0 == balance.held
    await world.assert_books_clean()
