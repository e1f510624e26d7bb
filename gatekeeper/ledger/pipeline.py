"""Calls that leave together: what is written for them, and where among the replies each one's will be."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.wire import Reply, packed

_ASKING: Final = packed(("ASKING",))


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


@dataclass(slots=True)
class Pipeline:
    """Calls, what is written for them, and at which place in the replies each one's is. `confirm` asks for a proof at
    its end."""

    calls: Sequence[Call]
    commands: list[bytes]
    places: list[int]
    confirm: Confirm | None = None

    @property
    def more_s(self) -> float:
        """How much longer than usual its replies may take."""
        return self.confirm.timeout_ms / 1000 if self.confirm else 0.0


def pipeline_of(calls: Sequence[Call], confirm: Confirm | None, turn: int) -> Pipeline:
    """What to write for these calls. What has to be confirmed is asked in the slot of another call at each `turn`: one
    slot that is on its way must not hold up the others' proof."""
    commands: list[bytes] = []
    places: list[int] = []
    for call in calls:
        if call.needs_load:
            commands.append(packed(("SCRIPT", "LOAD", call.load)))
        if call.asking:
            commands.append(_ASKING)
        places.append(len(commands))
        commands.append(call.packed)
        call.attempts += 1
    if confirm is None or not (writing := [call for call in calls if call.writes]):
        return Pipeline(calls, commands, places)
    near = writing[turn % len(writing)]
    commands += confirm.question(near.key, asking=near.asking)
    return Pipeline(calls, commands, places, confirm)
