"""The state machine of `tests/ledger/test_model.py`, for as many steps as one wants, on a server of its own.

Steps are counted as they happen, and so is every reply that a script gives.
"""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.ledger.conftest import start_server
from tests.ledger.test_model import Machine

EXAMPLE_STEPS = 100
"""Steps of one example: long enough for every state, short enough that the model's own sums stay cheap."""
ROUND_EXAMPLES = 10
"""Examples between two looks at the clock."""


@contextmanager
def own_server() -> Iterator[Path]:
    """The socket of a real server that is there only for this."""
    directory = Path(tempfile.mkdtemp(prefix="gk-model-"))
    process, socket = start_server(directory)
    try:
        yield socket
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def torture_model(
    socket: Path, *, steps: int, first_seed: int, seconds: float, say: Callable[[int], None]
) -> tuple[int, int]:
    """Runs until so many steps are done or the time is over; gives the examples and the steps. Raises what differs."""
    counted: Counter[str] = Counter()
    loop = uvloop.new_event_loop()

    class Counting(Machine):
        """The model, with its steps counted, on one fast loop for all examples."""

        def run(self, call: Coroutine[Any, Any, Any]) -> Any:
            return loop.run_until_complete(call)

        @invariant()
        def one_more_step(self) -> None:
            counted["steps"] += 1

        def teardown(self) -> None:
            counted["examples"] += 1
            super().teardown()

    Counting.url = f"unix://{socket}"
    end_s, number = time.monotonic() + seconds, first_seed
    try:
        while counted["steps"] < steps and time.monotonic() < end_s:
            wanted = min(ROUND_EXAMPLES, 1 + (steps - counted["steps"]) // EXAMPLE_STEPS)
            _one_round(Counting, number, wanted)
            number += 1
            say(counted["steps"])
    finally:
        loop.close()
    return counted["examples"], counted["steps"]


def _one_round(machine: Any, number: int, examples: int) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=EXAMPLE_STEPS, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip
    run_state_machine_as_test(seed(number)(machine), settings=chosen)
