"""Jobs in shadow: those that were let by have all that jobs have, and those that nobody here knows are passed on."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from tests.system.conftest import StartWorld
from tests.system.jobprovider import FAILED, SUCCEEDED, JobProvider
from tests.system.test_logs import SCHEMA
from tests.system.world import World

MICRO = 1_000_000
ODD = {"aspect_ratio": "7:1"}


async def kinds(world: World) -> list[str]:
    """What the journal says about holds, in order."""
    entries = await world.gateway.store.ledger.journal("team-0")
    return [str(entry.kind) for entry in entries if entry.kind not in {"team", "grant", "key"}]


@pytest.mark.parametrize(("end", "charged", "last"), [(SUCCEEDED, 49, "settle"), (FAILED, 0, "release")])
async def test_a_job_that_was_let_by_ends_as_any(
    start_world: StartWorld, jobs: JobProvider, end: dict[str, Any], charged: int, last: str
) -> None:
    """Its hold follows it, and its poll settles or frees it."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key("10", shadow=True)

    taken = await world.native(key, **ODD)
    jobs.end(end)
    polled = await world.send("GET", "/v1/generations/job-1", key)

    assert (202, "unsupported_aspect_ratio") == (taken.status, taken.headers["Gatekeeper-Shadow"])
    assert ["unsupported_aspect_ratio", "insufficient_credits"] == world.events("generation.shadowed")[0]["codes"]
    assert (200, str(charged)) == (polled.status, polled.headers["Gatekeeper-Credits-Charged"])
    assert "Gatekeeper-Shadow" not in polled.headers
    assert (["hold", "job", last], charged * MICRO) == (await kinds(world), (await world.balance()).charged)
    await world.assert_books_clean()


async def test_a_job_ends_after_its_team_has_left_shadow(start_world: StartWorld, jobs: JobProvider) -> None:
    """What was let by is not taken back: its end is booked, whatever holds by then."""
    world = await start_world(provider_url=jobs.url)
    key, ledger = await world.key("10", shadow=True), world.gateway.store.ledger
    await world.native(key, **ODD)

    record = await ledger.team("team-0")
    assert record is not None
    await ledger.put_team(replace(record, shadow=False))
    jobs.end(SUCCEEDED)
    polled = await world.send("GET", "/v1/generations/job-1", key)

    assert (200, 39 * MICRO) == (polled.status, (await world.balance()).debt)
    await world.assert_books_clean()


async def test_a_job_without_a_hold_can_be_followed_all_the_same(start_world: StartWorld, jobs: JobProvider) -> None:
    """Its model is unknown, so nobody knows its job; what is asked about it is passed on, and nothing is booked."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key(shadow=True)

    taken = await world.native(key, model="no-such-model")
    jobs.end(SUCCEEDED)
    asked = [await world.send(method, "/v1/generations/job-1", key) for method in ("GET", "DELETE")]

    assert (202, "model_not_found") == (taken.status, taken.headers["Gatekeeper-Shadow"])
    assert "succeeded" == asked[0].json["status"]
    assert [200] * 2 == [answer.status for answer in asked]
    assert ["job_not_found"] * 2 == [answer.headers["Gatekeeper-Shadow"] for answer in asked]
    assert [] == await kinds(world)
    await world.assert_books_clean()


async def test_outside_of_shadow_an_unknown_job_is_not_found(start_world: StartWorld, jobs: JobProvider) -> None:
    """And nothing is forwarded."""
    world = await start_world(provider_url=jobs.url)
    key, other = await world.key(shadow=True), await world.key()
    await world.native(key, model="no-such-model")

    answer = await world.send("GET", "/v1/generations/job-1", other)

    assert (404, 0) == (answer.status, jobs.polls)


async def test_links_of_an_unheld_job_lead_through_the_gateway(start_world: StartWorld) -> None:
    """The caller's key must not follow a link to the provider, priced or not."""
    world = await start_world()
    key = await world.key(shadow=True)

    answer = await world.send(
        "POST", "/replicate/v1/models/nobody/nothing/predictions", key, json={"input": {"prompt": "a"}}
    )

    assert "model_not_found" == answer.headers["Gatekeeper-Shadow"]
    assert answer.json["urls"]["get"].startswith(f"{world.url}/replicate/")
    await world.assert_books_clean()


async def test_a_download_of_an_unknown_job_is_passed_on(start_world: StartWorld) -> None:
    """What the provider says of it is the answer."""
    world = await start_world()
    key = await world.key(shadow=True)

    answer = await world.send("GET", "/openai/v1/videos/video_none/content", key)

    assert (404, "job_not_found") == (answer.status, answer.headers["Gatekeeper-Shadow"])


async def test_what_nobody_here_reads_is_forwarded_with_it(start_world: StartWorld, jobs: JobProvider) -> None:
    """A parameter that might cost what was not paid for; but never the caller's key."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key(shadow=True)
    body = {"model": "nano-banana-2", "prompt": "a"}

    by_query = await world.send("POST", "/v1/generations?strange=1", key, json=ODD | body)
    refused = await world.send("POST", f"/v1/generations?key={key}", key, json=body)

    codes = world.events("generation.shadowed")[0]["codes"]
    assert (202, 400) == (by_query.status, refused.status)
    assert ["unsupported_aspect_ratio", "malformed_request"] == codes
    assert 1 == len(jobs.jobs)


async def test_lines_of_shadow_match_the_schema(start_world: StartWorld, jobs: JobProvider) -> None:
    """Held or not, about a request or about a job."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key("10", shadow=True)
    await world.native(key, **ODD)
    await world.native(key, model="no-such-model")
    await world.send("GET", "/v1/generations/job-2", key)

    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    lines = world.events("generation.shadowed")

    assert 3 == len(lines)
    assert [] == [error.message for line in lines for error in validator.iter_errors(line)]
