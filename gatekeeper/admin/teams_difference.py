"""What differs between two records of a team or a key, in lines for people. No line ever holds a secret or its hash."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.teamrecord import Allowance, Caps, KeyRecord, Limit, Project, TeamRecord

NONE: Final = "none"
"""How a line says that there was or will be nothing."""

_UNITS_MS: Final = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def team_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    """Everything about the team itself that changes."""
    return [*_setting_lines(before, after), *_spending_lines(before, after), *_watching_lines(before, after)]


def _setting_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    lines = []
    if before.timezone != after.timezone:
        lines.append(f"time zone {before.timezone} -> {after.timezone}")
    if before.organisation != after.organisation:
        lines.append(f"organisation {before.organisation or NONE} -> {after.organisation or NONE}")
    if before.frozen != after.frozen:
        lines.append("frozen: nothing is forwarded any more" if after.frozen else "no longer frozen")
    if before.shadow != after.shadow:
        lines.append("in shadow: nothing is refused any more" if after.shadow else "no longer in shadow")
    return lines


def _spending_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    lines = _limit_lines(before, after)
    for name in ("per_request", "open_holds", "held_credits", "requests_per_minute"):
        old, new = _cap(name, before.caps), _cap(name, after.caps)
        lines += [f"cap {name} {old} -> {new}"] if old != new else []
    for name in ("allow", "deny"):
        olds, news = getattr(before, f"models_{name}"), getattr(after, f"models_{name}")
        lines += [f"models {name} {_listed(olds)} -> {_listed(news)}"] if olds != news else []
    if before.retry_guard != after.retry_guard:
        lines.append(f"retry guard {'on' if after.retry_guard else 'off'}")
    return lines


def _watching_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    allowances = ({each.id: _allowance(each) for each in record.allowances} for record in (before, after))
    projects = ({each.id: _project(each) for each in record.projects} for record in (before, after))
    lines = _named_lines("allowance", *allowances) + _named_lines("project", *projects)
    if before.thresholds != after.thresholds:
        lines.append(f"thresholds {_percents(before.thresholds)} -> {_percents(after.thresholds)}")
    if before.alert_url != after.alert_url:
        lines.append(f"alert address {before.alert_url or NONE} -> {after.alert_url or NONE}")
    return lines


def _named_lines(noun: str, olds: Mapping[str, str], news: Mapping[str, str]) -> list[str]:
    lines = []
    for name in dict.fromkeys([*olds, *news]):
        old, new = olds.get(name), news.get(name)
        if old is None:
            lines.append(f"new {noun} {name}, {new}")
        elif new is None:
            lines.append(f"{noun} {name} removed, was {old}")
        elif old != new:
            lines.append(f"{noun} {name}: {old} -> {new}")
    return lines


def _limit_lines(before: TeamRecord, after: TeamRecord) -> list[str]:
    olds = {(limit.scope, limit.per): limit for limit in before.limits}
    news = {(limit.scope, limit.per): limit for limit in after.limits}
    lines = []
    for scope, per in dict.fromkeys([*olds, *news]):
        old, new = olds.get((scope, per)), news.get((scope, per))
        name = f"limit {scope} per {per}"
        if old is None and new is not None:
            raised = f", {_raise(new)}" if new.raised_to is not None else ""
            lines.append(f"new {name}, {amount_text(new.credits)}{raised}")
        elif new is None and old is not None:
            lines.append(f"{name} removed, was {amount_text(old.credits)}")
        elif old is not None and new is not None:
            lines += _changed_limit(name, old, new)
    return lines


def _changed_limit(name: str, old: Limit, new: Limit) -> list[str]:
    lines = [f"{name} {credits_text(old.credits)} -> {amount_text(new.credits)}"] if old.credits != new.credits else []
    if _raise(old) != _raise(new):
        lines.append(f"{name} {_raise(new)}")
    return lines


def _raise(limit: Limit) -> str:
    if limit.raised_to is None:
        return "no longer raised"
    return f"raised to {amount_text(limit.raised_to)} until {instant(limit.raised_until_ms)}"


def _allowance(each: Allowance) -> str:
    periods = f"{each.per}s" if each.lasts_periods != 1 else each.per
    lasts = f"for {each.lasts_periods} {periods}" if each.lasts_periods else "for ever"
    return f"{amount_text(each.credits)} per {each.per} that last {lasts}, from {instant(each.since_ms)} on"


def _project(each: Project) -> str:
    words = [f"{amount_text(each.credits)} per {each.per}" if each.per != "lifetime" else amount_text(each.credits)]
    words += [f"from {instant(each.since_ms)}"] if each.since_ms is not None else []
    words += [f"until {instant(each.until_ms)}"] if each.until_ms is not None else []
    for part in each.parts:
        what = _listed((*part.phases, *part.resolutions))
        words.append(f"{part.name} {part.share_percent} % ({what})")
    if each.high_resolutions:
        only = " in phase final only" if each.high_in_final_only else ""
        words.append(f"{' and '.join(each.high_resolutions)} high{only}")
    return ", ".join(words)


def amount_text(amount: int) -> str:
    """An amount with its unit: 1 credit, 73.5 credits."""
    text = credits_text(amount)
    return f"{text} credit" if text == "1" else f"{text} credits"


def _cap(name: str, caps: Caps) -> str:
    value: int | None = getattr(caps, name)
    if value is None:
        return NONE
    return str(value) if name in {"open_holds", "requests_per_minute"} else amount_text(value)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or NONE


def _percents(thresholds: tuple[int, ...]) -> str:
    return ", ".join(f"{each} %" for each in thresholds) or NONE


def binding_text(key: KeyRecord) -> str:
    """What a new key is bound to, in words."""
    bound = [f"{name} {value}" for name, value in (("project", key.project), ("member", key.member)) if value]
    bound += [f"scopes {_listed(key.scopes)}"] if key.scopes else []
    bound += [f"expires {instant(key.expires_at_ms)}"] if key.expires_at_ms is not None else []
    return f" ({', '.join(bound)})" if bound else ""


def key_lines(before: KeyRecord, after: KeyRecord, overlap_ms: int = 0) -> list[str]:
    """Everything about a key that changes; of a new secret only that there is one."""
    overlap = f", and the one before works for {span_text(overlap_ms)} more" if overlap_ms else ""
    lines = [f"key {after.key_id} gets a new secret{overlap}"] if before.sha256 != after.sha256 else []
    shown = (
        ("project", before.project or NONE, after.project or NONE),
        ("member", before.member or NONE, after.member or NONE),
        ("scopes", _listed(before.scopes or ("all",)), _listed(after.scopes or ("all",))),
        ("expires", instant(before.expires_at_ms), instant(after.expires_at_ms)),
        ("revoked", "yes" if before.revoked else "no", "yes" if after.revoked else "no"),
    )
    return lines + [f"key {after.key_id} {name} {old} -> {new}" for name, old, new in shown if old != new]


def span_text(span_ms: int) -> str:
    """A stretch of time in the largest unit that needs no fraction: 2 d, 36 h."""
    unit, size_ms = next((each for each in _UNITS_MS if span_ms % each[1] == 0), _UNITS_MS[-1])
    return f"{span_ms // size_ms} {unit}"


def instant(at_ms: int | None) -> str:
    """An instant as people read it."""
    return "never" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
