"""Bytes to one server and back: how a command is packed, one exchange, and what each refusal means.

It decides nothing: what to do about a refusal is `batch.Lane`'s. Only here are the library's exceptions told apart.
"""

import asyncio
import math
import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final, Protocol

from hiredis import Reader, pack_command
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

Reply = Any
"""A decoded reply: str, int, None, or lists of them. Each wrapper in scripts.py knows its own."""

COUNT_BYTES: Final = len(b"*9")
"""How packed words begin that are at most nine: it says how many they are."""

WORDS_BEGIN: Final = len(b"*9\r\n")
"""Where the first of them begins."""

READ_TOGETHER: Final = 32
"""Replies under one time limit, the connection's: a limit of its own for each would cost as much as reading it."""

_REFUSED_FOR_NOW: Final = (BusyLoadingError, OutOfMemoryError, ReadOnlyError, ClusterDownError, NoPermissionError)
_REFUSED_TEXT: Final = re.compile(r"\b(LOADING|OOM|READONLY|NOREPLICAS|MISCONF|MASTERDOWN|CLUSTERDOWN|BUSY|NOPERM) ")
"""Refusals that say nothing was written; servers before 7.0 tell them inside a script error's text. Rights that were
taken away (NOPERM) are given back as a full disk is emptied: by an operator, and what was to be booked waits for it."""


class Source(Protocol):
    """Where a lane's connections come from: the library's pool, or what finds a master first."""

    async def get_connection(self) -> Any:
        """A connection that is open and has nothing left to read."""

    def keeps(self, connection: Any) -> bool:
        """Whether a connection that was given out is still the one to use."""

    async def release(self, connection: Any) -> None:
        """Take it back."""

    async def close(self) -> None:
        """Close every connection."""


class Meaning(Enum):
    """What a refusal tells. All but BROKEN say that the command certainly did not run."""

    NO_SCRIPT = auto()  # send the script's text along
    ELSEWHERE = auto()  # another node has the key
    MOVING = auto()  # the key's slot is on its way between nodes
    NOT_NOW = auto()  # the server as a whole takes no writes, or none of ours
    BROKEN = auto()


def meaning(reply: Exception) -> Meaning:
    """What this refusal tells."""
    if isinstance(reply, NoScriptError):
        return Meaning.NO_SCRIPT
    if isinstance(reply, AskError):
        return Meaning.ELSEWHERE
    if isinstance(reply, TryAgainError) or "TRYAGAIN " in str(reply):
        return Meaning.MOVING
    if isinstance(reply, _REFUSED_FOR_NOW) or _REFUSED_TEXT.search(told(reply)):
        return Meaning.NOT_NOW
    return Meaning.BROKEN


def told(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}"


def packed(args: Sequence[str | int]) -> bytes:
    """A command as the store reads it. What UTF-8 cannot write becomes '?': one odd text must not stop a whole lane."""
    words: Any = args if type(args) is tuple else tuple(args)  # the library's own types name a tuple of one
    try:
        command: bytes = pack_command(words)
    except UnicodeEncodeError:
        words = tuple(str(arg).encode(errors="replace") for arg in args)
        command = pack_command(words)
    return command


def unpacked(words: bytes) -> list[str]:
    """The words of a command that was packed."""
    reader = Reader(encoding="utf-8")
    reader.feed(words)
    found: list[str] = reader.gets()
    return found


def head_of_call(sha: str, keys: Sequence[str], first: Sequence[str], count: bytes) -> bytes:
    """The call of a script up to its last arguments, which are packed already: `count` is how those words begin,
    of which the rest, from `WORDS_BEGIN` on, follows this."""
    words = packed(("EVALSHA", sha, len(keys), *keys, *first))
    begun = words.index(b"\r\n")
    return b"*%d%b" % (int(words[1:begun]) + int(count[1:]), words[begun:])


async def exchange(connection: Any, commands: list[bytes], more_s: float = 0.0) -> list[Reply]:
    """Write all commands at once and read a reply to each; one that the store refuses has its error as reply.

    This is what the library's own pipeline does, at a third of its cost: that one packs every argument in Python.
    Whatever else goes wrong on the way, the library closes the connection, so no reply can meet a later call.
    `more_s` is added to the connection's time limit.
    """
    replies: list[Reply] = []
    try:
        await connection.send_packed_command(commands)
        for start in range(0, len(commands), READ_TOGETHER):
            async with asyncio.timeout(connection.socket_timeout + more_s):
                replies += [await _reply(connection) for _ in commands[start : start + READ_TOGETHER]]
    except TimeoutError as error:
        raise too_slow() from error
    return replies


def too_slow() -> TimeoutError:
    """The error for a store that keeps us waiting."""
    return TimeoutError("the store did not answer within the connection's time limit")


async def _reply(connection: Any) -> Reply:
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


async def ask(source: Source, *commands: Sequence[str | int]) -> list[Reply]:
    """These commands' replies on a connection of the source, once. Raises RedisError and OSError."""
    connection = await source.get_connection()
    try:
        return await exchange(connection, [packed(command) for command in commands])
    finally:
        await source.release(connection)
