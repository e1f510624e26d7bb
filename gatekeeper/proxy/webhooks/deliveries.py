"""Carries events to the callers that asked for them, again and again until they are taken or a day is over.

What is on disk survives the process; the next one goes on with it. An event is marked as done when its receiver has
said 2xx, so one that was taken just before a crash may come once more, under the same id.
"""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from gatekeeper.clock import Clock
from gatekeeper.logs import emit
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.webhooks.calling import GONE, Called, Caller
from gatekeeper.proxy.webhooks.keys import team_secret
from gatekeeper.proxy.webhooks.letters import Letter, LetterBox
from gatekeeper.proxy.webhooks.signatures import standard_headers
from gatekeeper.webhookevents import WebhookDelivered, WebhookFailed

TIDY_EVERY_S: Final = 3600
"""Old marks are looked for so often, and what others have left."""

LOOK_AGAIN_S: Final = 30
"""A letter that cannot be read or marked now, or is in other hands, is looked at again so much later."""

AT_ONCE_PER_HOST: Final = 4
"""Calls of one receiver at a time: a slow one must not hold up all others, nor be run over when it is back."""

GROWTH: Final = 0.5
"""The next try comes after half as long as the event has waited: 5 s, then ever more slowly, about 20 tries a day."""

JITTER: Final = 0.1
"""Tries of events that failed together drift apart."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long it is tried, in seconds."""

    retry_min_s: float
    retry_max_s: float
    give_up_after_s: float
    at_once: int


class _Turns:
    """Who may call which receiver: so many at once, the others in their order."""

    def __init__(self) -> None:
        self._calling: dict[str, int] = {}
        self._waiting: dict[str, deque[str]] = {}

    def take(self, host: str, name: str) -> bool:
        """Whether this letter may go now; if not, a later `give_back` names it."""
        if self._calling.get(host, 0) >= AT_ONCE_PER_HOST:
            self._waiting.setdefault(host, deque()).append(name)
            return False
        self._calling[host] = self._calling.get(host, 0) + 1
        return True

    def give_back(self, host: str) -> str | None:
        """A call has ended: the letter that waited longest, if one did."""
        self._calling[host] -= 1
        if not self._calling[host]:
            del self._calling[host]
        return self._next(host)

    def left_over(self) -> list[str]:
        """Letters that wait although their receiver is free: whoever was to follow has gone elsewhere."""
        free = [host for host in self._waiting if self._calling.get(host, 0) < AT_ONCE_PER_HOST]
        found = (self._next(host) for host in free)
        return [name for name in found if name is not None]

    def _next(self, host: str) -> str | None:
        queue = self._waiting.get(host)
        if not queue:
            return None
        name = queue.popleft()
        if not queue:
            del self._waiting[host]
        return name


OnAlert = Callable[[Letter, Called, str, float], Awaitable[None]]
"""Hears of an attempt: the letter, how the call went, `delivered`, `retried` or `failed`, and its age in seconds."""


async def _untold(_: Letter, __: Called, ___: str, ____: float) -> None:
    """Nobody wants to hear of alerts."""


