"""Jobs as lines: those that are open, with their age and deadline, and those that ended last. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gatekeeper.console.standing import State
from gatekeeper.proxy.jobs.record import JobRecord
from gatekeeper.recent import AskedJob, EndedJob, Seen

ENDS: Final = {
    "made": State("Made", "good"),
    "partial": State("Made in part", "warn"),
    "failed": State("Failed", "off"),
    "failed_billable": State("Failed, and charged", "bad"),
    "policy": State("Given up", "bad"),
}
"""How a job ends, in words."""

HEARD: Final = {
    "poll": "by its caller's poll",
    "reconciler": "by asking",
    "webhook": "by the provider's call",
    "decision": "by whoever did the work",
}
"""Who learnt it."""


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """Open jobs of `looked` of these teams, in the order of their ids. `next_cursor`: behind which id it goes on, None:
    these are all. `is_cut`: some team has more than are shown."""

    jobs: tuple[JobRecord, ...]
    teams: int
    looked: int
    next_cursor: str | None
    is_cut: bool


@dataclass(frozen=True, slots=True)
class JobLine:
    """An open job; `left_s` is below 0 when it should have ended. `asked_s`: since a provider was asked, as far as this
    gateway remembers."""

    job: JobRecord
    state: State
    who: str
    age_s: float
    left_s: float
    asked_s: float | None


@dataclass(frozen=True, slots=True)
class EndedLine:
    """A job that ended."""

    seen: EndedJob
    state: State
    heard: str


def job_lines(jobs: Iterable[JobRecord], asked_at_ms: Mapping[str, int], now_ms: int) -> list[JobLine]:
    """Open jobs, the oldest first."""
    lines = [_line(job, asked_at_ms.get(job.hold_id), now_ms) for job in jobs]
    return sorted(lines, key=lambda line: -line.age_s)


def ended_lines(seen: Iterable[Seen]) -> list[EndedLine]:
    """Jobs that ended, the last one first."""
    ended = [each for each in seen if isinstance(each, EndedJob)]
    return [EndedLine(each, ENDS[each.event.outcome], HEARD[each.event.via]) for each in reversed(ended)]


def asked_at(seen: Iterable[Seen]) -> dict[str, int]:
    """When each job was asked about last, by its hold."""
    return {each.hold_id: each.at_ms for each in seen if isinstance(each, AskedJob)}


def _line(job: JobRecord, asked_at_ms: int | None, now_ms: int) -> JobLine:
    age_s = max(now_ms - job.submitted_at_ms, 0) / 1000
    left_s = job.deadline_s - age_s
    who = ", ".join(dict.fromkeys(filter(None, (job.facts.project, job.facts.member, job.facts.key_id))))
    state = State("Overdue", "bad") if left_s < 0 else State("Running", "good")
    asked_s = None if asked_at_ms is None else max(now_ms - asked_at_ms, 0) / 1000
    return JobLine(job, state, who, age_s, left_s, asked_s)
