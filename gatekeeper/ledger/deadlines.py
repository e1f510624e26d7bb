"""When to look at which team next: one instant for each team, in memory, bounded. Knows no store and no clock."""

from heapq import heapify, heappop, heappush
from typing import Final

TEAMS_MAX: Final = 200_000
"""Teams remembered, about 40 MB; those beyond are found by the walk over all teams."""


class Deadlines:
    """The earliest deadline known of each team, `at_s`, in seconds of whatever clock the caller reads."""

    def __init__(self, teams_max: int = TEAMS_MAX) -> None:
        self._teams_max = teams_max
        self.at_s: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self.at_s)

    def remember(self, team_id: str, at_s: float) -> None:
        """Look at this team at that time, or when it was to be looked at anyway if that is earlier."""
        known = self.at_s.get(team_id)
        if known is None and len(self.at_s) >= self._teams_max:
            return
        if known is None or at_s < known:
            self.at_s[team_id] = at_s
            heappush(self._heap, (at_s, team_id))
            if len(self._heap) > 2 * self._teams_max:
                self._rebuild()

    def first_s(self) -> float | None:
        """When the next team is to be looked at; None if there is none."""
        while self._heap:
            at_s, team_id = self._heap[0]
            if self.at_s.get(team_id) == at_s:
                return at_s
            heappop(self._heap)
        return None

    def take_due(self, now_s: float, count: int) -> list[str]:
        """Up to `count` teams whose time has come, the longest waiting first; they are remembered no more."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now_s and len(due) < count:
            at_s, team_id = heappop(self._heap)
            if self.at_s.get(team_id) == at_s:
                del self.at_s[team_id]
                due.append(team_id)
        return due

    def _rebuild(self) -> None:
        """A team that came earlier leaves its old place in the heap behind; so many may not gather."""
        self._heap = [(at_s, team_id) for team_id, at_s in self.at_s.items()]
        heapify(self._heap)
