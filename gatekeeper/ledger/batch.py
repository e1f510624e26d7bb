"""One lane to a node: calls of one event-loop tick leave together, in order, one pipeline at a time.

A call that got no answer is sent again, a bounded number of times within a bounded time; that is safe because the
ledger only sends what may run twice (every script knows its ids). A caller that is cancelled gives up its place at
the answer, not the call: what was asked for still happens, and the connection stays whole.

Which node has a key the lane does not know: a `Router` does, and takes over calls that belong elsewhere.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from redis.exceptions import AskError, BusyLoadingError

from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable
from gatekeeper.ledger.line import Line, OwnLine, line_of
from gatekeeper.ledger.pipeline import Call, Pipeline, pipeline_of
from gatekeeper.ledger.wire import Meaning, Reply, Source, meaning, packed, told

BATCH_MAX: Final = 256
"""Calls in one pipeline: about 10 ms of the store's time, and the fsync is shared by all of them."""
WAITING_MAX: Final = 10_000
"""Calls that may wait; beyond that the store is far behind and shedding is kinder than queueing."""
REDIRECTS_AT_ONCE: Final = 2
"""Redirections that are followed without a pause; more mean that the nodes do not agree yet."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take. The waits between attempts double from `wait_s` up to `wait_max_s`.

    A node that says where the key is, or that its slot is moving, costs no attempt: only the budget ends that.
    """

    budget_s: float = 5.0
    attempts: int = 5
    wait_s: float = 0.05
    wait_max_s: float = 0.4

    def pause_s(self, failures: int) -> float:
        """How long to wait after so many failures."""
        return min(self.wait_s * 2.0 ** min(failures - 1, 10), self.wait_max_s)


class Router(Protocol):
    """Knows which node serves a call."""

    def redirect(self, lane: "Lane", away: list[tuple[Call, AskError]]) -> None:
        """Send these calls where their node said."""

    def home(self, lane: "Lane", call: Call) -> "Lane":
        """The lane, of the same kind, that the call belongs to now."""

    async def recover(self) -> None:
        """After a failure: find out again who serves what. Raises nothing."""


@dataclass(slots=True)
class _Outcome:
    """What became of a pipeline's unanswered calls."""

    again: list[Call] = field(default_factory=list)
    away: list[tuple[Call, AskError]] = field(default_factory=list)
    failed: bool = False


