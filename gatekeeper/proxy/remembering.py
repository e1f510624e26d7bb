"""What this process remembers of requests, so that one that comes again is known: numbers and times, within bounds.

Which habit that makes it is for `habits`. Nothing is read here, and no prompt can be told from what is kept.
"""

from dataclasses import dataclass
from typing import Final

REMEMBERED_MAX: Final = 20_000
"""Requests and prompts remembered at once, about 2 MB: a day's finals of a large house, ten minutes of all it asks."""

RETRY_WITHIN_S: Final = 600
"""The same request so soon after it was not answered is that request again: the longest that an SDK waits."""

TOGETHER_S: Final = 5
"""What is asked twice within this is a batch of several pictures, unless the first has failed by then."""

REPEATED_WITHIN_S: Final = 86_400
"""A prompt is worked on for a day; later it is another work."""


@dataclass(slots=True, unsafe_hash=True)
class Habit:
    """What one request has of a habit. `request` and `prompt` are what it is remembered by, 0 where it is not. It does
    not change; to make a frozen one, or a tuple with names, costs more."""

    traits: tuple[str, ...] = ()
    request: int = 0
    prompt: int = 0


NONE: Final = Habit()
"""A request of no habit, and not remembered."""


class Habits:
    """When each of them came last."""

    def __init__(self) -> None:
        self._since_s: dict[int, float] = {}

    def is_retry(self, request: int, now_s: float) -> bool:
        """Whether it was asked before, not so long ago, and nobody answered."""
        since_s = self._since_s.get(request) if request else None
        return since_s is not None and since_s <= now_s < since_s + RETRY_WITHIN_S

    def is_repeated(self, prompt: int, now_s: float) -> bool:
        """Whether it was rendered within the same day."""
        since_s = self._since_s.get(prompt) if prompt else None
        return since_s is not None and since_s <= now_s < since_s + REPEATED_WITHIN_S

    def begun(self, habit: Habit, now_s: float) -> None:
        """Its credits are held, and it is on its way."""
        if habit.request:
            self._remember(habit.request, now_s + TOGETHER_S)
        if habit.prompt:
            self._remember(habit.prompt, now_s)

    def ended(self, habit: Habit, now_s: float, *, answered: bool) -> None:
        """Whoever asked has an answer, and what they ask now is new; or none, and the same again is a retry."""
        request = habit.request
        if request and answered:
            self._since_s.pop(request, None)
        elif request:
            self._remember(request, now_s)

    def _remember(self, name: int, since_s: float) -> None:
        """The newest last; the oldest goes when there are too many."""
        self._since_s.pop(name, None)
        if len(self._since_s) >= REMEMBERED_MAX:
            del self._since_s[next(iter(self._since_s))]
        self._since_s[name] = since_s
