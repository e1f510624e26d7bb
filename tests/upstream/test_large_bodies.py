"""Bodies that are read as they are sent: let go when they are, and no request where they cannot be read."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gatekeeper.core.pieces import Pieces, Spliced
from gatekeeper.upstream.failure import NeverSent, OutcomeUnknown, Reason
from gatekeeper.upstream.messages import Delivery

KB = 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class OnDisk(Pieces):
    """So many pieces of 64 KiB; from one of them on the disk does not give them back."""

    def __init__(self, count: int, broken_from: int | None = None) -> None:
        self.count, self.broken_from = count, broken_from
        self.released = asyncio.Event()

    @property
    def size_bytes(self) -> int:
        return self.count * 64 * KB

    def release(self) -> None:
        self.released.set()

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self.count):
            if number == self.broken_from:
                raise OSError("unreadable")
            yield bytes([number % 256]) * 64 * KB


@pytest.mark.parametrize("count", [1, 2, 100])
async def test_a_body_is_let_go_when_it_is_sent(upstream, provider, ask, read, count):
    """Before there is an answer, and all of it has arrived as it was; the request is empty then."""
    body, received, answer_now = OnDisk(count), bytearray(), asyncio.Event()

    async def script(peer):
        await peer.head()
        while len(received) < body.size_bytes:
            received.extend(await peer.reader.read(65536))
        await answer_now.wait()
        await peer.answer(OK)
        await peer.until_closed()

    server = await provider(script)
    request = ask(server.url, body=Spliced(body, 0, 3, b"new"))
    sending = asyncio.create_task(upstream.send(request))
    await asyncio.wait_for(body.released.wait(), 10)
    answer_now.set()

    assert b"ok" == await read(await sending)
    assert b"new" + b"".join(body)[3:] == bytes(received)
    assert ((), ()) == (request.headers, request.body)


class FailsAtItsClose(OnDisk):
    """Its disk gives it back, and tells of an error when it is let go."""

    def release(self) -> None:
        super().release()
        raise OSError("unwell")


async def test_a_body_that_was_sent_is_sent_whatever_its_file_says_then(upstream, provider, ask, read):
    """The provider has all of it: an error at the close of the file takes nothing back, and the answer is read."""
    body = FailsAtItsClose(3)

    async def script(peer):
        await peer.head()
        await peer.reader.readexactly(body.size_bytes)
        await peer.answer(OK)
        await peer.until_closed()

    server = await provider(script)
    answer = await upstream.send(ask(server.url, body=body), delivery := Delivery())

    assert (b"ok", True) == (await read(answer), delivery.sent)


@pytest.mark.parametrize("broken_from", [0, 3, 60])
async def test_a_body_that_cannot_be_read_ends_the_request(upstream, provider, ask, broken_from):
    """The connection is closed short of the length that was stated: no provider has a request, so nothing was sent."""
    ended = asyncio.Event()

    async def script(peer):
        await peer.head()
        with suppress(ConnectionError):
            while await peer.reader.read(65536):
                pass
        ended.set()

    server = await provider(script)

    with pytest.raises(NeverSent) as failed:
        await upstream.send(ask(server.url, body=OnDisk(100, broken_from)), delivery := Delivery())

    assert (Reason.UNSENDABLE, False) == (failed.value.reason, delivery.sent)
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_body_that_breaks_behind_an_answer_may_have_been_enough(upstream, provider, ask, read):
    """A provider that answers to what it has so far may have done something: nobody can say that nothing was sent."""
    read_on = asyncio.Event()

    async def script(peer):
        await peer.head()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        await read_on.wait()
        await peer.until_closed()

    server = await provider(script)
    delivery = Delivery()
    answer = await upstream.send(ask(server.url, body=OnDisk(1000, 999)), delivery)
    read_on.set()

    with pytest.raises(OutcomeUnknown):
        await read(answer)
    assert delivery.sent
