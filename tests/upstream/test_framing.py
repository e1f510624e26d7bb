"""Where an answer ends, and that nothing else is taken for it: every shape that two readers might read differently."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeeper.upstream.connection import HEAD_BYTES_MAX, HEADERS_MAX
from tests.cases import each_case
from tests.upstream.wire import Wire, outcome

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"X-A: b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
TO_THE_END = b"HTTP/1.0 200 OK\r\n\r\nhello"
INTERIM = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"

BAD_HEADS = {
    "length and coding": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "coding and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "the same length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "a list of lengths": b"Content-Length: 5, 5\r\n",
    "a signed length": b"Content-Length: +5\r\n",
    "a negative length": b"Content-Length: -5\r\n",
    "a length in hexadecimal": b"Content-Length: 0x5\r\n",
    "a length with a space inside": b"Content-Length: 1 0\r\n",
    "no length after the name": b"Content-Length: \r\n",
    "a length beyond 64 bits": b"Content-Length: 18446744073709551621\r\n",
    "a coding that is not ours to undo": b"Transfer-Encoding: gzip\r\n",
    "two codings": b"Transfer-Encoding: gzip, chunked\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked, but not last": b"Transfer-Encoding: chunked, identity\r\n",
    "the word for no coding": b"Transfer-Encoding: identity\r\n",
    "nearly chunked": b"Transfer-Encoding: xchunked\r\n",
    "a vertical tab before chunked": b"Transfer-Encoding: \x0bchunked\r\n",
    "a bare line feed": b"X-A: b\nContent-Length: 5\r\n",
    "a bare carriage return": b"X-A: b\rContent-Length: 5\r\n",
    "a folded line": b"X-A: b\r\n c\r\nContent-Length: 5\r\n",
    "a folded first line": b" X-A: b\r\nContent-Length: 5\r\n",
    "a zero byte in a value": b"X-A: b\x00c\r\nContent-Length: 5\r\n",
    "a zero byte in a name": b"X\x00A: b\r\nContent-Length: 5\r\n",
    "a space before the colon": b"Content-Length : 5\r\n",
    "no colon": b"Content-Length\r\n",
    "no name": b": 5\r\n",
    "a name outside of ASCII": b"X-\xc3\xa4: b\r\nContent-Length: 5\r\n",
}

BAD_CHUNKS = {
    "a signed size": b"-2\r\nlo\r\n0\r\n\r\n",
    "a size with 0x": b"0x2\r\nlo\r\n0\r\n\r\n",
    "no size": b"\r\nlo\r\n0\r\n\r\n",
    "a space after the size": b"2 \r\nlo\r\n0\r\n\r\n",
    "a space before the size": b" 2\r\nlo\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"10000000000000002\r\nlo\r\n0\r\n\r\n",
    "a bare line feed after the size": b"2\nlo\r\n0\r\n\r\n",
    "more than the size": b"1\r\nlo\r\n0\r\n\r\n",
    "a bare line feed in an extension": b"2;a\nb\r\nlo\r\n0\r\n\r\n",
    "an open quote in an extension": b'2;a="b\r\nlo\r\n0\r\n\r\n',
    "a length among the trailers": b"2\r\nlo\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a folded trailer": b"2\r\nlo\r\n0\r\nA: b\r\n c\r\n\r\n",
}


@each_case("lines", BAD_HEADS.values(), BAD_HEADS)
async def test_ambiguous_head(lines):
    """A head that two readers might read differently is no answer, and its connection is closed."""
    seen = await outcome(OK + lines + b"\r\nhello")

    assert (0, b"", "bad_answer", False) == (seen.status, seen.body, seen.failure, seen.reused)


@each_case(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/0.9 200 OK",
        b"HTTP/1.2 200 OK",
        b"RTSP/1.0 200 OK",
        b"\r\nHTTP/1.1 200 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1  200 OK",
        b"http/1.1 200 OK",
        b"POST / HTTP/1.1",
    ],
)
async def test_no_status_line(line):
    """What begins in another way than HTTP/1 has it is no answer."""
    assert "bad_answer" == (await outcome(line + b"\r\nContent-Length: 5\r\n\r\nhello")).failure


@each_case("line", [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 999 \xe9", b"HTTP/1.0 200 OK"])
async def test_odd_status_lines(line):
    """No reason, one outside of ASCII and a status of one's own invention are answers all the same."""
    assert (b"hello", "") == ((seen := await outcome(line + b"\r\nContent-Length: 5\r\n\r\nhello")).body, seen.failure)


