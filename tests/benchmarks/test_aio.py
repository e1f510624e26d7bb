"""The reference passes everything through, so that it is a reference."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from benchmarks.baselines.aio import PassThrough
from tests.benchmarks.conftest import StandIn


@pytest.mark.parametrize("manner", ["plain", "large-2000000"])
async def test_answers_come_through_whole(stand_in: StandIn, manner: str) -> None:
    """Small ones are read, large ones streamed; the stand-in made what arrived."""
    passing = PassThrough(stand_in.url)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", passing.handle)

    async with TestClient(TestServer(app)) as client:
        response = await client.post(f"/test/{manner}/v1/images/generations", json={"n": 2})
        document = await response.json()
    await passing.close()

    assert (200, 2, 2) == (response.status, len(document["data"]), stand_in.tally.outputs)
    assert "req_0123456789abcdef" == response.headers["X-Request-Id"]
