"""One lane to a node: calls of one event-loop tick leave together, in order, one pipeline at a time.

A call that got no answer is sent again, a bounded number of times within a bounded time; that is safe because the
ledger only sends what may run twice (every script knows its ids). A caller that is cancelled gives up its place at
the answer, not the call: what was asked for still happens, and the connection stays whole.

Which node has a key the lane does not know: a `Router` does, and takes over calls that belong elsewhere.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from redis.exceptions import AskError, BusyLoadingError

from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable
from gatekeeper.ledger.wire import Meaning, Reply, Source, exchange, meaning, packed, told

BATCH_MAX: Final = 256
"""Calls in one pipeline: about 10 ms of the store's time, and the fsync is shared by all of them."""
WAITING_MAX: Final = 10_000
"""Calls that may wait; beyond that the store is far behind and shedding is kinder than queueing."""
REDIRECTS_AT_ONCE: Final = 2
"""Redirections that are followed without a pause; more mean that the nodes do not agree yet."""

_ASKING: Final = packed(("ASKING",))


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


@dataclass(slots=True, eq=False)
class Call:
    """A command on its way, in the form it is sent. `load` is the text of its script, sent along when the store does
    not know it. `asking`: its slot is just coming to the node that it is sent to."""

    packed: bytes
    deadline_s: float
    answer: asyncio.Future[Reply]
    load: str = ""
    key: str = ""
    writes: bool = False
    needs_load: bool = False
    asking: bool = False
    attempts: int = 0
    detours: int = 0
    maybe_executed: bool = False


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
    """Sends calls to one node, in order, one pipeline in flight."""

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
        self._runner: asyncio.Task[None] | None = None
        self.pipelines = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way here."""
        return not self._waiting and not self._aside and (self._runner is None or self._runner.done())

    async def call(self, args: Sequence[str | int], load: str = "", key: str = "", writes: bool = False) -> Reply:
        """The reply to one command. Raises LedgerUnavailable or LedgerBroken.

        `key` is the one that decides on the node; `writes`: the answer counts once it is confirmed.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise LedgerUnavailable("too many calls wait for the store", maybe_executed=False)
        loop = asyncio.get_running_loop()
        call = Call(packed(args), loop.time() + self._patience.budget_s, loop.create_future(), load, key, writes)
        self._waiting.append(call)
        if self._runner is None or self._runner.done():
            # The task starts in the next turn of the loop, so all calls of this turn are in its first pipeline.
            self._runner = loop.create_task(self._run())
        return await call.answer

    def submit(self, calls: Iterable[Call]) -> None:
        """Take over calls of another lane, behind what waits here."""
        self._waiting.extend(calls)
        if self._waiting and (self._runner is None or self._runner.done()):
            self._runner = asyncio.get_running_loop().create_task(self._run())

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
        if self._runner is not None and not self._runner.done():
            await asyncio.wait({self._runner}, timeout=timeout_s)
            self._runner.cancel()
            await asyncio.wait({self._runner})
        left, self._aside = [*self._waiting, *self._aside], set()
        self._waiting.clear()
        for call in left:
            self._fail(call, LedgerUnavailable("the ledger is closed", maybe_executed=call.maybe_executed))

    def _bring_back(self, call: Call) -> None:
        if call in self._aside:
            self._aside.discard(call)
            (self._router.home(self, call) if self._router else self).submit([call])

    async def _run(self) -> None:
        failures = 0
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            outcome = await self._send(batch)
            self._waiting.extendleft(reversed(outcome.again))
            if outcome.away and self._router is not None:
                self._router.redirect(self, outcome.away)
            failures = failures + 1 if outcome.failed else 0
            if failures:
                self._shed_overdue()
                await asyncio.sleep(self._patience.pause_s(failures))
                if self._router is not None:
                    await self._router.recover()

    async def _send(self, batch: list[Call]) -> _Outcome:
        """Send a batch and answer its calls."""
        commands, places, confirm = self._commands(batch)
        self.pipelines += 1
        sent = False
        try:
            connection = await self._source.get_connection()
            try:
                sent = True
                replies = await exchange(connection, commands, confirm.timeout_ms / 1000 if confirm else 0)
                lacking = await confirm.settle(connection, replies) if confirm else ""
            except BaseException:
                # A reply may still be on its way: no later call may meet it.
                await connection.disconnect(nowait=True)
                raise
            finally:
                await self._source.release(connection)
        except asyncio.CancelledError:
            for call in batch:
                self._fail(call, LedgerUnavailable("the ledger was closed meanwhile", maybe_executed=sent))
            raise
        except Exception as error:  # noqa: BLE001 - libraries raise more than they say, and every caller waits for an end
            return self._lost(batch, error, sent=sent and not isinstance(error, BusyLoadingError))
        outcome = _Outcome()
        for call, place in zip(batch, places, strict=True):
            reply = replies[place]
            if isinstance(reply, Exception):
                self._refused(call, reply, outcome)
            elif lacking and call.writes:
                call.maybe_executed = True
                self._again(call, f"the store has not confirmed the write: {lacking}", outcome)
            elif not call.answer.done():
                call.answer.set_result(reply)
        return outcome

    def _commands(self, batch: list[Call]) -> tuple[list[bytes], list[int], Confirm | None]:
        """What to write, where each call's reply will be, and what has to be confirmed at the end."""
        commands: list[bytes] = []
        places: list[int] = []
        for call in batch:
            if call.needs_load:
                commands.append(packed(("SCRIPT", "LOAD", call.load)))
            if call.asking:
                commands.append(_ASKING)
            places.append(len(commands))
            commands.append(call.packed)
            call.attempts += 1
        if self._confirm is None or not (writing := [call for call in batch if call.writes]):
            return commands, places, None
        # Each time another call's slot is written to: one slot that is on its way must not hold up the others' proof.
        near = writing[self.pipelines % len(writing)]
        return commands + self._confirm.question(near.key, asking=near.asking), places, self._confirm

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
            case _:
                self._fail(call, LedgerBroken(f"the store answered {told(reply)}"))

    def _again(self, call: Call, why: str, outcome: _Outcome) -> None:
        call.needs_load = call.asking = False
        if self._may_retry(call, why):
            outcome.again.append(call)
        outcome.failed = True

    def _lost(self, batch: list[Call], error: Exception, *, sent: bool) -> _Outcome:
        """No answer to the whole pipeline: if it was sent it may have run, so say so if no later attempt tells."""
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
