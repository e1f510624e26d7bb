"""The stand-in provider: what it says it made is what it answered."""

import orjson
import pytest

from benchmarks.client import ask
from benchmarks.mock import READ_MAX
from tests.benchmarks.conftest import StandIn


async def post(stand_in: StandIn, path: str, body: bytes) -> bytes:
    """What comes back for a request of the tests' own caller."""
    answer = await ask("POST", f"{stand_in.url}/test/{path}", body)
    assert answer.status == 200, answer
    return answer.body


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_as_many_outputs_as_were_asked_for(stand_in: StandIn, count: int) -> None:
    """In the answer and in the tally."""
    body = orjson.dumps({"model": "x", "n": count})

    answer = orjson.loads(await post(stand_in, "plain/v1/images/generations", body))

    assert (count, count, 1) == (len(answer["data"]), stand_in.tally.outputs, stand_in.tally.generations)


async def test_a_free_route_makes_nothing(stand_in: StandIn) -> None:
    """It is counted as a request only."""
    await ask("GET", f"{stand_in.url}/test/plain/v1/models")

    assert (1, 0, 0) == (stand_in.tally.requests, stand_in.tally.generations, stand_in.tally.outputs)


async def test_a_large_answer_has_about_that_size(stand_in: StandIn) -> None:
    """Base64, in as many pieces as there are outputs."""
    body = orjson.dumps({"n": 2})

    answer = await post(stand_in, "large-2000000/v1/images/generations", body)

    assert 2_000_000 <= len(answer) < 2_001_000
    assert 2 == len(orjson.loads(answer)["data"])


async def test_a_body_that_is_too_large_to_read_makes_one(stand_in: StandIn) -> None:
    """Its bytes are counted and not kept."""
    body = b'{"n":3,"image":"' + b"A" * READ_MAX * 2 + b'"}'

    await post(stand_in, "plain/v1/images/generations", body)

    assert (1, len(body)) == (stand_in.tally.outputs, stand_in.tally.body_bytes)


async def test_callers_are_counted_apart(stand_in: StandIn) -> None:
    """The first segment says who asks, and `/_/counts` tells all of them."""
    await ask("POST", f"{stand_in.url}/one/plain/v1/images/edits", b"")
    await ask("POST", f"{stand_in.url}/two/plain/v1/images/edits", b"")

    told = orjson.loads((await ask("GET", f"{stand_in.url}/_/counts")).body)

    assert {"one": 1, "two": 1} == {who: tally["outputs"] for who, tally in told.items()}


async def test_a_job_runs_until_it_is_told_to_end(stand_in: StandIn) -> None:
    """fal's queue: submitted, running, completed; the output counts when its result is taken."""
    submitted = orjson.loads(await post(stand_in, "fal/bench/studio", b"{}"))
    running = orjson.loads((await ask("GET", submitted["status_url"])).body)
    await ask("GET", f"{stand_in.url}/_/end")
    ended = orjson.loads((await ask("GET", submitted["status_url"])).body)
    result = orjson.loads((await ask("GET", submitted["response_url"])).body)

    assert ("IN_QUEUE", "IN_PROGRESS", "COMPLETED") == tuple(each["status"] for each in (submitted, running, ended))
    assert (2, 1, 1) == (stand_in.tally.polls, stand_in.tally.outputs, len(result["images"]))
