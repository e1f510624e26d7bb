"""The window in which a project's budget counts, and how much of it has passed. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gatekeeper.ledger.reports import UsageRow
from gatekeeper.ledger.teamrecord import Per, Project
from gatekeeper.ledger.windows import windows_at


@dataclass(frozen=True, slots=True)
class Span:
    """From `start_ms` to `end_ms` (None: it has no end), seen at `now_ms`. `rows_from_ms` is the beginning of its first
    day, for usage is kept by the day; an hour has no rows of its own, and so no diagnosis."""

    start_ms: int
    end_ms: int | None
    now_ms: int
    timezone: str
    rows_from_ms: int

    @property
    def length_ms(self) -> int | None:
        return None if self.end_ms is None else self.end_ms - self.start_ms

    @property
    def passed_ms(self) -> int:
        return self.now_ms - self.start_ms

    def has(self, row: UsageRow) -> bool:
        """Whether the row's day is in it."""
        return self.rows_from_ms <= row.day_ms < (self.end_ms or row.day_ms + 1)


def span_of(project: Project, now_ms: int, timezone: str, rows: Iterable[UsageRow] = ()) -> Span:
    """The window of a project's budget at this instant, in the team's time zone. One for life without a beginning
    begins with the day of the first of these rows that is the project's."""
    windows = windows_at(now_ms, timezone)
    window = windows.of(project.per)
    if window is not None:
        day_ms = window.end_ms if project.per is Per.HOUR else window.start_ms
        return Span(window.start_ms, window.end_ms, now_ms, timezone, day_ms)
    first_ms = min((row.day_ms for row in rows if row.project == project.id), default=windows.day.start_ms)
    start_ms = first_ms if project.since_ms is None else project.since_ms
    day_ms = min(windows_at(start_ms, timezone).day.start_ms, start_ms)
    return Span(start_ms, project.until_ms, now_ms, timezone, day_ms)


def rows_from_ms(project: Project, now_ms: int, timezone: str) -> int:
    """From which day on rows are needed to see the project's window."""
    if project.per is Per.LIFETIME and project.since_ms is None:
        return 0
    return span_of(project, now_ms, timezone).rows_from_ms


def instant(at_ms: int) -> str:
    """An ISO time in UTC, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def day_of(at_ms: int, timezone: str) -> str:
    """The day that it is then for the team."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(timezone)).date().isoformat()
