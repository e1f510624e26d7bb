"""The stand-in provider of the benchmarks, in this process."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from benchmarks.mock import Connection, Provider, Tally


@dataclass(frozen=True)
class StandIn:
    """Where it listens, and what it knows."""

    url: str
    provider: Provider

    @property
    def tally(self) -> Tally:
        """What the tests' own caller was told."""
        return self.provider.of("test")


@pytest.fixture(name="stand_in")
async def _stand_in() -> AsyncIterator[StandIn]:
    """One that nobody has asked anything yet."""
    provider = Provider()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(provider), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider.address = f"http://127.0.0.1:{port}"
    yield StandIn(provider.address, provider)
    server.close()
    await server.wait_closed()
