"""A job whose submission is cut short by a shutdown, and one that its caller has the provider forget."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.ledger.topologies import free_port
from tests.system.conftest import StartWorld
from tests.system.jobprovider import SUCCEEDED, JobProvider
from tests.system.process import gatekeeper, write_config
from tests.system.storeserver import AOF, store_server
from tests.system.test_jobs_reconciled import SOON, impatient, until_ended
from tests.system.test_outbox import Stopped
from tests.system.test_process import ENVIRONMENT, balance, generate


async def test_a_shutdown_while_the_store_stands_still_keeps_the_job(jobs: JobProvider, tmp_path: Path) -> None:
    """The provider has taken it, and the grace ends before the store has it: on disk, then followed, charged once.

    Whichever process tells the store of it: the one that ends, if the store moves again in time, or the next.
    """
    port, store_dir = free_port(), tmp_path / "store"
    environment = ENVIRONMENT | {"GATEKEEPER_STORE__URL": f"redis://127.0.0.1:{port}/0"}
    config = impatient(write_config(tmp_path, jobs.url, shutdown_grace_s=2))
    arguments = ("serve", "--config", str(config))
    async with store_server(store_dir, port, *AOF) as store:
        async with gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
            url = (await server.event("server.started"))["url"]
            jobs.submits_open.clear()
            answer = asyncio.ensure_future(generate(url, "a cat"))
            await jobs.until_submitted()
            with Stopped(store.pid):
                jobs.submits_open.set()
                server.signal(signal.SIGTERM)
                with pytest.raises(aiohttp.ClientError):
                    await answer
                deferred = await server.event("settle.deferred")
                code = await server.ended()
        jobs.end(SUCCEEDED)
        async with gatekeeper(*arguments, cwd=tmp_path, **environment) as server:
            url = (await server.event("server.started"))["url"]
            finished = await server.event("job.finished")
            after = await balance(url)

    assert (0, "job", "made") == (code, deferred["act"], finished["outcome"])
    assert (951, 0, 49) == (after["available"], after["held"], after["charged"])


async def test_a_job_that_is_cancelled_and_forgotten_is_freed(start_world: StartWorld, jobs: JobProvider) -> None:
    """A cancel that tells nothing, and then nobody knows the job: freed as the format bills a cancel, long before its
    deadline."""
    world = await start_world(provider_url=jobs.url, jobs=SOON, on_unknown="charge")
    key = await world.key()
    await world.native(key)
    jobs.forgets = True

    cancelled = await world.send("DELETE", "/v1/generations/job-1", key)
    await until_ended(world)

    assert 204 == cancelled.status
    assert ["hold", "job", "release"] == await world.kinds()
    assert "cancelled" == (await world.event("generation.released"))["outcome"]
    await world.assert_books_clean()


@pytest.mark.parametrize("status", [429, 500])
async def test_a_job_is_not_deleted_before_its_end_is_known(
    start_world: StartWorld, jobs: JobProvider, status: int
) -> None:
    """While the provider does not say where the job stands, a cancel is refused and can be tried again."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)
    jobs.status, jobs.forgets = status, True

    refused = await world.send("DELETE", "/v1/generations/job-1", key)
    jobs.status = 200
    cancelled = await world.send("DELETE", "/v1/generations/job-1", key)

    assert (502, "5") == (refused.status, refused.headers["Retry-After"])
    assert (204, "49") == (cancelled.status, cancelled.headers["Gatekeeper-Credits-Charged"])
    assert ["hold", "job", "settle"] == await world.kinds()
