"""What happened a moment ago, for whoever looks: the last refusals, and the jobs that ended last. In memory, bounded.

To keep one costs a request an entry in a ring; what can be shown of it is made when somebody looks, and of nothing but
what its log line says and what the catalog would have allowed. What is past the ring is in the log alone.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import time_ns
from typing import Final, Protocol

from gatekeeper.core.rejection import Alternative, LimitFacts, Rejection, Violation
from gatekeeper.events import GenerationRejected, GenerationShadowed, JobFinished
from gatekeeper.logs import one_word

REFUSALS_MAX: Final = 500
"""Some twenty screens of them; one has about 2 KB."""

JOBS_MAX: Final = 200
"""Jobs end far more rarely."""

QUESTIONS_MAX: Final = 1000
"""Which jobs were asked about; one is asked about again and again."""

ALTERNATIVES_MAX: Final = 4
"""The nearest ones; a refusal may have more."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was refused, or was let by in shadow. `violations` have what was asked as the log has it, and what
    the model takes."""

    number: int
    at_ms: int
    event: GenerationRejected | GenerationShadowed
    violations: tuple[Violation, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    limits: tuple[LimitFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that ended."""

    number: int
    at_ms: int
    event: JobFinished


@dataclass(frozen=True, slots=True)
class AskedJob:
    """A provider was asked for a job, or about one that has not ended: by its caller, or by the gateway itself."""

    number: int
    at_ms: int
    hold_id: str


Seen = Refusal | EndedJob | AskedJob


Refusing = Callable[[], GenerationRejected | GenerationShadowed]
"""Makes what is told of a refusal, when somebody looks."""


class Feed(Protocol):
    """Where to ask what happened."""

    async def after(self, number: int) -> Sequence[Seen]:
        """What is kept and was numbered above this one, in its order. Numbers only grow; 0 asks for all there is."""
        ...


class Recent:
    """What happened in this process."""

    def __init__(self) -> None:
        self._count = 0
        self._refused: deque[tuple[int, int, Refusing, Rejection]] = deque(maxlen=REFUSALS_MAX)
        self._ended: deque[EndedJob] = deque(maxlen=JOBS_MAX)
        self._asked: deque[tuple[int, int, str]] = deque(maxlen=QUESTIONS_MAX)

    def refused(self, event: Refusing, rejection: Rejection) -> None:
        """A request was refused, or would have been: this makes the event."""
        self._count += 1
        self._refused.append((self._count, time_ns(), event, rejection))

    def ended(self, event: JobFinished) -> None:
        """A job ended."""
        self._count += 1
        self._ended.append(EndedJob(self._count, time_ns() // 1_000_000, event))

    def asked(self, hold_id: str) -> None:
        """A provider was asked about the job of this hold."""
        self._count += 1
        self._asked.append((self._count, time_ns(), hold_id))

    def seen_after(self, number: int) -> list[Seen]:
        """As `after`, without waiting."""
        found: list[Seen] = [_shown(*each) for each in self._refused if each[0] > number]
        found += [each for each in self._ended if each.number > number]
        found += [
            AskedJob(asked, at_ns // 1_000_000, hold_id) for asked, at_ns, hold_id in self._asked if asked > number
        ]
        return sorted(found, key=lambda each: each.number)

    async def after(self, number: int) -> Sequence[Seen]:
        return self.seen_after(number)


class Gathered:
    """What happened in several processes, each of which counts for itself: numbered anew as it comes in."""

    def __init__(self) -> None:
        self._count = 0
        self._refused: deque[Refusal] = deque(maxlen=REFUSALS_MAX)
        self._ended: deque[EndedJob] = deque(maxlen=JOBS_MAX)
        self._asked: deque[AskedJob] = deque(maxlen=QUESTIONS_MAX)

    def take(self, seen: Sequence[Seen]) -> None:
        """Adds what processes have told, the oldest first."""
        for each in sorted(seen, key=lambda one: one.at_ms):
            self._count += 1
            match replace(each, number=self._count):
                case Refusal() as refusal:
                    self._refused.append(refusal)
                case EndedJob() as ended:
                    self._ended.append(ended)
                case asked:
                    self._asked.append(asked)

    def seen_after(self, number: int) -> list[Seen]:
        """What is kept and was numbered above this one, in its order."""
        found: list[Seen] = [*self._refused, *self._ended, *self._asked]
        return sorted((each for each in found if each.number > number), key=lambda each: each.number)


def _shown(number: int, at_ns: int, event: Refusing, rejection: Rejection) -> Refusal:
    violations = tuple(replace(each, requested=one_word(each.requested) or "") for each in rejection.violations)
    money = rejection.credits
    limits = money.limits if money else ()
    return Refusal(
        number, at_ns // 1_000_000, event(), violations, rejection.alternatives[:ALTERNATIVES_MAX], limits
    )  # fmt: skip
