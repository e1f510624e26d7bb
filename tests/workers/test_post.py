"""One worker's post: how who had it ends, and when the next one comes. The workers are played by the tests."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gatekeeper.app import Seat
from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.metrics import Metrics
from gatekeeper.settings import load_settings
from gatekeeper.workers import post as post_module
from gatekeeper.workers.channel import (
    Channel,
    Farewell,
    Message,
    NewCatalog,
    OwnFigures,
    Ready,
    Reloaded,
    Start,
    open_channel,
    start_for,
)
from gatekeeper.workers.figures import figures_of
from gatekeeper.workers.post import Post

ROOT = Path(__file__).parents[2]
SETTINGS = load_settings(None)


class FakeProcess:
    """A process that ends when it is killed, or when it closes its end of the channel."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended = asyncio.Event()

    def end(self, code: int) -> None:
        if self.returncode is None:
            self.returncode = code
            self.ended.set()

    def terminate(self) -> None:
        """The tests end it when they are done with it."""

    def kill(self) -> None:
        self.end(-signal.SIGKILL)

    async def wait(self) -> int:
        await self.ended.wait()
        assert self.returncode is not None
        return self.returncode


class FakeWorker:
    """A worker's end of the channel, and its process. It says what a test has it say."""

    def __init__(self, number: int, channel: Channel) -> None:
        self.process, self.channel = FakeProcess(number), channel

    async def begin(self) -> None:
        assert isinstance(await self.channel.receive(), Start)
        await self.channel.send(Ready())

    async def heard(self, kind: type[Message]) -> Message:
        """The next message of this kind."""
        while message := await self.channel.receive():
            if isinstance(message, kind):
                return message
        raise AssertionError("the leader has nothing to say any more")

    def end(self, code: int) -> None:
        """Its process is gone, and its end of the channel with it."""
        self.process.end(code)
        self.channel.close()


class Scene:
    """A post and those who had it, in order."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.workers: list[FakeWorker] = []
        self.died: list[str] = []
        self.abandoned: list[int] = []
        self.spawned_s: list[float] = []
        self.news = asyncio.Event()
        self.post = Post(
            1, self.start, on_ready=self.news.set, on_died=self.hear_died, on_gone=lambda _: None, spawn=self.spawn
        )

    def start(self, number: int) -> Start:
        return start_for(SETTINGS, self.catalog, Seat(number, 1), (), Path("lock"))

    def hear_died(self, early: int, reason: str) -> None:
        self.died.append(reason)
        self.abandoned.append(self.post.abandoned)
        self.news.set()

    async def spawn(self, number: int) -> tuple[FakeProcess, Channel]:
        ours, theirs = socket.socketpair()
        worker = FakeWorker(number, await open_channel(theirs))
        self.workers.append(worker)
        self.spawned_s.append(asyncio.get_running_loop().time())
        self.news.set()
        return worker.process, await open_channel(ours)

    async def until(self, done: Callable[[], bool]) -> None:
        """Waits until something that happens here has made this true."""
        async with asyncio.timeout(10):
            while not done():
                self.news.clear()
                await self.news.wait()

    async def worker(self, number: int) -> FakeWorker:
        """The so manieth that has the post, when it accepts requests."""
        await self.until(lambda: len(self.workers) >= number)
        worker = self.workers[number - 1]
        await worker.begin()
        await self.until(lambda: self.post.accepting)
        return worker


def a_catalog(*names: str) -> Catalog:
    """Of these files of the shipped one."""
    return load_catalog([ROOT / "config" / "catalog" / f"{name}.yaml" for name in names])


@asynccontextmanager
async def kept_post() -> AsyncIterator[Scene]:
    """A post that is kept inside the block."""
    scene = Scene(a_catalog("google"))
    keeping = asyncio.get_running_loop().create_task(scene.post.keep())
    try:
        yield scene
    finally:
        scene.post.stop()
        for worker in scene.workers:
            worker.end(0)
        await keeping


async def test_a_reload_does_not_wait_for_a_worker_that_dies_meanwhile() -> None:
    """The next one starts with the new catalog, so nothing has gone wrong."""
    async with kept_post() as scene:
        first = await scene.worker(1)
        scene.catalog = a_catalog("google", "openai")
        reloading = asyncio.ensure_future(scene.post.reload(scene.catalog, within_s=50))
        await first.heard(NewCatalog)
        first.end(-signal.SIGKILL)

        assert "" == await asyncio.wait_for(reloading, 10)


async def test_a_reload_waits_until_the_worker_serves_that_catalog() -> None:
    """An answer about an earlier one is no answer to it."""
    async with kept_post() as scene:
        first = await scene.worker(1)
        early, scene.catalog = scene.catalog, a_catalog("google", "openai")
        reloading = asyncio.ensure_future(scene.post.reload(scene.catalog, within_s=50))
        await first.heard(NewCatalog)
        await first.channel.send(Reloaded(early.digest))
        done, _ = await asyncio.wait([reloading], timeout=0.05)
        await first.channel.send(Reloaded(scene.catalog.digest))

        assert (set(), "") == (done, await asyncio.wait_for(reloading, 10))


async def test_a_reload_of_the_same_catalog_waits_too() -> None:
    """A certificate may have been renewed with it, and whoever is told that all is well sees the new one."""
    async with kept_post() as scene:
        first = await scene.worker(1)
        for _ in range(2):
            reloading = asyncio.ensure_future(scene.post.reload(scene.catalog, within_s=50))
            await first.heard(NewCatalog)
            done, _ = await asyncio.wait([reloading], timeout=0.05)
            await first.channel.send(Reloaded(scene.catalog.digest))
            await asyncio.wait_for(reloading, 10)

        assert set() == done


async def test_what_a_killed_worker_had_in_flight_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not say so itself; what it told last counts, and not for the one that follows."""
    monkeypatch.setattr(post_module, "AGAIN_LEAST_S", 0.0)
    metrics = Metrics()
    metrics.admitted("openai", "gpt-image", 1)
    metrics.admitted("openai", "gpt-image", 1)
    async with kept_post() as scene:
        first = await scene.worker(1)
        await first.channel.send(OwnFigures(figures_of(metrics.families())))
        first.end(-signal.SIGKILL)
        await scene.worker(2)

        assert ([2], 0) == (scene.abandoned, scene.post.abandoned)


async def test_one_that_ends_in_order_soon_after_its_start_is_followed_after_a_pause() -> None:
    """Whatever tells workers to end as soon as they serve does not make the leader start processes without end."""
    async with kept_post() as scene:
        first = await scene.worker(1)
        ended_s = asyncio.get_running_loop().time()
        await first.channel.send(Farewell(0))
        first.end(0)
        await scene.worker(2)

        assert scene.spawned_s[1] - ended_s >= 0.9 * post_module.AGAIN_LEAST_S
        assert [] == scene.died


async def test_one_that_says_nothing_for_long_is_killed_and_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is there and its port open, and nobody is served by it."""
    monkeypatch.setattr(post_module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(post_module, "AGAIN_LEAST_S", 0.0)
    async with kept_post() as scene:
        first = await scene.worker(1)
        await asyncio.wait_for(first.process.ended.wait(), 10)
        first.channel.close()  # as the system does for a process that is gone
        await scene.until(lambda: len(scene.workers) == 2)

    assert -signal.SIGKILL == first.process.returncode
    assert "worker 1: it had said nothing for 0 s and was killed" == scene.died[0]
