"""Freepik's, Luma's and Topaz' call-backs, which nobody signs: exchanged for the gateway's, believed only as a hint."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekeeper.proxy.webhooks.keys import callback_path
from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.test_abandoned import PRICES, submit_called_back
from tests.system.webhooking import Hooked, hooked

IDS = {"freepik": "task_id", "luma": "id", "topaz": "process_id"}
ENDS = {"freepik": ("status", "COMPLETED"), "luma": ("state", "completed"), "topaz": ("status", "Completed")}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@pytest.fixture
async def scene(start_world: StartWorld, receiver: Receiver) -> Hooked:
    return await hooked(start_world, receiver)


def id_of(dialect: str, answer: Any) -> str:
    return str(answer.get("data", answer)[IDS[dialect]])


@pytest.mark.parametrize("dialect", IDS)
async def test_a_call_back_settles_and_reaches_the_caller(scene: Hooked, dialect: str) -> None:
    """The provider is given our address; its call has us ask, and the event comes to the caller signed by us."""
    submitted = await submit_called_back(scene.world, scene.key, dialect, scene.receiver.url)

    await scene.receiver.until_received(1)

    event = await scene.verified()
    field, done = ENDS[dialect]
    sent = (await scene.sandbox("GET", "/sandbox/ledger"))["webhooks_recent"]
    finished = await scene.world.event("job.finished")
    assert (id_of(dialect, submitted.json), done) == (event[IDS[dialect]], event[field])
    assert sent[0]["url"].startswith(f"{scene.world.url}/v1/callbacks/{dialect}/team-0/")
    assert ("made", "webhook", PRICES[dialect]) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await scene.world.assert_books_clean()


async def test_a_forged_call_back_refunds_nothing(scene: Hooked) -> None:
    """Who came to know the address that Luma calls, and calls it with a failure, has us ask Luma, no more."""
    submitted = await submit_called_back(scene.world, scene.key, "luma", scene.receiver.url, "job_wait")
    forged = {"id": submitted.json["id"], "state": "failed", "failure_reason": "so I say"}
    secret, hold_id = scene.world.gateway.gate.webhooks.secret, submitted.headers["Gatekeeper-Hold-Id"]
    address = scene.world.url + callback_path(secret, "luma", "team-0", hold_id)

    async with scene.world.session.post(address, data=json.dumps(forged)) as response:
        status = response.status

    balance = await scene.world.balance()
    assert (503, 42_200_000, 0) == (status, balance.held, balance.charged)
    assert [] == scene.receiver.received
