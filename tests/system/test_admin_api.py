"""The admin API as it is used: every route, what it answers, and that the OpenAPI document says just that."""

import re
import secrets
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from gatekeeper.admin.openapi import openapi_document
from gatekeeper.admin.plane import AdminPlane
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.records import Held, HoldOrder, OnUnknown
from gatekeeper.web.auth import key_sha256
from tests.later import Later
from tests.system.adminworld import TEAM, Admin
from tests.system.conftest import StartWorld
from tests.system.world import Answer, World

judge = Later("openapi_spec_validator")

OPEN = {"/healthz", "/readyz", "/metrics"}


@pytest.fixture(name="admin")
async def _admin(start_world: StartWorld) -> AsyncIterator[Admin]:
    world = await start_world()
    yield Admin(world)
    await world.assert_books_clean()


async def a_hold(admin: Admin) -> str:
    """An open hold of the team whose outcome nobody knows."""
    ledger = admin.world.gateway.store.ledger
    order = HoldOrder(
        new_hold_id(await ledger.now_ms("studio"), secrets.randbits(74)), "studio", 40_000_000, ttl_ms=60_000,
        grace_ms=60_000, on_unknown=OnUnknown.KEEP,
    )  # fmt: skip
    assert isinstance(await ledger.hold(order), Held)
    return order.hold_id


async def play(admin: Admin) -> None:
    """Each route at least once, with each of its statuses."""
    done, world = admin.done, admin.world
    await admin.found(1000, timezone="Europe/Berlin", organisation="house", caps={"per_request": 300.5})
    await admin.found(0, timezone="Europe/Berlin")
    world.teams.pop()
    await done("POST", "/teams", {"id": "other", "organisation": "house"})
    await done("PATCH", TEAM, {"models": {"deny": ["recraft-*"]}, "why": "too dear"})
    key = await admin.new_key(project="spring", scopes=["generate"], expires_at="2099-01-01T00:00:00+02:00")
    await done("PATCH", f"{TEAM}/keys/ci", {"scopes": []})
    made = await world.native(key)
    for path, body in (
        ("/grants", {"id": "extra", "credits": 0.5, "expires_at": "2099-01-01T00:00:00Z", "note": "sorry"}),
        ("/refunds", {"id": "sorry", "hold_id": made.headers["Gatekeeper-Hold-Id"], "credits": 9}),
        ("/transfers", {"id": "hand", "to": "other", "credits": 100}),
    ):
        assert [201, 200] == [(await admin.ask("POST", TEAM + path, body)).status for _ in range(2)]
    await done("POST", f"{TEAM}/keys", {"id": "spare"})
    await done("POST", f"{TEAM}/keys", {"id": "spare"})
    await done("POST", f"{TEAM}/keys/ci/rotate", {"overlap_s": 60})
    limit = {"scope": "member", "per": "day", "credits": 20}
    await done("PUT", f"{TEAM}/limits", {"limits": [limit, {**limit, "scope": "member:amy"}]})
    raised = {"raised_to": 900, "raised_until": "2099-01-01T00:00:00Z"}
    gone = {"remove": [{"scope": "member:amy", "per": "day"}]}
    await done("PATCH", f"{TEAM}/limits", {"set": [{"scope": "team", "per": "month", "credits": 5, **raised}], **gone})
    await done("PUT", f"{TEAM}/allowances", {"allowances": [{"id": "monthly", "credits": 50, "per": "month"}]})
    parts = [{"name": "drafts", "share_percent": 70, "phases": ["iteration"], "resolutions": ["1K"]}]
    await done("PUT", f"{TEAM}/projects", {"projects": [{"id": "spring", "credits": 500, "parts": parts}]})
    await done("PUT", f"{TEAM}/alerts", {"thresholds": [90, 50], "alert_url": "https://hooks.example.com/x"})
    await done("PATCH", f"{TEAM}/alerts", {"thresholds": [90, 50, 20]})
    first, second, third = await a_hold(admin), await a_hold(admin), await a_hold(admin)
    await done("GET", f"{TEAM}/holds/{first}")
    await done("GET", f"{TEAM}/holds")
    await admin.ask("POST", f"{TEAM}/holds/{first}/settle", {"credits": 40, "why": "w"})
    await world.gateway.store.ledger.mark_unknown(second, "studio")
    await done("POST", f"{TEAM}/holds/{second}/settle", {"credits": 12.5, "why": "made after all"})
    await done("POST", f"{TEAM}/holds/{first}/release", {"why": "nothing came", "running": True})
    await done("POST", f"{TEAM}/holds/{third}/release", {"running": True}, Gatekeeper_Why="nothing came")
    for path in (
        "",
        "/keys/ci",
        "/grants/extra",
        "/journal",
        "/signals",
        "/usage",
        "/usage?by=model,day,phase&from=2026-01-01",
    ):
        await done("GET", TEAM + path)
    for name in ("grants", "keys", "refunds", "transfers", "limits", "allowances", "projects", "alerts"):
        await done("GET", f"{TEAM}/{name}")
    await admin.ask("GET", f"{TEAM}/usage?format=csv")
    await done("GET", f"{TEAM}/alerts/deliveries")
    await done("DELETE", f"{TEAM}/keys/spare", {"why": "not used"})
    await done("GET", "/teams")
    await done("GET", "/verify?team=studio")
    await done("POST", "/catalog/reload")
    await done("GET", "/openapi.json")
    await done("DELETE", TEAM)


