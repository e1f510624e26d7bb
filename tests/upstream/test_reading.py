"""What a reader gets of an answer that is there already, and of one that comes faster than it reads."""

from gatekeeper.core.pieces import PIECE_BYTES
from gatekeeper.upstream.answer import HELD_BYTES_MAX, READ_BYTES_MAX
from tests.upstream.wire import Wire

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_whole():
    """A body that is all here is given at once, as often as asked, and to whoever reads in pieces too."""
    wire = Wire()
    wire.feed(COUNTED[:-2], COUNTED[-2:])

    assert (b"hello", b"hello") == (wire.answer.whole(), wire.answer.whole())
    assert b"hello" == (await wire.seen()).body


async def test_whole_of_nothing():
    """An answer without a body is there at once: it is empty, which is not the same as not there."""
    wire = Wire()
    wire.feed(b"HTTP/1.1 204 No\r\n\r\n")

    assert b"" == wire.answer.whole()


async def test_whole_comes_later():
    """A body of which the end is missing is not there yet, however short the rest is."""
    wire = Wire()
    wire.feed(COUNTED[:-1])
    assert None is wire.answer.whole()

    wire.feed(COUNTED[-1:])

    assert b"hello" == wire.answer.whole()


async def test_whole_of_a_cut_answer():
    """What was cut is never whole: who reads it learns that it broke."""
    wire = Wire()
    wire.feed(COUNTED[:-1])
    wire.end()

    assert None is wire.answer.whole()
    assert (b"hell", "cut") == ((seen := await wire.seen()).body, seen.failure)


async def test_whole_after_a_piece():
    """Of a body that is being read in pieces nobody gets the whole."""
    wire = Wire()
    wire.feed(COUNTED)

    assert b"hello" == await anext(wire.answer.chunks())

    assert None is wire.answer.whole()


async def test_pieces_of_what_is_held():
    """What waits is handed over in its order, in pieces of at most READ_BYTES_MAX, however it came."""
    body = bytes(range(256)) * 4000
    wire = Wire()
    wire.feed(OK + b"Content-Length: %d\r\n\r\n" % len(body), body[:10], body[10:700_000], body[700_000:])

    pieces = [piece async for piece in wire.answer.chunks()]

    assert body == b"".join(pieces)
    assert max(map(len, pieces)) <= READ_BYTES_MAX


async def test_small_chunks_are_joined():
    """Chunks of a byte each do not become pieces of a byte each."""
    wire = Wire()
    wire.feed(CHUNKED + b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n")

    assert [b"x" * 1000] == [piece async for piece in wire.answer.chunks()]


async def test_slow_reader_stops_the_provider():
    """Reading stops once enough is held, and goes on when the reader has caught up."""
    wire = Wire()
    wire.feed(OK + b"Content-Length: %d\r\n\r\n" % (4 * HELD_BYTES_MAX), *[bytes(PIECE_BYTES)] * 2)
    assert wire.transport.reading
    wire.feed(b"x")
    assert not wire.transport.reading
    pieces = wire.answer.chunks()

    await anext(pieces)
    assert not wire.transport.reading
    await anext(pieces)

    assert wire.transport.reading


async def test_end_while_the_provider_waits():
    """A connection whose answer ended while reading was stopped reads again: its next owner, or its end, needs it."""
    wire = Wire()
    wire.feed(OK + b"Content-Length: %d\r\n\r\n" % (2 * HELD_BYTES_MAX), bytes(HELD_BYTES_MAX + 1))
    assert not wire.transport.reading

    wire.feed(bytes(HELD_BYTES_MAX - 1))

    assert (True, 1) == (wire.transport.reading, wire.home.released)


async def test_the_limits_rest_while_nobody_waits():
    """A connection has a limit while somebody waits for something of it, and none from when it is there."""
    wire = Wire()
    news = wire.answer.news(5.0)
    assert 5.0 == wire.connection.limit_at

    wire.feed(COUNTED[:-1])

    assert (True, float("inf")) == (news.done(), wire.connection.limit_at)
