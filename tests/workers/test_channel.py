"""What a worker is told arrives as it was sent."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from gatekeeper.app import Seat
from gatekeeper.catalog import load_catalog
from gatekeeper.ledger.teamrecord import KeyRecord
from gatekeeper.settings import load_settings
from gatekeeper.workers.channel import Ask, Channel, Farewell, Start, open_channel, start_for

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def channels() -> AsyncIterator[tuple[Channel, Channel]]:
    """Both ends."""
    ends = [await open_channel(end) for end in socket.socketpair()]
    yield ends[0], ends[1]
    for each in ends:
        each.close()


async def test_all_that_a_worker_works_with_arrives() -> None:
    """The shipped settings and catalog: prices and offers are found as before, and whoever sells a model too."""
    settings = load_settings(ROOT / "config" / "gatekeeper.yaml")
    catalog = load_catalog(settings.catalog_files())
    key = KeyRecord(sha256="0" * 64, team="demo", key_id="demo")
    async with channels() as (leader, worker):
        sent = start_for(settings, catalog, Seat(2, 3), [key], Path("lock"))
        _, got = await asyncio.gather(leader.send(sent), worker.receive())

    assert isinstance(got, Start)
    assert (settings.server, settings.providers) == (got.settings.server, got.settings.providers)
    assert (catalog.digest, catalog.models) == (got.catalog.digest, got.catalog.models)
    assert [catalog.find(model.id) for model in catalog.models] == [got.catalog.find(m.id) for m in catalog.models]
    offers = [(each.provider, each.upstream_id) for model in catalog.models for each in model.offers]
    assert [catalog.offered(*each) for each in offers] == [got.catalog.offered(*each) for each in offers]
    assert (Seat(2, 3), (key,), Path("lock")) == (got.seat, got.static_keys, got.lines)


def test_a_worker_is_not_told_the_admin_token() -> None:
    """It has no admin plane."""
    settings = load_settings(None).model_copy(update={"admin_token": SecretStr("gka_of_the_tests")})

    start = start_for(settings, load_catalog([ROOT / "config" / "catalog" / "google.yaml"]), Seat(1, 2), (), Path())

    assert start.settings.admin_token is None


async def test_the_end_of_the_other_side_is_heard() -> None:
    """What it said before is heard first; then nothing, and nobody hears an answer."""
    async with channels() as (leader, worker):
        assert await worker.send(Farewell(2))
        worker.close()
        heard = [await leader.receive(), await leader.receive()]
        sent = [await leader.send(Ask()) for _ in range(3)]

    assert [Farewell(2), None] == heard
    assert not sent[-1]
