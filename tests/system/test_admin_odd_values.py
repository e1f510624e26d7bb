"""Odd values in every place of every body and query: never a failure inside, always a document or a problem."""

import json
from collections.abc import Iterator
from typing import Any

from gatekeeper.admin.routes import ROUTES
from tests.system.adminworld import Admin
from tests.system.conftest import StartWorld

WHEN = "2099-01-01T00:00:00Z"
HOLD = "0" * 32
LIMIT = {"scope": "member:amy", "per": "day", "credits": 5, "raised_to": 9, "raised_until": WHEN}

BODIES: dict[str, dict[str, Any]] = {
    "createTeam": {"id": "new", "timezone": "UTC", "organisation": "o", "frozen": False, "shadow": False, "why": "w",
                   "retry_guard": True, "caps": {"per_request": 5, "open_holds": 1}, "models": {"allow": ["*"]}},
    "changeTeam": {"timezone": "UTC", "organisation": "o", "caps": {"requests_per_minute": 1, "held_credits": 5}},
    "removeTeam": {"why": "w"},
    "createKey": {"id": "k", "project": "p", "member": "m", "scopes": ["read"], "expires_at": WHEN},
    "changeKey": {"project": "p", "member": "m", "scopes": ["read"], "expires_at": WHEN, "revoked": False},
    "removeKey": {"why": "w"},
    "rotateKey": {"overlap_s": 5},
    "giveGrant": {"id": "g", "credits": 5, "expires_at": WHEN, "note": "n"},
    "giveRefund": {"id": "r", "hold_id": HOLD, "seq": 1, "credits": 5},
    "makeTransfer": {"id": "t", "to": "other", "credits": 5},
    "putAllowances": {"allowances": [{"id": "a", "credits": 5, "per": "month", "since": WHEN, "lasts_periods": 1}]},
    "putLimits": {"limits": [LIMIT]},
    "changeLimits": {"set": [LIMIT], "remove": [{"scope": "team", "per": "day"}]},
    "putProjects": {"projects": [{"id": "p", "credits": 5, "per": "lifetime", "since": WHEN, "until": WHEN,
                                  "high_resolutions": ["4K"], "high_in_final_only": True, "parts": [
                                      {"name": "a", "share_percent": 5, "phases": ["x"], "resolutions": ["1K"]}]}]},
    "putAlerts": {"thresholds": [50], "alert_url": "https://example.com/"},
    "changeAlerts": {"thresholds": [50], "alert_url": ""},
    "settleHold": {"credits": 5, "running": True, "why": "w"},
    "releaseHold": {"running": True, "why": "w"},
}  # fmt: skip
"""A body of each route with every field in it."""

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**30, 0.1, "", "\x00", "\u202e", "é" * 300, "\ud800", "../..", "9999-12-31T23:59:59.9Z",
    "0001-01-01T00:00:00+23:59", "http://[::1", "https://x:99999/", [], [[]], {}, {"": {}},
)  # fmt: skip
WORDS = (
    "", "-1", "0", "999999999999999", "9" * 40, "%00", "%ff", "%F0%9F%98%80", "..", "2026-02-30", "a,b", "1e3", "0x10",
    "9999-12-31T23:59:59.999Z", "0001-01-01", "model,,day", "%D9%A1",
)  # fmt: skip


def odd_bodies(body: Any) -> Iterator[Any]:
    """The body with each of its values replaced by each odd one."""
    yield from ODD
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for place, value in items:
        for odd in odd_bodies(value):
            changed = dict(body) if isinstance(body, dict) else list(body)
            changed[place] = odd
            yield changed


async def test_odd_values_anywhere_are_answered(start_world: StartWorld) -> None:
    """Each is done or refused with a problem; none is a failure inside, and the books are right after it all."""
    world = await start_world(provider_url="http://127.0.0.1:9")
    admin = Admin(world)
    await admin.done("POST", "/teams", {"id": "other"})
    failed, asked = [], 0
    routes = {route.name: route for route in ROUTES}

    for name, body in BODIES.items():
        await admin.ask("POST", "/teams", {"id": "studio"})
        await admin.ask("POST", "/teams/studio/keys", {"id": "ci"})
        path = routes[name].path.format(team="studio", key="ci", hold=HOLD, grant="g").removeprefix("/admin/v1")
        for odd in odd_bodies(body):
            answer = await admin.ask(routes[name].method, path, raw=json.dumps(odd).encode())
            asked += 1
            if answer.status >= 500 or (not {"detail", "code"} <= answer.json.keys() and answer.status >= 400):
                failed.append((name, odd, answer.status, answer.body[:200]))

    assert [] == failed
    assert {route.name for route in ROUTES if route.body} == set(BODIES)
    assert asked > 1000
    assert () == (await world.gateway.store.ledger.verify("studio")).differences


async def test_odd_queries_are_answered(start_world: StartWorld) -> None:
    """The same behind the question mark, for every route that is read."""
    world = await start_world(provider_url="http://127.0.0.1:9")
    admin = Admin(world)
    await admin.found()
    failed = []

    for route in ROUTES:
        if route.method == "GET":
            path = route.path.format(team="studio", key="ci", hold=HOLD, grant="opening")
            names = [field.alias or name for name, field in route.query.model_fields.items()]
            for query in (f"{name}={word}" for name in [*names, "other"] for word in WORDS):
                answer = await admin.spoken(f"GET {path}?{query}")
                if answer.status >= 500:
                    failed.append((path, query, answer.status, answer.body[:200]))

    assert [] == failed
