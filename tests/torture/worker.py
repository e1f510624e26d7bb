"""A process that lives the life of generations without HTTP: hold, ask the provider, settle; as fast as it can.

It uses the ledger, the outbox and the replayer as the gateway does, and is made to be killed at any moment. It says
`up` when it begins; SIGTERM lets it finish what it began and book what waits.
"""

import asyncio
import itertools
import json
import secrets
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.errors import LedgerError, LedgerUnavailable
from gatekeeper.ledger.holdid import RANDOM_BITS, new_hold_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.outbox import Outbox, open_outbox
from gatekeeper.ledger.records import Held, HoldOrder, OnUnknown, Refused, Repeated, Settlement, SettleStatus
from gatekeeper.ledger.replay import Replayer
from gatekeeper.ledger.resolution import Act, Resolution
from tests.torture.bills import Manner, lot, manner_of
from tests.torture.polling import until

ANSWER_S = 0.35
"""How long a provider is waited for."""
LATE_S = 1.6
"""And how long for a late answer: longer than the provider takes."""
TTL_MS, GRACE_MS = 4000, 300
"""Short, so that time resolves what a kill left behind while the run goes on."""
BOOKED = {SettleStatus.SETTLED, SettleStatus.RELEASED, SettleStatus.LATE, SettleStatus.DUPLICATE}
OUTBOX_BYTES = 64 << 20
OUTBOX_S = 50.0
"""How long the outbox may take to empty at the end."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is to do, as JSON on its command line."""

    name: str
    store: str
    provider: str
    outbox: str
    teams: list[str]
    at_once: int


@dataclass(eq=False)
class Provider:
    """The worker's end of the line to the provider."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    waiting: dict[str, asyncio.Future[int]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Hand out answers until the provider is gone."""
        while line := await self.reader.readline():
            call, amount = line.decode().split()
            if (answer := self.waiting.pop(call, None)) is not None and not answer.done():
                answer.set_result(int(amount))

    def ask(self, call: str, amount: int) -> asyncio.Future[int]:
        """What will be made of this call, in micro-credits."""
        self.waiting[call] = answer = asyncio.get_running_loop().create_future()
        self.say("ask", call, amount)
        return answer

    def say(self, word: str, call: str, amount: int) -> None:
        """One line."""
        self.writer.write(f"{word} {call} {amount}\n".encode())


@dataclass(eq=False)
class Worker:
    """Runs generations one after the other, many beside each other, until it is told to stop."""

    orders: Orders
    ledger: Ledger
    outbox: Outbox
    provider: Provider
    stopping: bool = False
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    began_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    async def run(self) -> None:
        """All lanes until the end; a lane that fails ends the process, for nothing here may fail."""
        async with asyncio.TaskGroup() as lanes:
            for _ in range(self.orders.at_once):
                lanes.create_task(self._lane())

    async def _lane(self) -> None:
        while not self.stopping:
            await self._generation(f"{self.orders.name}-{self.began_ms}-{next(self.numbers)}")

    async def _generation(self, call: str) -> None:
        order = self._order(call)
        try:
            result = await self.ledger.hold(order)
        except LedgerUnavailable as error:
            if error.maybe_executed:
                await self._keep(Resolution(act=Act.UNDO, team=order.team, hold_id=order.hold_id, why="not confirmed"))
            await asyncio.sleep(0.02)
            return
        if isinstance(result, Refused):
            await asyncio.sleep(0.01)
            return
        if isinstance(result, Repeated):
            # The call was answered so late that time had acted on the hold: nothing was sent, so nothing is charged.
            await self._settle(call, order, 0)
            return
        assert isinstance(result, Held), result
        answer = self.provider.ask(call, order.amount)
        try:
            made = await asyncio.wait_for(asyncio.shield(answer), ANSWER_S)
        except TimeoutError:
            await self._lost(call, order, answer)
        else:
            await self._settle(call, order, made)

    def _order(self, call: str) -> HoldOrder:
        teams = self.orders.teams
        return HoldOrder(
            new_hold_id(time.time_ns() // 1_000_000, secrets.randbits(RANDOM_BITS)),
            teams[lot("team" + call, len(teams))],
            amount=1_000_000 * (1 + lot("amount" + call, 9)),
            ttl_ms=TTL_MS,
            grace_ms=GRACE_MS,
            on_unknown=(OnUnknown.RELEASE, OnUnknown.CHARGE)[lot("policy" + call, 2)],
            project=("", "spring", "autumn")[lot("project" + call, 3)],
            member=("amy", "bob", "cyd")[lot("member" + call, 3)],
            key_id=self.orders.name,
            fingerprint=call[:16],
            usage=f"{('m', 'n')[lot('model' + call, 2)]}|image.generate|1K|||",
            meta=call,
        )

    async def _lost(self, call: str, order: HoldOrder, answer: asyncio.Future[int]) -> None:
        """Nobody knows; a late answer is booked when it comes."""
        unknown = Resolution(act=Act.UNKNOWN, team=order.team, hold_id=order.hold_id, why="no answer")
        try:
            await self.ledger.mark_unknown(order.hold_id, order.team, reason="no answer")
        except LedgerUnavailable:
            await self._keep(unknown)
        if manner_of(call) is Manner.LATE:
            try:
                made = await asyncio.wait_for(answer, LATE_S)
            except TimeoutError:
                return  # the provider was told to be silent for once: time resolves it
            await self._settle(call, order, made)
        self.provider.waiting.pop(call, None)

    async def _settle(self, call: str, order: HoldOrder, made: int) -> None:
        try:
            settlement = await self._book(order, made)
        except LedgerUnavailable:
            act = Act.SETTLE if made else Act.RELEASE
            kept = Resolution(
                act=act, team=order.team, hold_id=order.hold_id, amount=made, held=order.amount, outputs=1
            )
            await self._keep(kept)
            self.provider.say("kept", call, made)
            return
        assert settlement.status in BOOKED, (call, settlement)
        self.provider.say("told", call, made)

    async def _book(self, order: HoldOrder, made: int) -> Settlement:
        if not made:
            return await self.ledger.release(order.hold_id, order.team, reason="failed")
        return await self.ledger.settle(order.hold_id, order.team, made, outcome="made", outputs=1)

    async def _keep(self, resolution: Resolution) -> None:
        await self.outbox.write(resolution)


async def main(orders: Orders) -> None:
    """Run until SIGTERM, then until nothing waits."""
    reader, writer = await asyncio.open_unix_connection(orders.provider)
    writer.write(f"{orders.name}\n".encode())
    ledger = Ledger(StoreClient(connect(orders.store)))
    outbox = await open_outbox(Path(orders.outbox), max_bytes=OUTBOX_BYTES)
    worker = Worker(orders, ledger, outbox, Provider(reader, writer))
    listening = asyncio.ensure_future(worker.provider.listen())
    replayer = Replayer(ledger, outbox, on_replayed=lambda _: None, on_error=_complain, wait_max_s=0.5)
    replayer.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, worker, "stopping", True)
    print("up", flush=True)
    await worker.run()
    await until(lambda: not outbox.depth, OUTBOX_S)
    await replayer.stop()
    listening.cancel()
    await writer.drain()
    writer.close()
    await ledger.close()
    await outbox.close()


def _complain(error: Exception) -> None:
    if not isinstance(error, LedgerError):
        raise error
    print(f"replayer: {error!r}", file=sys.stderr, flush=True)


def orders_from(text: str) -> Orders:
    """The orders on the command line."""
    fields: dict[str, Any] = json.loads(text)
    return Orders(**fields)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(orders_from(sys.argv[1])))
