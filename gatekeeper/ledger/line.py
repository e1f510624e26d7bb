"""A connection in use: commands leave in one write, and replies are matched to them by their order.

The library makes the connection: addresses, TLS, logins, the greeting. From then on its transport has a reader of ours,
because the library's costs more for each reply than all the rest of a call. A store that is no server (the tests' own,
in their process) has no transport: the library is asked there, in the same words.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from hiredis import Reader
from redis.exceptions import BusyLoadingError, InvalidResponse, RedisError
from redis.exceptions import ConnectionError as NoConnection

from gatekeeper.ledger.wire import READ_TOGETHER, Reply, exchange, too_slow

Done = Callable[[list[Reply] | Exception], None]
"""Hears the replies to all commands, a refusal as its error, or why there are none."""

_NOTHING: Final = object()


def line_of(connection: Any) -> "Line":
    """The line of a connection that the library has just opened, and that owes no reply."""
    # Private to the library, which has no other way to its transport and to its own names for refusals.
    writer = getattr(connection, "_writer", None)
    error_of = getattr(getattr(connection, "_parser", None), "parse_error", None)
    if isinstance(writer, asyncio.StreamWriter) and error_of is not None:
        return OwnLine(connection, writer.transport, error_of)
    return LibraryLine(connection)


class OwnLine(asyncio.Protocol):
    """A line whose transport is ours. A reply that nobody waits for, or that is none, ends it."""

    def __init__(
        self, connection: Any, transport: asyncio.WriteTransport, error_of: Callable[[str], Exception]
    ) -> None:
        self.connection = connection
        self.is_open = not transport.is_closing()
        self.loop = asyncio.get_running_loop()
        self._transport = transport
        self._before = transport.get_protocol()
        self._error_of = error_of
        encoder = connection.encoder
        self._reader = Reader(
            protocolError=InvalidResponse, replyError=self._refusal, encoding=encoder.encoding,
            errors=encoder.encoding_errors, notEnoughData=_NOTHING,
        )  # fmt: skip
        self._done: Done | None = None
        self._wanted = 0
        self._replies: list[Reply] = []
        self._broken: Exception | None = None
        self._limit_s = 0.0
        self._deadline_s = 0.0
        self._watch: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    def send(self, commands: list[bytes], more_s: float, done: Done) -> None:
        """Write all commands at once; each `READ_TOGETHER` replies have the connection's time limit and `more_s`."""
        assert self._done is None, "one pipeline at a time"
        self._done, self._wanted, self._replies = done, len(commands), []
        self._limit_s = self.connection.socket_timeout + more_s
        self._deadline_s = self.loop.time() + self._limit_s
        if self._watch is None:
            self._watch = self.loop.call_at(self._deadline_s, self._look)
        elif self._watch.when() > self._deadline_s:
            self._watch.cancel()
            self._watch = self.loop.call_at(self._deadline_s, self._look)
        try:
            self._transport.write(b"".join(commands))
        except (OSError, RuntimeError) as error:  # RuntimeError: a transport that is closed, but has not said so yet
            self._end(error)

    async def exchange(self, commands: list[bytes], more_s: float = 0.0) -> list[Reply]:
        """Write all commands at once and wait for a reply to each."""
        if not self.is_open:
            raise NoConnection("the store has closed the connection")
        answer: asyncio.Future[list[Reply]] = self.loop.create_future()
        self.send(commands, more_s, lambda told: _tell(answer, told))
        return await answer

    def cut(self) -> None:
        """Close the socket now, whatever it still has to write."""
        self.is_open = False
        self._done = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what came apart into replies."""
        replies, before = self._replies, len(self._replies)
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _NOTHING:
                replies.append(reply)
        except (RedisError, UnicodeError) as error:
            self._broken = error
        if self._broken is not None or self._done is None or len(replies) > self._wanted:
            self._end(self._broken or InvalidResponse("the store told more than it was asked"))
        elif len(replies) == self._wanted:
            done, self._done, self._replies = self._done, None, []
            done(replies)
        elif len(replies) // READ_TOGETHER > before // READ_TOGETHER:
            self._deadline_s = self.loop.time() + self._limit_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes on this line any more."""
        self._end(exc or NoConnection("the store has closed the connection"))
        self._before.connection_lost(exc)

    def _refusal(self, text: str) -> Exception:
        """A refusal as the library names it; one that says that this login counts no more, ends the line."""
        error = self._error_of(text)
        if isinstance(error, NoConnection) and not isinstance(error, BusyLoadingError):
            self._broken = error
        return error

    def _look(self) -> None:
        """One timer for all pipelines: set anew where its time came while a later one is under way."""
        self._watch = None
        if self._done is None:
            return
        if self.loop.time() < self._deadline_s:
            self._watch = self.loop.call_at(self._deadline_s, self._look)
        else:
            self._end(too_slow())

    def _end(self, error: Exception) -> None:
        done = self._done
        self.cut()
        if done is not None:
            done(error)


class LibraryLine:
    """A line through the library's own reader."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @property
    def is_open(self) -> bool:
        """Whether the library has it open."""
        return bool(self.connection.is_connected)

    async def exchange(self, commands: list[bytes], more_s: float = 0.0) -> list[Reply]:
        """Write all commands at once and wait for a reply to each."""
        return await exchange(self.connection, commands, more_s)

    def cut(self) -> None:
        """The library closes it when it is told to disconnect."""


Line = OwnLine | LibraryLine


def _tell(answer: asyncio.Future[list[Reply]], told: list[Reply] | Exception) -> None:
    if answer.done():
        return
    if isinstance(told, Exception):
        answer.set_exception(told)
    else:
        answer.set_result(told)
