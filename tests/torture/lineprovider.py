"""A provider for workers that speak no HTTP: one line asks, one line answers, every bill is counted.

A worker says `ask <call> <micro-credits>` and hears `<call> <micro-credits made>` or nothing; and it tells what it
was told: `told <call> <micro-credits>` when a charge was acknowledged, `kept ...` when one is on disk.
"""

import asyncio
from pathlib import Path

from tests.torture.bills import Bills, Manner, lot, manner_of

SLOW_S = 0.05
LATE_S = (0.4, 1.5)
"""After the worker has given up: sometimes before, sometimes after time has resolved the hold."""


class LineProvider:
    """Serves the workers of one run on a unix socket."""

    def __init__(self, bills: Bills, socket: Path) -> None:
        self.socket = socket
        self._bills = bills
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, str(self.socket))

    async def close(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            victim = (await reader.readline()).decode().strip()
            while line := await reader.readline():
                if not line.endswith(b"\n"):
                    break  # the worker was killed in mid-line: it never said this
                word, call, amount = line.decode().split()
                self._take(victim, word, call, int(amount), writer)
        except OSError:
            pass
        finally:
            writer.close()

    def _take(self, victim: str, word: str, call: str, amount: int, writer: asyncio.StreamWriter) -> None:
        if word == "told":
            self._bills.told[call] = amount
        elif word == "kept":
            self._bills.kept[call] = amount
        else:
            self._work(victim, call, amount, writer)

    def _work(self, victim: str, call: str, amount: int, writer: asyncio.StreamWriter) -> None:
        manner = manner_of(call)
        self._bills.manners[manner] += 1
        made = 0 if manner in {Manner.REFUSED, Manner.FAILED} else amount // 2 if manner is Manner.PART else amount
        if made and manner is not Manner.LOST_FREE:
            self._bills.bill(call, made)
        if self._bills.asked(victim) or manner in {Manner.LOST_BILLED, Manner.LOST_FREE, Manner.CUT}:
            return
        answer = f"{call} {made}\n".encode()
        if manner in {Manner.SLOW, Manner.LATE}:
            late_s = LATE_S[0] + lot(call, 1000) / 1000 * (LATE_S[1] - LATE_S[0])
            wait_s = SLOW_S if manner is Manner.SLOW else late_s
            asyncio.get_running_loop().call_later(wait_s, self._answer, victim, answer, writer)
        else:
            self._answer(victim, answer, writer)

    def _answer(self, victim: str, answer: bytes, writer: asyncio.StreamWriter) -> None:
        if not writer.transport.is_closing():
            writer.write(answer)
            self._bills.answered(victim)
