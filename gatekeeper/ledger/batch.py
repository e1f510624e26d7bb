"""One lane to the store: calls of one event-loop tick leave together, in order, one pipeline at a time.

A call that got no answer is sent again, a bounded number of times within a bounded time; that is safe because the
ledger only sends what may run twice (every script knows its ids). A caller that is cancelled gives up its place at
the answer, not the call: what was asked for still happens, and the connection stays whole.

This is where exceptions of the Redis client end.
"""

import asyncio
import math
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from gatekeeper.ledger.errors import LedgerBroken, LedgerError, LedgerUnavailable

Reply = Any
"""A decoded reply: str, int, None, or lists of them. Each wrapper in scripts.py knows its own."""

BATCH_MAX: Final = 256
"""Calls in one pipeline: about 10 ms of the store's time, and the fsync is shared by all of them."""
READ_TOGETHER: Final = 32
"""Replies under one time limit, the connection's: a limit of its own for each would cost as much as reading it."""
WAITING_MAX: Final = 10_000
"""Calls that may wait; beyond that the store is far behind and shedding is kinder than queueing."""

_REFUSED_FOR_NOW: Final = (BusyLoadingError, OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
_REFUSED_TEXT: Final = re.compile(r"\b(LOADING|OOM|READONLY|NOREPLICAS|MISCONF|MASTERDOWN|CLUSTERDOWN|BUSY|TRYAGAIN) ")
"""Refusals that say nothing was written; servers before 7.0 tell them inside a script error's text."""
_NEVER_RAN: Final = (BusyLoadingError, AuthenticationError, ConnectionRefusedError, FileNotFoundError)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take. The waits between attempts double from `wait_s`."""

    budget_s: float = 5.0
    attempts: int = 5
    wait_s: float = 0.05


@dataclass(slots=True)
class Call:
    """A command on its way, in the form it is sent. `load` is the text of its script, sent along when the store does
    not know it."""

    packed: bytes
    deadline_s: float
    answer: asyncio.Future[Reply]
    load: str = ""
    needs_load: bool = False
    attempts: int = 0
    maybe_executed: bool = False


class Lane:
    """Sends calls to one node, in order, one pipeline in flight."""

    def __init__(self, redis: Redis, patience: Patience) -> None:
        self._redis = redis
        self._patience = patience
        self._waiting: deque[Call] = deque()
        self._runner: asyncio.Task[None] | None = None
        self.pipelines = 0

    async def call(self, args: Sequence[str | int], load: str = "") -> Reply:
        """The reply to one command. Raises LedgerUnavailable or LedgerBroken."""
        if len(self._waiting) >= WAITING_MAX:
            raise LedgerUnavailable("too many calls wait for the store", maybe_executed=False)
        loop = asyncio.get_running_loop()
        call = Call(_packed(args), loop.time() + self._patience.budget_s, loop.create_future(), load)
        self._waiting.append(call)
        if self._runner is None or self._runner.done():
            # The task starts in the next turn of the loop, so all calls of this turn are in its first pipeline.
            self._runner = loop.create_task(self._run())
        return await call.answer

    async def close(self, timeout_s: float) -> None:
        """Let what waits be answered, for so long; then fail the rest."""
        if self._runner is not None and not self._runner.done():
            await asyncio.wait({self._runner}, timeout=timeout_s)
            self._runner.cancel()
            await asyncio.wait({self._runner})
        while self._waiting:
            call = self._waiting.popleft()
            self._fail(call, LedgerUnavailable("the ledger is closed", maybe_executed=call.maybe_executed))

    async def _run(self) -> None:
        failures = 0
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            again = await self._send(batch)
            self._waiting.extendleft(reversed(again))
            failures = failures + 1 if any(not call.needs_load for call in again) else 0
            if failures:
                await asyncio.sleep(self._patience.wait_s * 2 ** min(failures - 1, 6))

    async def _send(self, batch: list[Call]) -> list[Call]:
        """Send a batch and answer its calls; gives back those to send again, in order."""
        commands: list[bytes] = []
        places: list[int] = []
        for call in batch:
            if call.needs_load:
                commands.append(_packed(("SCRIPT", "LOAD", call.load)))
            places.append(len(commands))
            commands.append(call.packed)
            call.attempts += 1
        self.pipelines += 1
        try:
            replies = await self._exchange(commands)
        except (RedisError, OSError, RuntimeError) as error:
            # RuntimeError: what uvloop raises at a write to a connection that was closed a moment ago.
            return [call for call in batch if self._lost(call, error)]
        except asyncio.CancelledError:
            for call in batch:
                self._fail(call, LedgerUnavailable("the ledger was closed meanwhile", maybe_executed=True))
            raise
        return [call for call, place in zip(batch, places, strict=True) if self._answer(call, replies[place])]

    async def _exchange(self, commands: list[bytes]) -> list[Reply]:
        """Write all commands at once and read a reply to each; one that the store refuses has its error as reply.

        This is what the library's own pipeline does, at a third of its cost: that one packs every argument in Python.
        Whatever else goes wrong on the way, the library closes the connection, so no reply can meet a later call.
        """
        pool: Any = self._redis.connection_pool  # the library leaves its pool untyped
        connection = await pool.get_connection()
        replies: list[Reply] = []
        try:
            await connection.send_packed_command(commands)
            for start in range(0, len(commands), READ_TOGETHER):
                async with asyncio.timeout(connection.socket_timeout):
                    replies += [await _reply(connection) for _ in commands[start : start + READ_TOGETHER]]
        except TimeoutError as error:
            raise TimeoutError("the store did not answer within the connection's time limit") from error
        finally:
            await pool.release(connection)
        return replies

    def _answer(self, call: Call, reply: Reply) -> bool:
        """Hand the reply to its caller; True if the call has to be sent again."""
        if not isinstance(reply, Exception):
            if not call.answer.done():
                call.answer.set_result(reply)
            return False
        if isinstance(reply, NoScriptError) and call.load:
            call.needs_load = True
            return self._may_retry(call, "the store forgets its scripts")
        text = f"{type(reply).__name__}: {reply}"
        if isinstance(reply, _REFUSED_FOR_NOW) or _REFUSED_TEXT.search(text):
            call.needs_load = False
            return self._may_retry(call, f"the store takes no writes now ({text})")
        self._fail(call, LedgerBroken(f"the store answered {text}"))
        return False

    def _lost(self, call: Call, error: Exception) -> bool:
        """No answer to the whole pipeline: it may have run, so say so if no later attempt tells."""
        call.maybe_executed |= not _never_ran(error)
        call.needs_load = False
        return self._may_retry(call, f"no answer from the store ({type(error).__name__}: {error})")

    def _may_retry(self, call: Call, why: str) -> bool:
        if call.attempts < self._patience.attempts and asyncio.get_running_loop().time() < call.deadline_s:
            return True
        self._fail(call, LedgerUnavailable(f"{why}; tried {call.attempts} times", maybe_executed=call.maybe_executed))
        return False

    @staticmethod
    def _fail(call: Call, error: LedgerError) -> None:
        if not call.answer.done():
            call.answer.set_exception(error)
            # A caller that was cancelled never looks; the error is not lost, it is told to nobody.
            call.answer.exception()


async def _reply(connection: Any) -> Reply:
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _packed(args: Sequence[str | int]) -> bytes:
    """A command as the store reads it. What UTF-8 cannot write becomes '?': one odd text must not stop a whole lane."""
    words: Any = tuple(args)  # the library's own types name a tuple of one
    try:
        packed: bytes = pack_command(words)
    except UnicodeEncodeError:
        words = tuple(str(arg).encode(errors="replace") for arg in args)
        packed = pack_command(words)
    return packed


def _never_ran(error: BaseException | None) -> bool:
    """Whether the server was never reached; the library tells it only by what its own error was raised from."""
    while error is not None:
        if isinstance(error, _NEVER_RAN):
            return True
        error = error.__cause__ or error.__context__
    return False
