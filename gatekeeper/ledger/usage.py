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


def limit_usage(scope: str, limit: Limit, counters: Mapping[str, str], windows: Windows) -> LimitUsage:
    """What of this limit is used and held, in its window or in all."""
    counted = parse_counters(counters.get(scope, ""))
    if limit.per is Per.LIFETIME:
        return LimitUsage(scope, limit.per, limit.credits, counted.used, counted.held, None)
    window = windows.of(limit.per)
    start, used, held = counted.windows[PERIODS.index(limit.per)]
    if window is None or start < window.start_ms:
        used = held = 0
    return LimitUsage(scope, limit.per, limit.credits, used, held, window.end_ms if window else None)