class Lane:
    """Sends calls to one node, in order, one pipeline in flight.

    While all goes well a pipeline costs no task: its replies answer the calls and send off what waits by then. What
    takes a wait (a connection, a pause after a failure, disks that are asked apart) is done by a task, `_run`, until
    all goes well again.
    """

    def __init__(
        self,
        source: Source,
        patience: Patience,
        *,
        confirm: Confirm | None = None,
        router: Router | None = None,
        bulk: bool = False,
    ) -> None:
        self.bulk = bulk
        self._source = source
        self._patience = patience
        self._confirm = confirm or None
        self._router = router
        self._waiting: deque[Call] = deque()
        self._aside: set[Call] = set()
        self._line: Line | None = None
        self._flying: Pipeline | None = None
        self._leaving: asyncio.Handle | None = None
        self._landed: asyncio.Future[None] | None = None
        self._runner: asyncio.Task[None] | None = None
        self.pipelines = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way here."""
        return not self._waiting and not self._aside and self._flying is None and self._runner is None

    def call(
        self, args: Sequence[str | int], load: str = "", key: str = "", writes: bool = False
    ) -> asyncio.Future[Reply]:
        """The reply to one command, or LedgerUnavailable or LedgerBroken. It is sent whether it is awaited or not.

        `key` is the one that decides on the node; `writes`: the answer counts once it is confirmed.
        """
        return self.ask(packed(args), load, key, writes)

    def ask(self, command: bytes, load: str, key: str, writes: bool) -> asyncio.Future[Reply]:
        """The same for one that is packed already."""
        line = self._line
        # To ask which loop runs is a system call, and an open line knows its own.
        loop = line.loop if isinstance(line, OwnLine) else asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        call = Call(command, loop.time() + self._patience.budget_s, answer, load, key, writes)
        if len(self._waiting) >= WAITING_MAX:
            self._fail(call, LedgerUnavailable("too many calls wait for the store", maybe_executed=False))
            return answer
        self._waiting.append(call)
        if self._leaving is None and self._flying is None and self._runner is None:
            # In the next turn of the loop, so all calls of this turn are in one pipeline.
            self._leaving = loop.call_soon(self._leave)
        return answer

    def submit(self, calls: Iterable[Call]) -> None:
        """Take over calls of another lane, behind what waits here."""
        self._waiting.extend(calls)
        if self._waiting and self._leaving is None and self._flying is None and self._runner is None:
            self._leaving = asyncio.get_running_loop().call_soon(self._leave)

    def give_up(self, foreign: Callable[[Call], bool]) -> list[Call]:
        """Hand over the waiting calls that do not belong here any more, in order."""
        calls, self._waiting = self._waiting, deque()
        leaving: list[Call] = []
        for call in calls:
            (leaving if foreign(call) else self._waiting).append(call)
        return leaving

    def put_aside(self, call: Call) -> None:
        """Send the call a little later, without stopping the others; `home` says then by which lane."""
        pause_s = self._patience.pause_s(call.detours)
        self._aside.add(call)
        asyncio.get_running_loop().call_later(pause_s, self._bring_back, call)

    async def close(self, timeout_s: float) -> None:
        """Let what waits be answered, for so long; then fail the rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._quiet()
        if (runner := self._runner) is not None:
            runner.cancel()
            await asyncio.wait({runner})
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        flying, self._flying = self._flying, None
        await self._let_go()
        for call in flying.calls if flying else ():
            self._fail(call, LedgerUnavailable("the ledger was closed meanwhile", maybe_executed=True))
        left, self._aside = [*self._waiting, *self._aside], set()
        self._waiting.clear()
        for call in left:
            self._fail(call, LedgerUnavailable("the ledger is closed", maybe_executed=call.maybe_executed))

    async def _quiet(self) -> None:
        """Wait until nothing is under way."""
        while self._waiting or self._flying is not None or self._runner is not None:
            if self._runner is not None:
                await asyncio.wait({self._runner})
            else:
                self._landed = asyncio.get_running_loop().create_future()
                await self._landed

    def _bring_back(self, call: Call) -> None:
        if call in self._aside:
            self._aside.discard(call)
            (self._router.home(self, call) if self._router else self).submit([call])

    def _leave(self) -> None:
        """Send off what waits, if that takes no wait; else let a task do it."""
        self._leaving = None
        if not self._waiting:
            if self._landed is not None and not self._landed.done():
                self._landed.set_result(None)
        elif (line := self._quick()) is not None:
            self._flying = pipeline = self._next()
            line.send(pipeline.commands, pipeline.more_s, self._land)
        else:
            self._start(None)

    def _quick(self) -> OwnLine | None:
        """The line, if the next pipeline can be sent off without a wait."""
        line = self._line
        if not isinstance(line, OwnLine) or not line.is_open or not self._source.keeps(line.connection):
            return None
        return None if self._confirm is not None and self._confirm.apart else line

    def _land(self, told: list[Reply] | Exception) -> None:
        """The replies are there, or will never be: go on, or let a task do what is to be done about it."""
        pipeline, self._flying = self._flying, None
        if pipeline is None:
            return  # closed meanwhile
        if isinstance(told, Exception):
            outcome: _Outcome | None = self._lost(pipeline.calls, told, sent=True)
        else:
            outcome = self._answer(pipeline, told, pipeline.confirm.settled(told) if pipeline.confirm else "")
        if outcome is None:
            self._leave()
        else:
            self._start(outcome)

    def _start(self, outcome: _Outcome | None) -> None:
        self._runner = asyncio.get_running_loop().create_task(self._run(outcome))

    async def _run(self, outcome: _Outcome | None) -> None:
        """Until all goes well: everything that takes a wait."""
        failures = 0
        try:
            while True:
                if outcome is not None and self._sort(outcome):
                    failures += 1
                    await self._pause(failures)
                else:
                    failures = 0
                if not self._waiting or (not failures and self._quick() is not None):
                    break
                outcome = await self._send(self._next())
        finally:
            self._runner = None
        self._leave()

    def _sort(self, outcome: _Outcome) -> bool:
        """Put each call where it is sent from next; whether the node as a whole failed."""
        self._waiting.extendleft(reversed(outcome.again))
        if outcome.away and self._router is not None:
            self._router.redirect(self, outcome.away)
        return outcome.failed

    async def _pause(self, failures: int) -> None:
        self._shed_overdue()
        await asyncio.sleep(self._patience.pause_s(failures))
        if self._router is not None:
            await self._router.recover()

    async def _send(self, pipeline: Pipeline) -> _Outcome | None:
        """Send a pipeline and answer its calls."""
        sent = False
        try:
            line = await self._open()
            sent = True
            try:
                replies = await line.exchange(pipeline.commands, pipeline.more_s)
                lacking = await pipeline.confirm.settle(line, replies) if pipeline.confirm else ""
            except BaseException:
                # A reply may still be on its way: no later call may meet it.
                await self._let_go()
                raise
        except asyncio.CancelledError:
            for call in pipeline.calls:
                self._fail(call, LedgerUnavailable("the ledger was closed meanwhile", maybe_executed=sent))
            raise
        except Exception as error:  # noqa: BLE001 - libraries raise more than they say, and every caller waits for an end
            return self._lost(pipeline.calls, error, sent=sent)
        return self._answer(pipeline, replies, lacking)

    async def _open(self) -> Line:
        """The line, a new one if it is broken or its server is doubted."""
        if self._line is not None:
            if self._line.is_open and self._source.keeps(self._line.connection):
                return self._line
            await self._let_go()
        self._line = line_of(await self._source.get_connection())
        return self._line

    async def _let_go(self) -> None:
        """Close the line and give its connection back, which the library opens anew when it is needed."""
        line, self._line = self._line, None
        if line is not None:
            line.cut()
            try:
                await line.connection.disconnect(nowait=True)
            finally:
                await self._source.release(line.connection)

    def _next(self) -> Pipeline:
        """What waits, at most `BATCH_MAX` calls of it, as it is written."""
        waiting = self._waiting
        calls = [waiting.popleft() for _ in range(min(BATCH_MAX, len(waiting)))]
        self.pipelines += 1
        return pipeline_of(calls, self._confirm, self.pipelines)

    def _answer(self, pipeline: Pipeline, replies: list[Reply], lacking: str) -> _Outcome | None:
        """Answer a pipeline's calls; what is left to do, if anything is."""
        outcome: _Outcome | None = None
        for call, place in zip(pipeline.calls, pipeline.places, strict=True):
            reply = replies[place]
            if isinstance(reply, Exception):
                outcome = outcome or _Outcome()
                self._refused(call, reply, outcome)
            elif lacking and call.writes:
                outcome = outcome or _Outcome()
                call.maybe_executed = True
                self._again(call, f"the store has not confirmed the write: {lacking}", outcome)
            elif not call.answer.done():
                call.answer.set_result(reply)
        return outcome

    def _refused(self, call: Call, reply: Exception, outcome: _Outcome) -> None:
        """Note what is to be done with a call that the node did not run."""
        match meaning(reply):
            case Meaning.NO_SCRIPT if call.load:
                call.needs_load = True
                if self._may_retry(call, "the store forgets its scripts"):
                    outcome.again.append(call)
            case Meaning.ELSEWHERE if self._router is not None and isinstance(reply, AskError):
                if self._may_detour(call, f"the key is elsewhere ({reply})"):
                    outcome.away.append((call, reply))
            case Meaning.MOVING:
                if self._may_detour(call, f"the key's slot is on its way ({reply})"):
                    self.put_aside(call)
            case Meaning.NOT_NOW:
                self._again(call, f"the store takes no writes now ({told(reply)})", outcome)
            case _ if call.maybe_executed:
                # An earlier attempt, whose answer was lost, may have run: what it made is to be undone.
                why = f"an answer was lost, and then the store answered {told(reply)}"
                self._fail(call, LedgerUnavailable(why, maybe_executed=True))
            case _:
                self._fail(call, LedgerBroken(f"the store answered {told(reply)}"))

    def _again(self, call: Call, why: str, outcome: _Outcome) -> None:
        call.needs_load = call.asking = False
        if self._may_retry(call, why):
            outcome.again.append(call)
        outcome.failed = True

    def _lost(self, batch: Sequence[Call], error: Exception, *, sent: bool) -> _Outcome:
        """No answer to the whole pipeline: if it was sent it may have run, so say so if no later attempt tells."""
        sent = sent and not isinstance(error, BusyLoadingError)
        outcome = _Outcome(failed=True)
        for call in batch:
            call.maybe_executed |= sent
            self._again(call, f"no answer from the store ({told(error)})", outcome)
        return outcome

    def _may_detour(self, call: Call, why: str) -> bool:
        """Whether a call that certainly did not run may be tried elsewhere or later; that costs it no attempt."""
        call.needs_load = call.asking = False
        call.attempts -= 1
        call.detours += 1
        return self._in_time(call, why)

    def _may_retry(self, call: Call, why: str) -> bool:
        if call.attempts < self._patience.attempts:
            return self._in_time(call, f"{why}; tried {call.attempts} times")
        self._fail(call, LedgerUnavailable(f"{why}; tried {call.attempts} times", maybe_executed=call.maybe_executed))
        return False

    def _in_time(self, call: Call, why: str) -> bool:
        if asyncio.get_running_loop().time() < call.deadline_s:
            return True
        self._fail(call, LedgerUnavailable(why, maybe_executed=call.maybe_executed))
        return False

    def _shed_overdue(self) -> None:
        """After a failure: whoever waited his whole time behind it is told now."""
        late = [call for call in self._waiting if not self._in_time(call, "the store did not answer others in time")]
        if late:
            gone = set(late)
            self._waiting = deque(call for call in self._waiting if call not in gone)

    @staticmethod
    def _fail(call: Call, error: LedgerError) -> None:
        if not call.answer.done():
            call.answer.set_exception(error)
            # A caller that was cancelled never looks; the error is not lost, it is told to nobody.
            call.answer.exception()