@each_case("chunk", BAD_CHUNKS.values(), BAD_CHUNKS)
async def test_ambiguous_chunk(chunk):
    """A chunk that two readers might read differently cuts the answer there; what came before it is handed over."""
    seen = await outcome(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", chunk)

    assert (200, "cut", False) == (seen.status, seen.failure, seen.reused)
    assert seen.body.startswith(b"hel")


@each_case("text", [COUNTED, CHUNKED, OK + b"Content-Length: 0\r\n\r\n"], ["counted", "chunked", "empty"])
@each_case("more", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", b"HTTP/1.1 200 OK\r\n"])
async def test_more_than_the_answer(text, more):
    """Bytes after the end of an answer leave it whole, are nobody's answer, and cost the connection."""
    for pieces in ([text + more], [text[:-1], text[-1:] + more], [text, more]):
        wire = Wire()
        wire.feed(*pieces)

        assert wire.transport.closed
        assert ("", len((await outcome(text)).body)) == ((seen := await wire.seen()).failure, len(seen.body))


@each_case("text", [b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 304 No\r\n\r\nhello"])
async def test_body_where_there_is_none(text):
    """204 and 304 have no body: what comes as one is nobody's, and costs the connection."""
    seen = await outcome(text)

    assert (b"", "", False) == (seen.body, seen.failure, seen.reused)


@each_case("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
async def test_head_has_no_body(framing):
    """The answer to HEAD ends with its head, and one that comes after it on the same connection is read as ever."""
    wire = Wire("HEAD")
    wire.feed(OK + framing + b"\r\n\r\n")
    assert (200, b"", "", True) == ((seen := await wire.seen()).status, seen.body, seen.failure, seen.reused)

    wire.ask()
    wire.feed(COUNTED)

    assert (b"hello", "", True) == ((seen := await wire.seen()).body, seen.failure, seen.reused)


async def test_body_after_head():
    """The answer to HEAD with a body behind it costs the connection."""
    seen = await outcome(COUNTED, method="HEAD")

    assert (200, b"", "", False) == (seen.status, seen.body, seen.failure, seen.reused)


@each_case(
    "head",
    [
        OK + b"Connection: close\r\n",
        OK + b"Connection: x, CLOSE\r\n",
        OK + b"connection: x\r\nConnection: close\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n",
    ],
)
async def test_not_kept(head):
    """A connection that the provider means to close, or that speaks HTTP/1.0, is not used again."""
    seen = await outcome(head + b"Content-Length: 5\r\n\r\nhello")

    assert (b"hello", "", False) == (seen.body, seen.failure, seen.reused)


@each_case(
    "head",
    [
        OK + b"X: " + b"x" * HEAD_BYTES_MAX + b"\r\n",
        OK + b"X" * HEAD_BYTES_MAX + b": x\r\n",
        b"HTTP/1.1 200 " + b"x" * 2 * HEAD_BYTES_MAX + b"\r\n",
        OK + (b"X: " + b"x" * 1000 + b"\r\n") * 40,
        OK + b"X: x\r\n" * (HEADERS_MAX + 1),
        INTERIM * 2000,
    ],
    ["value", "name", "reason", "lines", "headers", "interim"],
)
@each_case("step", [100, 10_000_000])
async def test_endless_head(head, step):
    """A head is read only so far, whether it comes at once or in drops."""
    wire = Wire()
    wire.feed(*(head[at : at + step] for at in range(0, len(head), step)))
    if not wire.transport.closed:
        # All of it in one read, with a reason that nobody keeps: then its end decides.
        wire.feed(b"Content-Length: 2\r\n\r\nok")

    assert ("bad_answer", True) == ((await wire.seen()).failure, wire.transport.closed)


@each_case("quiet", [b"0\r\n" + b"A: " + b"x" * 2_000_000, b"1;" + b"x" * 2_000_000, b"0" * 2_000_000], range(3))
async def test_endless_framing(quiet):
    """Trailers, extensions and sizes without end do not keep a connection busy, nor fill the memory."""
    wire = Wire()
    wire.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n")
    fed = 0
    while not wire.transport.closed:
        wire.feed(quiet[fed : fed + 1000])
        fed += 1000

    assert fed <= HEAD_BYTES_MAX + 1000
    assert (b"hel", "cut") == ((seen := await wire.seen()).body, seen.failure)


async def test_trailers_are_no_headers():
    """What comes after a chunked body does not join the headers, however it is named."""
    seen = await outcome(CHUNKED)

    assert (((b"Transfer-Encoding", b"chunked"),), b"hello", True) == (seen.headers, seen.body, seen.reused)


async def test_space_around_a_value():
    """Space before and after a value is no part of it; what is inside stays."""
    seen = await outcome(OK + b"A: \t b \t c \t \r\nB:\r\nContent-Length: 5 \r\n\r\nhello")

    assert ((b"A", b"b \t c"), (b"B", b""), (b"Content-Length", b"5")) == seen.headers


@pytest.mark.parametrize("text", [COUNTED, CHUNKED, INTERIM + COUNTED], ids=["counted", "chunked", "interim"])
async def test_cut_at_every_byte(text):
    """An answer cut anywhere is told from a whole one: before the head's end there was none, then it was cut."""
    head_at = text.index(b"200 OK")
    head_end = text.index(b"\r\n\r\n", head_at) + 4
    for at in range(len(text)):
        seen = await outcome(text[:at])
        expected = (0, "disconnected", False) if at < head_end else (200, "cut", False)
        assert expected == (seen.status, seen.failure, seen.reused), at
        assert b"hello".startswith(seen.body)


@pytest.mark.parametrize("text", [COUNTED, CHUNKED, TO_THE_END, INTERIM + COUNTED])
async def test_split_at_every_byte(text):
    """An answer reads the same wherever the network cuts it into pieces."""
    expected = await outcome(text)
    assert (200, b"hello", "") == (expected.status, expected.body, expected.failure)

    for at in range(len(text)):
        assert expected == await outcome(text[:at], text[at:]), at
    assert expected == await outcome(*(text[at : at + 1] for at in range(len(text))))


async def test_end_of_an_answer_without_length():
    """An answer that ends with its connection is whole only if the provider says that it ends."""
    wire = Wire()
    wire.feed(TO_THE_END)

    wire.connection.connection_lost(ConnectionResetError())

    assert (b"hello", "cut") == ((seen := await wire.seen()).body, seen.failure)


PARTS = st.one_of(
    st.sampled_from([COUNTED, CHUNKED, TO_THE_END, INTERIM, OK]),
    st.sampled_from([b"HTTP/1.1 101 X\r\n\r\n", b"HTTP/1.1 204 X\r\n\r\n", b"HTTP/1.0 200 OK\r\n"]),
    st.sampled_from([b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"X-A: b\r\n"]),
    st.sampled_from([b"Connection: upgrade\r\nUpgrade: x\r\n", b"Connection: keep-alive\r\n"]),
    st.sampled_from(
        [b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff\r\n", b"1", b"\r\n", b"\n", b"\r", b":", b" "]
    ),
    st.binary(max_size=20),
)


@given(
    parts=st.lists(PARTS, max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    method=st.sampled_from(["GET", "HEAD"]),
)
@example(parts=[COUNTED, COUNTED], cuts=[3], method="HEAD")
async def test_any_bytes_in_any_pieces(parts, cuts, method):
    """Whatever comes, in whatever pieces: an answer or an UpstreamError, and the same one however it is cut."""
    text = b"".join(parts)
    at = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    pieces = [text[start:end] for start, end in pairwise(at)]

    once, often = await outcome(text, method=method), await outcome(*pieces, method=method)

    assert (once.status, once.headers, once.body, once.failure) == (
        often.status,
        often.headers,
        often.body,
        often.failure,
    )
    assert once.failure in {"", "bad_answer", "cut", "disconnected"}
    assert not once.reused or not once.failure


@given(parts=st.lists(PARTS, max_size=12))
async def test_what_is_reused_is_clean(parts):
    """After a connection was given back, the next answer on it is read exactly."""
    wire = Wire()
    wire.feed(b"".join(parts))

    if wire.home.released and not wire.transport.closed:
        wire.ask()
        wire.feed(COUNTED)
        assert (200, b"hello", "") == ((seen := await wire.seen()).status, seen.body, seen.failure)
