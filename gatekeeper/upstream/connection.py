"""One connection to a provider: writes a request, reads the answer to it, and never guesses where that ends.

Strict, because a length that two sides read in two ways lets one answer pass for another: whatever llhttp does not
take without leniency is no answer, a transfer coding other than `chunked` has an end that is not ours to find, and
bytes that nobody asked for make the connection unusable. A body of stated length goes past the parser, uncopied.
One thing it cannot see: over TLS the event loop does not tell a farewell from a connection cut by somebody else, so an
answer without a stated end may be short. No provider is known to send such.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import inf
from typing import Final, Protocol, cast

import httptools

from gatekeeper.core.pieces import PIECE_BYTES, release
from gatekeeper.upstream.answer import HELD_BYTES_MAX, Answer
from gatekeeper.upstream.failure import Reason

HEAD_BYTES_MAX: Final = 32 * 1024
"""Of one head, interim ones included: Content-Security-Policy and the like grow past the usual 8 KiB. Also of what
may stand between two pieces of a chunked body, and behind it."""

HEADERS_MAX: Final = 256
"""No provider is known to send a quarter of this."""

BYTES_PER_TURN: Final = 1024 * 1024
"""A peer that reads as fast as we write would keep everyone else waiting."""

_FIRST_BYTE: Final = ord("H")
# Of the names that say how an answer ends: most headers have another length.
_TELLING_LENGTHS: Final = frozenset({len("connection"), len("content-length"), len("transfer-encoding")})
# What is read next: a head, a body of stated length, chunks, or whatever comes until the connection ends.
_HEAD, _COUNTED, _CHUNKED, _TO_THE_END = range(4)


class Home(Protocol):
    """Where a connection belongs while nobody uses it."""

    def release(self, connection: "Connection") -> None:
        """It can be used again."""

    def forget(self, connection: "Connection") -> None:
        """It is closed."""

    @property
    def watch(self) -> Callable[[float], None]:
        """To be told of each limit that it sets itself."""


class _Refused(Exception):
    """An answer that is well formed, but not one to read."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. Made by the pool; `transport` is there once it is connected."""

    __slots__ = (
        "_answer",
        "_body",
        "_complete",
        "_fed",
        "_headers",
        "_home",
        "_left",
        "_no_body",
        "_parser",
        "_quiet_bytes",
        "_reading_paused",
        "_reusable",
        "_state",
        "_writing_paused",
        "limit_at",
        "transport",
    )

    def __init__(self, home: Home) -> None:
        self._home = home
        self.transport: asyncio.Transport | None = None
        self.limit_at = inf
        self._answer: Answer | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._fed: list[bytes] = []
        self._body: Iterator[bytes | memoryview] | None = None
        self._state = _HEAD
        self._left = 0
        self._quiet_bytes = 0
        self._complete = self._no_body = self._reusable = False
        self._reading_paused = self._writing_paused = False

    # --- for the pool and the answer ---

    @property
    def usable(self) -> bool:
        """Connected, and nothing has come that was not asked for."""
        return self.transport is not None and not self.transport.is_closing()

    def begin(self, answer: Answer, written: bytes, body: Sequence[bytes], *, no_body: bool) -> None:
        """Sends a request whose answer this will be: what is written at once, and a large body piece by piece.

        From here on something may have been sent. `no_body`: the answer has none, whatever its head says.
        """
        transport = self.transport
        assert transport is not None
        self._answer, answer.connection = answer, self
        self._state, self._no_body = _HEAD, no_body
        self._quiet_bytes = 0
        answer.delivery.sent = True
        transport.write(written)
        if body:
            self._body = _pieces(body)
            self._write_on()

    def limit(self, limit_at: float) -> None:
        """What goes on now must be over by then."""
        self.limit_at = limit_at
        self._home.watch(limit_at)

    def limit_reached(self) -> None:
        """The time is over: of the wait that goes on, or of a connection that nobody has used for long."""
        if self._answer is None:
            self.abort()
        else:
            self.fail(self._answer.expired_limit())

    def read_on(self) -> None:
        """The reader has caught up."""
        if self._reading_paused and self.transport is not None and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    def fail(self, reason: Reason, detail: str = "") -> None:
        """Ends the exchange that goes on, if any, and closes at once."""
        answer, self._answer = self._answer, None
        self.abort()
        if answer is not None:
            answer.fail(reason, detail)

    def abort(self) -> None:
        """Closes at once, without a farewell: what waits to be written is dropped."""
        self._body = self._parser = None
        self._home.forget(self)
        if self.transport is not None:
            self.transport.abort()

    # --- from the transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._cut_off(type(exc).__name__ if exc else "")
        self._home.forget(self)

    def eof_received(self) -> None:
        if self._answer is not None and self._state == _TO_THE_END:
            self._reusable = False
            self._finish(self._answer)
        else:
            self._cut_off("")

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._write_on()

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.abort()
            return
        if self._state == _COUNTED:
            self._count(answer, data)
        elif self._state == _TO_THE_END:
            answer.feed(data)
        else:
            self._parse(answer, data)
        if self._answer is answer and answer.status:
            if answer.held_bytes > HELD_BYTES_MAX and not self._reading_paused:
                self._pause_reading()
            answer.wake()

    # --- from the parser ---

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Refused("there is more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._state == _HEAD:
            self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status >= 200:
            self._head_complete(status)
        elif status < 100 or status == 101:
            # We never ask for another protocol, and what follows has no end that we could see.
            raise _Refused("the provider switches protocols unasked" if status == 101 else "no such status")
        else:
            self._headers.clear()

    def on_body(self, body: bytes) -> None:
        if not self._no_body:
            self._fed.append(body)
        else:
            raise _Refused("a body where there is none")

    def on_message_complete(self) -> None:
        self._complete = self._state != _HEAD

    # --- inside ---

    def _parse(self, answer: Answer, data: bytes) -> None:
        """Reads a head, and chunks. What breaks the framing after the end of the answer harms only the connection."""
        broken = self._feed(data)
        if self._fed:
            self._quiet_bytes = 0
            answer.feed(self._fed[0] if len(self._fed) == 1 else b"".join(self._fed))
            self._fed.clear()
        if self._complete:
            self._reusable = self._reusable and not broken
            self._finish(answer)
        elif broken:
            self._break(broken)
        elif self._state == _COUNTED:
            assert answer.content_length is not None
            self._left = answer.content_length - answer.held_bytes
            self._parser = None
        elif self._quiet_bytes > HEAD_BYTES_MAX and self._state != _TO_THE_END:
            self._break("too long without a body")

    def _feed(self, data: bytes) -> str:
        """Feeds the parser. Says what it could not take, or ""."""
        if self._state == _HEAD and not self._quiet_bytes and data[0] != _FIRST_BYTE:
            return "not HTTP"
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._quiet_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            return str(exc.__context__ or exc) or type(exc).__name__
        return ""

    def _head_complete(self, status: int) -> None:
        """Decides how the body ends. Raises _Refused where that cannot be told."""
        answer, parser, headers = self._answer, self._parser, self._headers
        assert answer is not None
        assert parser is not None
        length, chunked, on_connection = _framing(headers)
        if len(headers) > HEADERS_MAX or (self._quiet_bytes > HEAD_BYTES_MAX and _size(headers) > HEAD_BYTES_MAX):
            raise _Refused("the head is too long")
        self._reusable = parser.should_keep_alive()
        if on_connection or not self._reusable:
            version = parser.get_http_version()
            if version not in {"1.1", "1.0"}:
                raise _Refused("not HTTP/1")
            # Of those that HTTP/1.0 means to keep, nobody knows what stands in between.
            self._reusable = self._reusable and version == "1.1"
        answer.status, answer.content_length, answer.raw_headers = status, length, tuple(headers)
        self._headers = []
        self._no_body = self._no_body or status in {204, 304}
        self._complete = self._no_body
        self._state = _CHUNKED if chunked else _TO_THE_END if length is None else _COUNTED

    def _count(self, answer: Answer, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._reusable = False
            data = data[: self._left]
        answer.feed(data)
        if self._left <= 0:
            self._finish(answer)

    def _finish(self, answer: Answer) -> None:
        """The answer is all here. The connection is free, unless its state is not known for certain."""
        transport = self.transport
        assert transport is not None
        self._answer, self._complete = None, False
        # A parser takes more memory than all else here, most of it while a provider draws; a new one costs little. Nor
        # can an old one be told of an answer to HEAD, behind which it waits for a body.
        self._parser = None
        uploaded = self._body is None and not transport.get_write_buffer_size()
        if self._reusable and uploaded and not transport.is_closing():
            if self._reading_paused:
                self.read_on()
            self._home.release(self)
        else:
            self.abort()
        answer.end()

    def _break(self, detail: str) -> None:
        has_head = self._answer is not None and self._answer.status
        self.fail(Reason.CUT if has_head else Reason.BAD_ANSWER, detail)

    def _cut_off(self, detail: str) -> None:
        has_head = self._answer is not None and self._answer.status
        self.fail(Reason.CUT if has_head else Reason.DISCONNECTED, detail)

    def _pause_reading(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _write_on(self) -> None:
        """Writes the body until the transport has enough of it."""
        body, transport = self._body, self.transport
        if body is None or transport is None:
            return
        left = BYTES_PER_TURN
        try:
            for piece in body:
                if transport.is_closing():
                    return
                transport.write(piece)
                left -= len(piece)
                if self._writing_paused:
                    return
                if left <= 0:
                    asyncio.get_running_loop().call_soon(self._write_on)
                    return
        except (OSError, ValueError) as exc:  # ValueError: it was released meanwhile
            self._cut_short(f"the body could not be read: {type(exc).__name__}")
        self._body = None

    def _cut_short(self, detail: str) -> None:
        """A body that may be on disk is not there as it was. Of the length that was stated a part is missing, so no
        provider has a request that it could carry out, unless it has answered to what it has."""
        if self._answer is not None and not self._answer.status:
            self._answer.delivery.sent = False
        self.fail(Reason.UNSENDABLE, detail)


def _framing(headers: Sequence[tuple[bytes, bytes]]) -> tuple[int | None, bool, bool]:
    """The stated length, whether the body is chunked, and whether something is said about the connection.

    Raises _Refused for a coding whose end nobody here finds.
    """
    length, chunked, connection = None, False, False
    for name, value in headers:
        match name.lower() if len(name) in _TELLING_LENGTHS else b"":
            case b"content-length":
                length = int(value)
            case b"transfer-encoding":
                if chunked or value.lower() != b"chunked":
                    raise _Refused("the transfer coding is not chunked")
                chunked = True
            case b"connection":
                connection = True
    return length, chunked, connection


def _size(headers: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _pieces(chunks: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """The same bytes in pieces of at most PIECE_BYTES, without copying them; then nobody needs them any more."""
    for chunk in chunks:
        if len(chunk) <= PIECE_BYTES:
            yield chunk
            continue
        view = memoryview(chunk)
        for start in range(0, len(view), PIECE_BYTES):
            yield view[start : start + PIECE_BYTES]
    # All of it is sent: what a file says as it is closed does not take that back.
    with suppress(OSError):
        release(chunks)
