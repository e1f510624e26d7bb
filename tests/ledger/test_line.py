"""A line of our own: replies meet the commands they belong to, and whatever else comes ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse, NoScriptError

from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.line import LibraryLine, OwnLine, line_of
from gatekeeper.ledger.wire import packed

PING = packed(("PING",))


class Server:
    """A store that answers the n-th write it gets with the n-th of these bytes; None closes."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answers: list[list[bytes] | None] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))

    async def stop(self) -> None:
        assert self._server is not None
        for writer in self._writers:
            writer.close()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while b"PING" not in (data := await reader.read(65536)):
            if not data:
                return
            writer.write(b"+OK\r\n" * data.count(b"SETINFO"))  # how the library introduces itself
        while True:
            answer = self.answers.pop(0) if self.answers else None
            if answer is None:
                writer.close()
                return
            for piece in answer:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if not await reader.read(65536):
                return


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A store that says what it is told to."""
    server = Server(tmp_path / "s")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def lines() -> AsyncIterator[Callable[[str], Awaitable[OwnLine]]]:
    """Makes lines to a store."""
    made: list[tuple[Redis, OwnLine]] = []

    async def make(url: str) -> OwnLine:
        redis = connect(url)
        line = line_of(await redis.connection_pool.get_connection())
        assert isinstance(line, OwnLine)
        made.append((redis, line))
        return line

    yield make
    for redis, line in made:
        line.cut()
        await line.connection.disconnect(nowait=True)
        await redis.aclose()


Lines = Callable[[str], Awaitable[OwnLine]]


async def test_connections_of_the_library_are_taken_over(server_socket: Path, lines: Lines) -> None:
    """What the library of today opens has a transport and names for refusals: the quick way is the usual one."""
    line = await lines(f"unix://{server_socket}")
    told = await line.exchange([PING, packed(("ECHO", "ä")), packed(("EVALSHA", "0" * 40, 0)), packed(("GET", "no"))])

    assert (["PONG", "ä"], NoScriptError, None) == (told[:2], type(told[2]), told[3])


async def test_a_store_without_a_transport_is_asked_through_the_library() -> None:
    """Such as one that lives in the tests' own process."""
    assert isinstance(line_of(object()), LibraryLine)


async def test_replies_may_come_in_pieces(server: Server, lines: Lines) -> None:
    """Wherever they are cut."""
    server.answers = [[b"+PO", b"NG\r\n$3\r", b"\nabc\r\n"]]
    line = await lines(f"unix://{server.socket}")

    assert ["PONG", "abc"] == await line.exchange([PING, PING])
    assert line.is_open


async def test_more_than_was_asked_ends_the_line(server: Server, lines: Lines) -> None:
    """A reply too many would meet the next call: nobody is answered by it."""
    server.answers = [[b"+PONG\r\n+PONG\r\n"]]
    line = await lines(f"unix://{server.socket}")
    with pytest.raises(InvalidResponse, match="more than it was asked"):
        await line.exchange([PING])

    assert not line.is_open


async def test_what_is_no_reply_ends_the_line(server: Server, lines: Lines) -> None:
    """An answer of something that is no store."""
    server.answers = [[b"HTTP/1.1 400 Bad Request\r\n"]]
    line = await lines(f"unix://{server.socket}")
    with pytest.raises(InvalidResponse):
        await line.exchange([PING])

    assert not line.is_open


async def test_a_login_that_counts_no_more_ends_the_line(server: Server, lines: Lines) -> None:
    """The next connection logs in anew."""
    server.answers = [[b"-NOAUTH Authentication required.\r\n"]]
    line = await lines(f"unix://{server.socket}")
    with pytest.raises(NoConnection, match="Authentication required"):
        await line.exchange([PING])

    assert not line.is_open


async def test_a_closed_connection_is_told(server: Server, lines: Lines) -> None:
    """Before the replies are whole."""
    server.answers = [None]
    line = await lines(f"unix://{server.socket}")
    with pytest.raises(NoConnection):
        await line.exchange([PING])
    with pytest.raises(NoConnection):
        await line.exchange([PING])


async def test_a_silence_ends_the_line(server: Server, lines: Lines) -> None:
    """After the connection's time limit; what comes later meets nobody."""
    server.answers = [[b"+PONG\r\n"], []]
    line = await lines(f"unix://{server.socket}")
    assert ["PONG"] == await line.exchange([PING])
    line.connection.socket_timeout = 0.05
    with pytest.raises(TimeoutError, match="time limit"):
        await line.exchange([PING])

    assert not line.is_open


async def test_a_real_server_gets_a_line_of_our_own(real_redis: Redis) -> None:
    """The quick way, with the versions of server and library that are in use: the library's is for no server."""
    client = StoreClient(real_redis)
    await client.command("GET", "nothing")
    line, pipelines = client.money._line, client.money.pipelines
    await client.close()

    assert (OwnLine, 1) == (type(line), pipelines)
