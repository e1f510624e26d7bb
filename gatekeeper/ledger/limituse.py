"""How far each limit of a team is used, for people to see. The decision itself is hold.lua's; this reads the same way.

Pure: counters and windows in, `LimitUsage` out.
"""

from collections.abc import Mapping

from gatekeeper.ledger.codec import PERIODS, parse_counters
from gatekeeper.ledger.reports import LimitUsage
from gatekeeper.ledger.teamrecord import Limit, Per
from gatekeeper.ledger.windows import Windows


def scopes_of(project: str, member: str, key_id: str) -> list[str]:
    """The scopes a hold counts in: the team, and each of project, member and key that it names."""
    named = (("project", project), ("member", member), ("key", key_id))
    return ["team", *(f"{kind}:{name}" for kind, name in named if name)]


def applying(limits: tuple[Limit, ...], scopes: list[str]) -> list[tuple[str, Limit]]:
    """The limits that apply to these scopes, each with its scope. One by name replaces the general one."""
    by_kind = {scope.partition(":")[0]: scope for scope in scopes}
    by_name = {(limit.scope, limit.per) for limit in limits if ":" in limit.scope}
    found: list[tuple[str, Limit]] = []
    for limit in limits:
        scope = limit.scope if limit.scope in scopes else by_kind.get(limit.scope)
        if scope is not None and (limit.scope == scope or (scope, limit.per) not in by_name):
            found.append((scope, limit))
    return found


def in_force(limit: Limit, at_ms: int) -> tuple[int, int | None]:
    """How much this limit allows at this instant, and until when that is so if it is raised."""
    if limit.raised_to is not None and limit.raised_until_ms is not None and at_ms < limit.raised_until_ms:
        return limit.raised_to, limit.raised_until_ms
    return limit.credits, None


def limit_usage(scope: str, limit: Limit, counters: Mapping[str, str], windows: Windows, at_ms: int) -> LimitUsage:
    """What of this limit is used and held at this instant, in its window or in all."""
    counted = parse_counters(counters.get(scope, ""))
    most, raised_until_ms = in_force(limit, at_ms)
    if limit.per is Per.LIFETIME:
        return LimitUsage(scope, limit.per, most, counted.used, counted.held, None, raised_until_ms)
    window = windows.of(limit.per)
    start, used, held = counted.windows[PERIODS.index(limit.per)]
    if window is None or start < window.start_ms:
        used = held = 0
    resets_at_ms = window.end_ms if window else None
    return LimitUsage(scope, limit.per, most, used, held, resets_at_ms, raised_until_ms)