def route_of(document: dict[str, Any], path: str) -> str:
    """The document's path that this one is of."""
    asked = "/admin/v1" + path.partition("?")[0]
    fitting = [each for each in document["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), asked)]
    return min(fitting, key=lambda each: each.count("{"))


def check(document: dict[str, Any], method: str, path: str, answer: Answer) -> None:
    """The answer is one that the document has for its route and status."""
    told = document["paths"][route_of(document, path)][method.lower()]["responses"][str(answer.status)]
    told = document["components"]["responses"][told["$ref"].rpartition("/")[2]] if "$ref" in told else told
    told = told["content"]
    media = answer.headers["Content-Type"].partition(";")[0]
    if media != "text/csv":
        jsonschema.Draft202012Validator(told[media]["schema"] | {"components": document["components"]}).validate(
            answer.json
        )


async def test_every_route_answers_as_the_openapi_document_says(admin: Admin) -> None:
    """Each of the document's routes was called, and each answer fits the schema of its status, problems too."""
    await play(admin)

    document = next(answer.json for _, path, answer in admin.seen if path == "/openapi.json")
    for method, path, answer in admin.seen:
        check(document, method, path, answer)
    called = {(method, route_of(document, path)) for method, path, answer in admin.seen if answer.status < 300}
    assert {(m.upper(), path) for path, item in document["paths"].items() for m in item} == called
    assert openapi_document() == document


async def test_the_document_and_the_application_have_the_same_routes(admin: Admin) -> None:
    """What is served is described, and what is described is served; the document is valid OpenAPI 3.1."""
    parts: Any = None
    app = AdminPlane("token", parts, parts, parts, parts, parts, parts).application()
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD" and route.resource.canonical not in OPEN
    }
    document = openapi_document()

    assert {(m.upper(), path) for path, item in document["paths"].items() for m in item} == served
    judge.OpenAPIV31SpecValidator(document).validate()


async def test_no_secret_or_hash_is_told_but_once(admin: Admin) -> None:
    """The secret is in the answers that made it; neither it nor its hash is in any other, the journal or the log."""
    await play(admin)

    made = [a for _, path, a in admin.seen if path.endswith(("/keys", "/rotate")) and b'"secret":"' in a.body]
    shown = [answer.json["secret"] for answer in made]
    others = b"".join(answer.body for _, _, answer in admin.seen if answer not in made)
    entries = repr(await admin.world.gateway.store.ledger.journal("studio", count=1000)).encode()
    told = others + entries + admin.world.log.getvalue()
    assert (3, 3) == (len(shown), len(set(shown)))
    assert [] == [each for each in shown if each.encode() in told or key_sha256(each).encode() in told]
    assert {"no-store"} == {answer.headers["Cache-Control"] for answer in made}


async def test_who_and_why_are_in_the_journal(admin: Admin) -> None:
    """The headers say it, a body's why comes first, and `admin` is who did it if nobody says so."""
    await admin.found(timezone="UTC")
    await admin.done("PATCH", TEAM, {"frozen": True}, Gatekeeper_Actor="amy", Gatekeeper_Why="overspent")
    await admin.done("PATCH", TEAM, {"frozen": False, "why": "paid"}, Gatekeeper_Actor="bob", Gatekeeper_Why="x")
    await admin.done("POST", f"{TEAM}/keys", {"id": "ci", "why": "for the build"})
    await admin.done("DELETE", f"{TEAM}/keys/ci", {"why": "no more"}, Gatekeeper_Actor="amy")

    entries = (await admin.done("GET", f"{TEAM}/journal?after=2"))["entries"]
    assert [
        ("team", "amy", "overspent"), ("team", "bob", "paid"), ("key", "admin", "for the build"),
        ("key", "amy", "no more"),
    ] == [(entry["kind"], entry["actor"], entry["why"]) for entry in entries]  # fmt: skip


async def test_lists_come_in_pages(admin: Admin) -> None:
    """Every page but the last has a cursor, and the pages have everything once, by name."""
    await admin.found()
    for number in range(7):
        await admin.done("POST", "/teams", {"id": f"t{number}"})
        await admin.done("POST", f"{TEAM}/keys", {"id": f"k{number}"})
        await admin.done("POST", f"{TEAM}/grants", {"id": f"g{number}", "credits": 1})
    holds = [await a_hold(admin) for _ in range(5)]

    found = {}
    for name, path in (("teams", "/teams"), ("keys", f"{TEAM}/keys"), ("grants", f"{TEAM}/grants"),
                       ("holds", f"{TEAM}/holds")):  # fmt: skip
        pages, cursor = [], ""
        while cursor is not None:
            page = await admin.done("GET", f"{path}?limit=3&cursor={cursor}")
            pages.append([each["id"] for each in page[name]])
            cursor = page["next_cursor"]
        found[name] = pages
    for hold in holds:
        await admin.done("POST", f"{TEAM}/holds/{hold}/release", {"why": "w", "running": True})

    assert [["studio", "t0", "t1"], ["t2", "t3", "t4"], ["t5", "t6"]] == found["teams"]
    assert [["k0", "k1", "k2"], ["k3", "k4", "k5"], ["k6"]] == found["keys"]
    assert [["g0", "g1", "g2"], ["g3", "g4", "g5"], ["g6", "opening"]] == found["grants"]
    assert [sorted(holds)[:3], sorted(holds)[3:]] == found["holds"]


async def test_the_journal_comes_in_pages(admin: Admin) -> None:
    """Behind an entry so many more; the last page has no next one."""
    await admin.found()
    for number in range(5):
        await admin.done("POST", f"{TEAM}/grants", {"id": f"g{number}", "credits": 1})

    seqs, after = [], 0
    while after is not None:
        page = await admin.done("GET", f"{TEAM}/journal?after={after}&count=3")
        seqs.append([entry["seq"] for entry in page["entries"]])
        after = page["next_after"]

    assert [[1, 2, 3], [4, 5, 6], [7]] == seqs


async def test_amounts_are_exact(admin: Admin) -> None:
    """Six decimals go in and come out, large ones too; no float is in between."""
    await admin.found(0)
    exact = b'{"id":"g","credits":123456789.123457}'

    answer = await admin.ask("POST", f"{TEAM}/grants", raw=exact)

    assert b'"credits":123456789.123457' in answer.body
    assert b'"available":123456789.123457' in (await admin.ask("GET", TEAM)).body


async def test_a_limit_below_what_is_spent_is_taken_and_says_so(admin: Admin) -> None:
    """The answer has what is used beside the limit, and the next generation is refused."""
    await admin.found()
    key = await admin.new_key(member="amy")
    await admin.world.native(key)

    limits = await admin.done("PUT", f"{TEAM}/limits", {"limits": [
        {"scope": "member:amy", "per": "day", "credits": 10}, {"scope": "member", "per": "day", "credits": 10},
    ]})  # fmt: skip

    told = [(each["scope"], each["used"], each["in_force"], each["exhausted"]) for each in limits["limits"]]
    assert [("member:amy", 49, 10, True), ("member", None, 10, False)] == told
    assert 402 == (await admin.world.native(key)).status


async def test_alerts_are_put_whole_or_changed_in_part(admin: Admin) -> None:
    """A PATCH leaves what it does not say; a PUT does not."""
    await admin.found(0)
    url = {"alert_url": "https://hooks.example.com/x"}

    first = await admin.done("PUT", f"{TEAM}/alerts", {"thresholds": [90, 50], **url})
    second = await admin.done("PATCH", f"{TEAM}/alerts", {"thresholds": [70]})
    third = await admin.done("PUT", f"{TEAM}/alerts", {"thresholds": [60]})

    assert [{"thresholds": [50, 90], **url}, {"thresholds": [70], **url}] == [first, second]
    assert {"thresholds": [60], "alert_url": ""} == third


async def test_a_removed_team_keeps_its_books_and_its_name(admin: Admin) -> None:
    """Frozen, without keys; what was spent stays, and its id is not given to another."""
    await admin.found()
    key = await admin.new_key()
    await admin.world.native(key)

    assert {"id": "studio", "frozen": True, "keys_removed": 1} == await admin.done("DELETE", TEAM)
    team = await admin.done("GET", TEAM)
    assert (True, 49, 951) == (team["frozen"], team["balance"]["charged"], team["balance"]["available"])
    assert 409 == (await admin.ask("POST", "/teams", {"id": "studio", "frozen": False})).status


async def test_a_store_that_is_away_is_told(admin: Admin) -> None:
    """503 with Retry-After; the same request works when it is back."""
    await admin.found()
    world: World = admin.world
    client = world.gateway.store.ledger._client

    async def away(*_: object, **__: object) -> Any:
        raise LedgerUnavailable("nobody there", maybe_executed=False)

    command, client.command = client.command, away  # type: ignore[method-assign]
    try:
        answer = await admin.ask("GET", TEAM)
    finally:
        client.command = command  # type: ignore[method-assign]

    assert (503, "5", "ledger_unavailable") == (answer.status, answer.headers["Retry-After"], answer.json["code"])
    assert 200 == (await admin.ask("GET", TEAM)).status
