"""Log lines with boring defaults, and a small world to judge them by."""

import json
from pathlib import Path
from typing import Any

import orjson
from ruamel.yaml import YAML

from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.catalog import load_catalog
from gatekeeper.replaying.accounts import rules_of
from gatekeeper.replaying.report import OtherWorld, replay, sum_up_shadow
from tests.cli.scene import CATALOG

DAY = "2027-03-01T"
ASKED = {"model": "a-model", "prompt": True}
UNSAID = "project member key_id phase operation resolution aspect_ratio size outputs duration_s audio credits hold_id"
FACTS: dict[str, Any] = dict.fromkeys(UNSAID.split()) | {
    "team": "studio",
    "provider": "own",
    "dialect": "native",
    "model": "a-model",
}


def line(event: str, at: str = "10:00:00", **fields: Any) -> dict[str, Any]:
    """A line of the log; `at` is the time of day."""
    day = at if "T" in at else DAY + at
    return {**FACTS, "timestamp": f"{day}Z", "level": "info", "event": event, "request_id": "r", **fields}


def admitted(hold: str, at: str = "10:00:00", **fields: Any) -> dict[str, Any]:
    """A request that was let by."""
    base = {"hold_id": hold, "credits": 49, "credits_available": 951, "asked": ASKED}
    return line("generation.admitted", at, **{**base, **fields})


def settled(hold: str, at: str = "10:00:09", charged: float = 49, **fields: Any) -> dict[str, Any]:
    """Its end: one picture."""
    base = {"hold_id": hold, "credits_charged": charged, "credits_held": 49, "outcome": "made", "made": {"outputs": 1}}
    return line("generation.settled", at, **{**base, **fields})


def rejected(code: str, at: str = "10:00:00", **fields: Any) -> dict[str, Any]:
    """A request that was refused."""
    return line("generation.rejected", at, **{"code": code, "codes": [code], "asked": ASKED, **fields})


class Place:
    """A directory with a log, a catalog and a teams file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def log(self, *lines: dict[str, Any] | bytes, name: str = "gateway.log") -> Path:
        """A log of these lines."""
        path = self.directory / name
        path.write_bytes(b"".join(each if isinstance(each, bytes) else orjson.dumps(each) + b"\n" for each in lines))
        return path

    def world(self, catalog: str = CATALOG, opening_from_log: bool = False, **team: Any) -> OtherWorld:
        """A team with 1000 credits, but for what is named."""
        (self.directory / "catalog.yaml").write_text(catalog)
        wanted = {"id": "studio", "grants": [{"id": "opening", "credits": 1000}], **team}
        with (self.directory / "teams.yaml").open("w") as file:
            YAML().dump({"teams": [wanted]}, file)
        teams = rules_of(load_teams(self.directory / "teams.yaml"))
        return OtherWorld(load_catalog([self.directory / "catalog.yaml"]), {}, teams, opening_from_log)

    def replay(self, *lines: dict[str, Any] | bytes, **world: Any) -> Any:
        """The report of a log of these lines."""
        return read(replay([self.log(*lines)], self.world(**world), lambda _done, _of: None))


def read(document: dict[str, Any]) -> Any:
    """A document as its JSON is read."""
    return json.loads(orjson.dumps(document))


def shadow_of(*paths: Path) -> Any:
    """The summary of a shadow."""
    return read(sum_up_shadow(list(paths), lambda _done, _of: None))


def sums(found: dict[str, Any]) -> tuple[Any, ...]:
    """Requests, refused before and after, credits before and after."""
    names = ("requests", "refused_before", "refused_after", "credits_before", "credits_after")
    return tuple(found[name] for name in names)
