"""A teams file that says what the store has, so that what was made by hand can be kept as a file, or replayed against.

Applied to the same store it changes nothing. Secrets are in no store: keys stand in comments, to be completed. What
came of allowances and transfers is no grant of the file's, and is told in a comment. Pure.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.reports import Grant
from gatekeeper.ledger.teamrecord import Allowance, KeyRecord, Limit, Project, TeamRecord
from gatekeeper.web.auth import NAME

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NO_TEXT: Final = frozenset({"true", "false", "null"})
"""Plain words that YAML 1.2 takes for something else."""

_KEYS_HEAD: Final = "    # keys: # the store has no secrets; say where each is and take the # away"


class _Bare(str):
    """Text that is written as it stands: a number, an instant."""

    __slots__ = ()


def teams_text(teams: Iterable[tuple[TeamRecord, Iterable[Grant], Iterable[KeyRecord]]]) -> str:
    """The file, team by team."""
    lines = [line for each in teams for line in _team_lines(*each)]
    return "\n".join(["teams:" if lines else "teams: []", *lines, ""])


def _team_lines(record: TeamRecord, grants: Iterable[Grant], keys: Iterable[KeyRecord]) -> list[str]:
    given = list(grants)
    own = [grant for grant in given if NAME.fullmatch(grant.id)]
    blank = TeamRecord(record.id)
    settings: dict[str, Any] = {
        name: getattr(record, name)
        for name in ("organisation", "frozen", "shadow", "retry_guard", "thresholds", "alert_url")
        if getattr(record, name) != getattr(blank, name)
    }
    settings["caps"] = {
        name: _credits(value) if name in {"per_request", "held_credits"} else value
        for name, value in asdict(record.caps).items()
        if value is not None
    }
    if (record.models_allow, record.models_deny) != (blank.models_allow, blank.models_deny):
        settings["models"] = {"allow": record.models_allow, "deny": record.models_deny}
    lines = [f"  - id: {_flow(record.id)}", f"    timezone: {_flow(record.timezone)}"]
    lines += [f"    {name}: {_flow(value)}" for name, value in settings.items() if value != {}]
    lines += _list("grants", map(_grant, own))
    if len(own) < len(given):
        lines.append(f"    # {len(given) - len(own)} more came of allowances and transfers")
    lines += _list("allowances", map(_allowance, record.allowances))
    lines += _list("limits", map(_limit, record.limits))
    lines += _list("projects", map(_project, record.projects))
    commented = [f"    #   - {_flow(_key(record.id, key))}" for key in keys]
    return [*lines, _KEYS_HEAD, *commented] if commented else lines


def _list(name: str, entries: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = [f"      - {_flow({key: value for key, value in each.items() if value is not None})}" for each in entries]
    return [f"    {name}:", *lines] if lines else []


def _grant(grant: Grant) -> dict[str, Any]:
    return {"id": grant.id, "credits": _credits(grant.amount), "expires_at": _instant(grant.expires_at_ms)}


def _allowance(each: Allowance) -> dict[str, Any]:
    since = _instant(each.since_ms)
    return {
        "id": each.id, "credits": _credits(each.credits), "per": str(each.per), "since": since,
        "lasts_periods": each.lasts_periods,
    }  # fmt: skip


def _limit(limit: Limit) -> dict[str, Any]:
    return {
        "scope": limit.scope,
        "per": str(limit.per),
        "credits": _credits(limit.credits),
        "raised_to": None if limit.raised_to is None else _credits(limit.raised_to),
        "raised_until": _instant(limit.raised_until_ms),
    }


def _project(project: Project) -> dict[str, Any]:
    parts = [
        {name: value for name, value in asdict(part).items() if value != ()} for part in project.parts
    ]  # fmt: skip
    return {
        "id": project.id,
        "credits": _credits(project.credits),
        "per": str(project.per),
        "parts": parts or None,
        "high_resolutions": project.high_resolutions or None,
        "high_in_final_only": project.high_in_final_only or None,
        "since": _instant(project.since_ms),
        "until": _instant(project.until_ms),
    }


def _key(team: str, key: KeyRecord) -> dict[str, Any]:
    variable = re.sub(r"[^A-Z0-9]", "_", f"{team}_{key.key_id}_KEY".upper())
    facts: dict[str, Any] = {
        "id": key.key_id, "secret": {"env": variable}, "project": key.project or None, "member": key.member or None,
        "scopes": key.scopes or None, "revoked": key.revoked or None, "expires_at": _instant(key.expires_at_ms),
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value is not None}


def _credits(amount: int) -> _Bare:
    return _Bare(credits_text(amount))


def _instant(at_ms: int | None) -> _Bare | None:
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return _Bare(at.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds").replace("+00:00", "Z"))


def _flow(value: Any) -> str:
    """A value in one line of YAML; text that could be taken for something else in quotes, which JSON and YAML share."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | _Bare():
            return str(value)
        case str():
            is_plain = _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT
            return value if is_plain else json.dumps(value, ensure_ascii=False)
        case Mapping():
            return "{" + ", ".join(f"{name}: {_flow(each)}" for name, each in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(_flow, value)) + "]"
