"""All workers of a gateway: started together, asked together, stopped together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from gatekeeper.app import Seat
from gatekeeper.catalog import Catalog
from gatekeeper.logs import place_of
from gatekeeper.metrics import Metrics
from gatekeeper.recent import Gathered, Seen
from gatekeeper.reporting import report_error
from gatekeeper.workers.channel import Start
from gatekeeper.workers.figures import Figures, Totals
from gatekeeper.workers.post import Post

EARLY_DEATHS_MAX: Final = 3
"""So many early deaths at one post, one after another, are no accident."""

TELL_WITHIN_S: Final = 1.0
"""Who scrapes does not wait longer for a busy worker; its figures are then at most a second older."""

LOOK_WITHIN_S: Final = 1.0
"""Nor does who looks at what happened; what comes later is there at the next look."""

RELOAD_WITHIN_S: Final = 30.0
"""A worker takes a catalog between two requests; one that has not by then is stuck."""

END_WITHIN_S: Final = 30.0
"""How long after its grace a worker may take to book what it had; then it is killed."""


class Crew:
    """The workers. `start` gives what the worker at a post is started with."""

    def __init__(self, count: int, start: Callable[[Seat], Start], metrics: Metrics) -> None:
        self.ended = asyncio.Event()
        self.failure = ""
        self.totals = Totals(metrics.families, self._figures)
        self._metrics = metrics
        self._gathered = Gathered()
        self._all_ready = asyncio.Event()
        self._was_complete = False
        self._tasks: list[asyncio.Task[None]] = []
        self.posts = tuple(
            Post(
                number,
                lambda number: start(Seat(number, count)),
                on_ready=self._heard_ready,
                on_died=self._heard_died,
                on_gone=self.totals.retire,
            )
            for number in range(1, count + 1)
        )

    @property
    def accepting(self) -> int:
        """How many serve now."""
        return sum(post.accepting and not post.is_quiet for post in self.posts)

    @property
    def abandoned(self) -> int:
        """Generations that were still in flight when workers were told to stop and their grace was over; of those that
        could not say so because they were killed, how many they had told of last."""
        return sum(post.abandoned for post in self.posts)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with which worker."""
        down = tuple(f"worker {post.number}: {post.problem}" for post in self.posts if not post.accepting)
        quiet = (post.number for post in self.posts if post.is_quiet)
        return (*down, *(f"worker {number}: it has not been heard of for a while" for number in quiet))

    async def start(self) -> None:
        """Fills every post; returns when all accept requests, or `ended` is set."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(post.keep()) for post in self.posts]
        for task in self._tasks:
            task.add_done_callback(self._heard_end)
        waits = [loop.create_task(event.wait()) for event in (self._all_ready, self.ended)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def stop(self, grace_s: float) -> None:
        """Lets all finish what they have in flight; who has not after a while is killed."""
        for post in self.posts:
            post.stop()
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=grace_s + END_WITHIN_S)
            for post in self.posts if slow else ():
                post.kill()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def tell(self) -> None:
        """Has every worker tell its figures."""
        await asyncio.gather(*(post.tell(TELL_WITHIN_S) for post in self.posts))

    async def reload(self, catalog: Catalog) -> tuple[str, ...]:
        """Hands the catalog to all; what went wrong."""
        said = await asyncio.gather(*(post.reload(catalog, RELOAD_WITHIN_S) for post in self.posts))
        return tuple(problem for problem in said if problem)

    async def after(self, number: int) -> Sequence[Seen]:
        """What happened in all of them, for whoever looks."""
        await asyncio.gather(*map(self._look, self.posts))
        return self._gathered.seen_after(number)

    async def _look(self, post: Post) -> None:
        """Taken as it comes: a reader who leaves in the middle loses nothing for the next one."""
        self._gathered.take(await post.look(LOOK_WITHIN_S))

    def _figures(self) -> tuple[Figures, ...]:
        return tuple(post.figures for post in self.posts)

    def _heard_ready(self) -> None:
        if all(post.accepting for post in self.posts):
            self._was_complete = True
            self._all_ready.set()

    def _heard_end(self, task: asyncio.Task[None]) -> None:
        """A post is kept until it is told to stop; what nobody foresaw must not leave it empty in silence."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._metrics.internal_error()
            report_error("workers", error)
            self.failure = self.failure or f"{type(error).__name__} in {place_of(error)}"
            self.ended.set()

    def _heard_died(self, early: int, reason: str) -> None:
        """A post that cannot be filled at the start ends all; later the others go on, unless there are none."""
        self._metrics.worker_died()
        if early >= EARLY_DEATHS_MAX and not (self._was_complete and self.accepting):
            self.failure = self.failure or reason
            self.ended.set()
