"""A worker: the data plane in a process that was started by its leader and ends with it.

It serves until it is told to stop or its leader is gone; what is in flight then may finish and settle, as in a process
alone. Signals of a terminal do not reach it: it has a session of its own.
"""

import asyncio
import signal
import socket
import sys
from math import ceil
from typing import Final

from gatekeeper.app import run_until_done, running_worker
from gatekeeper.garbage import free_what_was_left, leave_in_peace
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.logs import configure_logs
from gatekeeper.proxy.gate import Gate
from gatekeeper.workers.channel import (
    Ask,
    Channel,
    Farewell,
    Happened,
    Look,
    NewCatalog,
    OwnFigures,
    Ready,
    Reloaded,
    Start,
    StartFailure,
    open_channel,
)
from gatekeeper.workers.figures import figures_of
from gatekeeper.workers.lines import join_lines
from gatekeeper.yamlfile import ConfigError

TELL_EVERY_S: Final = 1.0
"""What a worker has counted and not told is lost if it is killed; telling takes about a thousandth of this."""

ALONE_S: Final = 30
"""How long after its grace a worker without a leader is ended by the system, whatever it still waits for."""


def main(channel_fd: int) -> None:
    """The worker's process, from its start to its end."""
    # Its leader is told to reload, and tells it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run_until_done(_work(socket.socket(fileno=channel_fd)))


async def _work(end: socket.socket) -> None:
    channel, stopping = await open_channel(end), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    start = await channel.receive()
    if not isinstance(start, Start):
        return
    join_lines(start.lines)
    configure_logs(start.settings.log.level, start.settings.log.format)
    try:
        await _serve(start, channel, stopping)
    except (ConfigError, LedgerError, OSError) as error:
        await channel.send(StartFailure(str(error)))
        sys.exit(1)


async def _serve(start: Start, channel: Channel, stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    async with running_worker(start.settings, start.catalog, start.seat, start.static_keys) as gate:
        talking = [loop.create_task(_hear(channel, gate, stopping, start)), loop.create_task(_tell(channel, gate))]
        leave_in_peace()
        await channel.send(Ready())
        await stopping.wait()
    for task in talking:
        task.cancel()
    await _tell_once(channel, gate)
    await channel.send(Farewell(gate.in_flight.abandoned))


async def _hear(channel: Channel, gate: Gate, stopping: asyncio.Event, start: Start) -> None:
    """Does what the leader says; when there is none any more, stops."""
    while message := await channel.receive():
        match message:
            case NewCatalog():
                gate.shelf.catalog = message.catalog
                if gate.certificate is not None:
                    gate.certificate.renew()  # its leader has found out, and tells, whether it can be
                free_what_was_left()
                await channel.send(Reloaded(message.catalog.digest))
            case Ask():
                await _tell_once(channel, gate)
            case Look():
                await channel.send(Happened(tuple(gate.recent.seen_after(message.after))))
    stopping.set()
    # Nobody is left who would end it if it could not.
    signal.alarm(ceil(start.settings.server.shutdown_grace_s) + ALONE_S)


async def _tell(channel: Channel, gate: Gate) -> None:
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        await _tell_once(channel, gate)


async def _tell_once(channel: Channel, gate: Gate) -> None:
    await channel.send(OwnFigures(figures_of(gate.metrics.families())))
