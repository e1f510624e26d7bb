"""A replay's report, and the summary of a shadow: one document each, which the command prints as JSON or as tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from gatekeeper.admin.teams_schema import TeamEntry
from gatekeeper.catalog import Catalog
from gatekeeper.dialects.facts import credits_number
from gatekeeper.replaying.accounts import Accounts
from gatekeeper.replaying.judging import Judge
from gatekeeper.replaying.lines import LogFiles, LogLine, Progress, read_credits
from gatekeeper.replaying.rerun import Rerun
from gatekeeper.replaying.tally import Reason, Table, Tally, refusal_document
from gatekeeper.settings import ProviderSettings
from gatekeeper.web.answers import iso_time


@dataclass(frozen=True, slots=True)
class OtherWorld:
    """What the requests are judged by."""

    catalog: Catalog
    providers: Mapping[str, ProviderSettings]
    teams: Mapping[str, TeamEntry]
    opening_from_log: bool = False


def replay(paths: Sequence[Path], world: OtherWorld, on_progress: Progress) -> dict[str, Any]:
    """Reads the logs once and says what would have become of their requests. Raises OSError."""
    files = LogFiles(paths)
    accounts = Accounts(world.teams, world.opening_from_log)
    rerun = Rerun(Judge(world.catalog, world.providers), accounts)
    for line in files.events(on_progress):
        rerun.feed(line)
    return {
        "logs": _logs(files, rerun.begun_at_ms, rerun.ended_at_ms),
        "catalog": world.catalog.digest,
        **rerun.whole.document(),
        "teams": _rows("team", rerun.teams),
        "models": _rows("model", rerun.models),
        "codes": [
            {"code": code, "before": found.before, "after": found.after}
            for code, found in sorted(rerun.codes.rows.items())
        ],
        "refusals": list(_refusals(rerun)),
        "not_judged": {
            "refused_for_other_reasons": dict(sorted(rerun.left_out.items())),
            "untold": rerun.untold,
            "still_running": rerun.running,
            "begun_before": rerun.earlier,
            "credits_begun_before": credits_number(rerun.earlier_credits),
            "teams_without_rules": sorted(filter(None, accounts.unknown)),
        },
    }


def _rows(name: str, table: Table[Tally]) -> list[dict[str, Any]]:
    return [{name: key, **tally.document()} for key, tally in sorted(table.rows.items())]


def _refusals(rerun: Rerun) -> Iterator[dict[str, Any]]:
    """The most frequent first."""
    rows: list[tuple[Reason, Any]] = sorted(rerun.refusals.rows.items(), key=lambda row: -row[1].requests)
    return (refusal_document(why, found) for why, found in rows)


def _logs(files: LogFiles, begun_at_ms: int | None, ended_at_ms: int | None) -> dict[str, Any]:
    return {
        "files": [str(path) for path in files.paths],
        "lines": files.lines,
        "unreadable": files.unreadable,
        "cut": files.cut,
        "from": None if begun_at_ms is None else iso_time(begun_at_ms),
        "to": None if ended_at_ms is None else iso_time(ended_at_ms),
    }


@dataclass(slots=True)
class Shadowed:
    """Requests that shadow mode let by. `held` is what was held for them; a request without a price holds nothing."""

    requests: int = 0
    unpriced: int = 0
    held: int = 0


@dataclass(slots=True)
class _Shadow:
    """What is known of a shadow so far; `by` has a table for each way to look at it."""

    whole: Shadowed = field(default_factory=Shadowed)
    by: dict[str, Table[Shadowed]] = field(
        default_factory=lambda: {name: Table(Shadowed) for name in ("team", "code", "model")}
    )
    begun_at_ms: int | None = None
    ended_at_ms: int | None = None

    def feed(self, line: LogLine) -> None:
        self.begun_at_ms = line.at_ms if self.begun_at_ms is None else self.begun_at_ms
        self.ended_at_ms = line.at_ms
        if line.event != "generation.shadowed":
            return
        amount = read_credits(line.fields.get("credits_held"))
        rows = [table.row(str(line.fields.get(name) or "")) for name, table in self.by.items()]
        for row in (self.whole, *rows):
            row.requests += 1
            row.unpriced += amount is None
            row.held += amount or 0


def sum_up_shadow(paths: Sequence[Path], on_progress: Progress) -> dict[str, Any]:
    """Reads the logs once and sums up what shadow mode let by. Raises OSError."""
    files, shadow = LogFiles(paths), _Shadow()
    for line in files.events(on_progress):
        shadow.feed(line)
    tables = {
        f"{name}s": [{name: key, **_shadowed(row)} for key, row in _largest_first(table.rows)]
        for name, table in shadow.by.items()
    }
    return {"logs": _logs(files, shadow.begun_at_ms, shadow.ended_at_ms), **_shadowed(shadow.whole), **tables}


def _shadowed(row: Shadowed) -> dict[str, Any]:
    return {"requests": row.requests, "unpriced": row.unpriced, "credits_at_stake": credits_number(row.held)}


def _largest_first(rows: Mapping[str, Shadowed]) -> list[tuple[str, Shadowed]]:
    by_size: Callable[[tuple[str, Shadowed]], int] = lambda row: -row[1].requests  # noqa: E731
    return sorted(sorted(rows.items(), key=itemgetter(0)), key=by_size)