class Deliveries:
    """The deliveries of one process. `secret` is the store's, from which a team's own is derived. `on_alert` hears how
    each attempt to deliver an alert ended, instead of the log."""

    def __init__(  # every argument is a part that is wired in
        self,
        box: LetterBox,
        caller: Caller,
        patience: Patience,
        secret: str,
        clock: Clock,
        metrics: Metrics,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._box = box
        self._caller = caller
        self._patience = patience
        self._secret = secret
        self._clock = clock
        self._metrics = metrics
        self._on_error = on_error
        self._due: list[tuple[float, str]] = []
        self._arrived = asyncio.Event()
        self._free = asyncio.Semaphore(patience.at_once)
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._disk = asyncio.Lock()
        self._hosts = _Turns()
        self.on_alert: OnAlert = _untold

    async def start(self) -> None:
        """Takes up what waits on disk. Raises OSError if the directory cannot be used."""
        for waiting in await asyncio.to_thread(self._box.open):
            self._line_up(waiting.name, 0)
        self._metrics.webhooks_waiting(lambda: self._box.depth)
        self._loop = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Lets go of what is on its way; it stays on disk."""
        tasks = [*self._running, *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def put(self, letter: Letter) -> bool:
        """Keeps an event, and sends it soon. It is on disk when this returns. False: it was there before.

        Raises BoxFull or OSError; then it is not kept.
        """
        async with self._disk:
            waiting = await asyncio.to_thread(self._box.put, letter)
        if waiting is not None:
            self._line_up(waiting.name, 0)
        return waiting is not None

    def _line_up(self, name: str, after_s: float) -> None:
        heapq.heappush(self._due, (self._clock.monotonic_s() + after_s, name))
        self._arrived.set()

    async def _run(self) -> None:
        tidied_s = self._clock.monotonic_s()
        while True:
            self._arrived.clear()
            await self._send_due()
            if self._clock.monotonic_s() - tidied_s > TIDY_EVERY_S:
                tidied_s = self._clock.monotonic_s()
                await self._guarded(self._tidy())
            wait_s = max(self._due[0][0] - self._clock.monotonic_s(), 0) if self._due else TIDY_EVERY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, TIDY_EVERY_S)):
                    await self._arrived.wait()

    async def _tidy(self) -> None:
        """Also takes up what a process has left that ended after this one began: a worker without a leader, perhaps."""
        async with self._disk:
            await asyncio.to_thread(self._box.tidy)
            left = await asyncio.to_thread(self._box.look)
        for waiting in left:
            self._line_up(waiting.name, 0)

    async def _send_due(self) -> None:
        """Starts what is due, as far as there is room."""
        while self._due and self._due[0][0] <= self._clock.monotonic_s():
            await self._free.acquire()
            _, name = heapq.heappop(self._due)
            task = asyncio.get_running_loop().create_task(self._guarded(self._deliver(name), name))
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()

    async def _guarded(self, work: Awaitable[None], name: str = "") -> None:
        """The edge of what runs by itself: no event is lost because another one, or the disk, is broken."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  # the supervisor of a background task
            self._on_error(error)
            if name:
                self._line_up(name, LOOK_AGAIN_S)

    async def _deliver(self, name: str) -> None:
        """One try. The letter stays locked from its reading, which takes no time that matters, to its mark."""
        with self._box.opened(name) as letter:
            if letter is None:
                if self._box.has(name):
                    # Another process has it in hand, and may die before it is done.
                    self._line_up(name, LOOK_AGAIN_S)
                for other in self._hosts.left_over():
                    self._line_up(other, 0)
                return
            host = urlsplit(letter.url).netloc
            if not self._hosts.take(host, name):
                return
            try:
                await self._try(letter)
            finally:
                waiting = self._hosts.give_back(host)
                if waiting is not None:
                    self._line_up(waiting, 0)

    async def _try(self, letter: Letter) -> None:
        now = self._clock.now().timestamp()
        age_s = max(now - letter.written_at_ms / 1000, 0)
        headers = standard_headers(team_secret(self._secret, letter.team), letter.id, letter.body, int(now))
        called = await self._caller.call(letter.url, {**letter.headers, **headers}, letter.body)
        is_over = called.status == GONE or age_s >= self._patience.give_up_after_s
        outcome = "delivered" if called.taken else "failed" if is_over else "retried"
        if outcome == "retried":
            self._line_up(letter.name, self._pause_s(age_s))
        else:
            await asyncio.to_thread(self._box.finish, letter.name)
        if letter.is_alert:
            await self.on_alert(letter, called, outcome, age_s)
            return
        self._metrics.webhook_delivery(outcome)
        if called.taken:
            emit(WebhookDelivered(**_facts(letter), status=called.status, age_s=round(age_s)))
        else:
            final = outcome == "failed"
            emit(WebhookFailed(**_facts(letter), status=called.status, reason=_why(called), final=final))

    def _pause_s(self, age_s: float) -> float:
        patience = self._patience
        pause_s = min(max(age_s * GROWTH, patience.retry_min_s), patience.retry_max_s)
        return pause_s * random.uniform(1 - JITTER, 1 + JITTER)


def _facts(letter: Letter) -> dict[str, Any]:
    """What a log line tells of it: of its address the host alone."""
    host = urlsplit(letter.url).hostname or ""
    return {"team": letter.team, "provider": letter.provider, "hold_id": letter.hold_id, "webhook": letter.id,
            "host": host}  # fmt: skip


def _why(called: Called) -> str:
    return called.reason or f"status {called.status}"
