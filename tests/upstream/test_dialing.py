"""Names with several addresses, and look-ups that are shared."""

import asyncio
import socket

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.dialing import DialError, Dialing
from gatekeeper.upstream.failure import Reason
from gatekeeper.upstream.target import Place

LIVE, DEAD, SILENT, SLOW = (("127.0.0.1", port) for port in range(1, 5))
V6 = ("::1", 1, 0, 0)


class Loop:
    """The running loop, with a name service and a network of the test's own."""

    def __init__(self, *found):
        self._loop = asyncio.get_running_loop()
        self.found = found
        self.looked_up, self.tried, self.made = 0, [], []
        self.slow, self.two_tried = asyncio.Event(), asyncio.Event()
        self.answered = asyncio.Event()
        self.answered.set()
        self.refused = asyncio.Event()
        self.now = 100.0

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def time(self):
        return self.now

    async def getaddrinfo(self, host, port, **_):
        self.looked_up += 1
        await self.answered.wait()
        if not self.found:
            raise socket.gaierror(-2, "Name or service not known")
        families = [socket.AF_INET6 if len(each) == 4 else socket.AF_INET for each in self.found]
        return [(family, 1, 6, "", each) for family, each in zip(families, self.found, strict=True)]

    async def sock_connect(self, raw, where):
        self.tried.append(where)
        self.made.append(raw)
        if len(self.made) == 2:
            self.two_tried.set()
        if where == SLOW:
            await self.slow.wait()
        if where == SILENT:
            await asyncio.Event().wait()
        if where == DEAD:
            self.refused.set()
            raise ConnectionRefusedError(111, "refused")

    async def create_connection(self, factory, *_, sock=None, **__):
        if sock is not None:
            sock.close()
        return None, factory()


def place(tls=False):
    return Place("provider.example", 80, tls, "provider.example")


async def dial(loop, dialing=None):
    await (dialing or Dialing(loop, None)).dial(object(), place())


async def test_next_address_after_a_failure():
    """An address that fails is followed by the next at once."""
    loop = Loop(DEAD, LIVE)

    await dial(loop)

    assert [DEAD, LIVE] == loop.tried


async def test_next_address_after_a_moment():
    """An address that does not answer is followed by the next after a moment, and given up when that one answers."""
    loop = Loop(SILENT, LIVE)

    await asyncio.wait_for(dial(loop), 5)

    assert [SILENT, LIVE] == loop.tried


async def test_of_two_that_answer_in_the_same_moment_one_is_closed():
    """No connection is left over when the first address answers just as the second does."""
    loop = Loop(SLOW, SLOW)
    dialing = asyncio.create_task(dial(loop))
    await loop.two_tried.wait()
    loop.slow.set()
    await dialing
    await asyncio.sleep(0)

    assert [-1, -1] == [raw.fileno() for raw in loop.made]


async def test_no_address_answers():
    """When every address fails, the last failure is told."""
    with pytest.raises(DialError) as caught:
        await dial(Loop(DEAD, DEAD))

    assert (Reason.REFUSED, None) == (caught.value.reason, caught.value.__context__)


async def test_failure_while_another_is_tried():
    """An address that failed does not end the wait for one that has not answered yet."""
    loop = Loop(SILENT, DEAD)
    task = asyncio.create_task(dial(loop))
    await loop.refused.wait()
    for _ in range(10):
        await asyncio.sleep(0)

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_families_take_turns():
    """Of many addresses of one family in a row the other family is not the last."""
    loop = Loop(DEAD, DEAD, V6)

    await dial(loop)

    assert [DEAD, V6] == loop.tried


async def test_a_look_up_is_shared():
    """Many who need the same name at once ask once; one who goes away does not end it for the others."""
    loop = Loop(LIVE)
    loop.answered.clear()
    dialing = Dialing(loop, None)
    tasks = [asyncio.create_task(dial(loop, dialing)) for _ in range(3)]
    await asyncio.sleep(0)

    tasks[0].cancel()
    loop.answered.set()
    await asyncio.gather(*tasks[1:])

    assert 1 == loop.looked_up


async def test_a_name_is_kept_for_a_while():
    """A name is asked for again when ten seconds are over."""
    loop = Loop(LIVE)
    dialing = Dialing(loop, None)
    for now in (100.0, 109.9, 110.1):
        loop.now = now
        await dial(loop, dialing)

    assert 2 == loop.looked_up


async def test_a_failed_look_up_is_not_kept():
    """A name that could not be found is asked for again."""
    loop = Loop()
    dialing = Dialing(loop, None)
    for _ in range(2):
        with pytest.raises(DialError) as caught:
            await dial(loop, dialing)
        assert Reason.DNS == caught.value.reason

    assert 2 == loop.looked_up


async def test_a_look_up_that_failed_when_nobody_waited_is_not_kept():
    """All who asked went away before it failed: the next one asks anew, and gets the address."""
    loop = Loop()
    loop.answered.clear()
    dialing = Dialing(loop, None)
    gone = asyncio.create_task(dial(loop, dialing))
    await asyncio.sleep(0)
    gone.cancel()
    loop.answered.set()
    for _ in range(10):
        await asyncio.sleep(0)

    loop.found = (LIVE,)
    await dial(loop, dialing)

    assert 2 == loop.looked_up


async def test_localhost(provider, ask, read):
    """A name that leads to several addresses reaches the one that listens."""

    async def script(peer):
        await peer.request()
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = await provider(script)
    async with Upstream() as upstream:
        assert b"ok" == await read(await upstream.send(ask(f"http://localhost:{server.port}/")))
