"""Credits that are moved by hand: holds that are ended, refunds, transfers; what is refused of it changes nothing."""

import re
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekeeper.admin.routes import ROUTES
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.records import Held, HoldOrder, OnUnknown
from tests.system.adminworld import TEAM, Admin
from tests.system.conftest import StartWorld

LATER = "2099-01-01T00:00:00Z"


@pytest.fixture(name="admin")
async def _admin(start_world: StartWorld) -> AsyncIterator[Admin]:
    admin = Admin(await start_world())
    await admin.found(organisation="house")
    yield admin
    await admin.world.assert_books_clean()


async def held(admin: Admin) -> str:
    """An open hold of 40 credits."""
    ledger = admin.world.gateway.store.ledger
    hold_id = new_hold_id(await ledger.now_ms("studio"), secrets.randbits(74))
    order = HoldOrder(hold_id, "studio", 40_000_000, ttl_ms=60_000, grace_ms=60_000, on_unknown=OnUnknown.KEEP)
    assert isinstance(await ledger.hold(order), Held)
    return hold_id


async def refused(admin: Admin, path: str, body: Any) -> tuple[int, str, str]:
    """A call that must change nothing: status, code and what is said."""
    before = await admin.state()
    answer = await admin.ask("POST", TEAM + path, body)
    assert before == await admin.state()
    return answer.status, answer.json["code"], answer.json["detail"]


async def test_a_note_and_a_reason_are_both_kept(admin: Admin) -> None:
    """What a grant is for, and why it was given, stand in its journal entry."""
    await admin.done(
        "POST", f"{TEAM}/grants", {"id": "more", "credits": 5, "note": "spring"}, Gatekeeper_Why="asked for"
    )

    (entry,) = (await admin.done("GET", f"{TEAM}/journal"))["entries"][-1:]
    assert ("more", "spring: asked for") == (entry["id"], entry["why"])


async def test_a_hold_that_runs_is_ended_only_on_purpose(admin: Admin) -> None:
    """409 tells when it ends by itself; with `running` it is ended, and its credits are free."""
    hold = await held(admin)

    status, code, detail = await refused(admin, f"/holds/{hold}/release", {"why": "w"})

    assert (409, "hold_running") == (status, code)
    assert "running" in detail
    done = await admin.done("POST", f"{TEAM}/holds/{hold}/release", {"why": "w", "running": True})
    assert ("released", 40, 1000) == (done["status"], done["credits_freed"], done["credits_available"])


async def test_a_hold_ends_once(admin: Admin) -> None:
    """The same again says so; another amount is refused, and so is more than was agreed to, before and after."""
    hold = await held(admin)
    path, body = f"/holds/{hold}/settle", {"credits": 12.5, "why": "made", "running": True}
    more = {**body, "credits": 40.000001}

    first = await refused(admin, path, more)
    done = [await admin.done("POST", TEAM + path, body) for _ in range(2)]
    again = [await refused(admin, path, {**body, "credits": 13}), await refused(admin, path, more)]

    assert ["settled", "duplicate"] == [each["status"] for each in done]
    assert [(422, "invalid"), (409, "hold_ended"), (422, "invalid")] == [each[:2] for each in (first, *again)]
    assert "40 credits: nobody agreed to more" in first[2]
    entry = (await admin.done("GET", f"{TEAM}/journal?after=3"))["entries"][0]
    assert ("settle", 12.5, "by hand (admin): made") == (entry["kind"], entry["charged"], entry["why"])


async def test_an_end_by_hand_needs_a_reason(admin: Admin) -> None:
    """Somebody will read the journal."""
    hold = await held(admin)

    assert (422, "invalid") == (await refused(admin, f"/holds/{hold}/release", {"running": True}))[:2]
    assert (422, "invalid") == (await refused(admin, f"/holds/{hold}/release", {"why": "  ", "running": True}))[:2]
    await admin.done("POST", f"{TEAM}/holds/{hold}/release", {"running": True}, Gatekeeper_Why="over")


async def test_a_hold_of_another_team_is_not_there(admin: Admin) -> None:
    """A hold is found below its own team only."""
    await admin.done("POST", "/teams", {"id": "other"})
    hold = await held(admin)
    asked = f"/teams/other/holds/{hold}"

    answers = [
        await admin.ask("GET", asked),
        await admin.ask("POST", f"{asked}/release", {"why": "w", "running": True}),
        await admin.ask("POST", f"{asked}/settle", {"why": "w", "credits": 1, "running": True}),
    ]

    assert [(404, "hold_not_found")] * 3 == [(answer.status, answer.json["code"]) for answer in answers]
    await admin.done("POST", f"{TEAM}/holds/{hold}/release", {"why": "w", "running": True})


async def test_no_more_is_given_back_than_was_charged(admin: Admin) -> None:
    """In parts up to the charge; then nothing is left, in words with amounts in credits."""
    hold = (await admin.world.native(await admin.new_key())).headers["Gatekeeper-Hold-Id"]
    too_much = await refused(admin, "/refunds", {"id": "r0", "hold_id": hold, "credits": 49.5})
    first = await admin.done("POST", f"{TEAM}/refunds", {"id": "r1", "hold_id": hold, "credits": 9})
    rest = await admin.done("POST", f"{TEAM}/refunds", {"id": "r2", "hold_id": hold})
    nothing = await refused(admin, "/refunds", {"id": "r3", "hold_id": hold, "credits": 1})
    other = await refused(admin, "/refunds", {"id": "r1", "hold_id": hold, "credits": 8})

    assert (422, "invalid", True) == (*too_much[:2], "has 49 credits left" in too_much[2])
    assert [(9, 40), (40, 0)] == [(each["credits"], each["charged"]) for each in (first, rest)]
    assert (422, True) == (nothing[0], "has 0 credits left" in nothing[2])
    assert (409, "already_exists") == other[:2]
    assert 1000 == (await admin.done("GET", TEAM))["balance"]["available"]


async def test_a_transfer_stays_in_the_organisation(admin: Admin) -> None:
    """Only to a team of the same one, only what is there, once per id."""
    for team, organisation in (("sister", "house"), ("stranger", "elsewhere")):
        admin.world.teams.append(team)
        await admin.done("POST", "/teams", {"id": team, "organisation": organisation})
    hand = {"id": "hand", "to": "sister", "credits": 300}

    stranger = await refused(admin, "/transfers", {**hand, "to": "stranger"})
    too_much = await refused(admin, "/transfers", {**hand, "credits": 1000.5})
    await admin.done("POST", f"{TEAM}/transfers", hand)
    other = await refused(admin, "/transfers", {**hand, "credits": 5})

    assert [(422, "invalid"), (422, "invalid"), (409, "already_exists")] == [
        each[:2] for each in (stranger, too_much, other)
    ]
    assert "can hand on 1000 credits, not 1000.5" in too_much[2]
    shown = [(await admin.done("GET", f"/teams/{team}"))["balance"]["available"] for team in ("studio", "sister")]
    assert [700, 300] == shown


async def test_every_change_has_its_entry_with_who_and_why(admin: Admin) -> None:
    """Whatever moves or changes something adds one entry to the team's journal, which names both."""
    await admin.done("POST", "/teams", {"id": "sister", "organisation": "house"})
    spent = (await admin.world.native(await admin.new_key())).headers["Gatekeeper-Hold-Id"]
    first, second = await held(admin), await held(admin)
    limit = {"scope": "team", "per": "month", "credits": 5}
    acts: list[tuple[str, str, Any]] = [
        ("PATCH", "", {"frozen": True}), ("PATCH", "", {"frozen": False}), ("POST", "/keys", {"id": "two"}),
        ("PATCH", "/keys/two", {"member": "amy"}), ("POST", "/keys/two/rotate", {}), ("DELETE", "/keys/two", {}),
        ("POST", "/grants", {"id": "more", "credits": 5}), ("POST", "/refunds", {"id": "back", "hold_id": spent}),
        ("POST", "/transfers", {"id": "on", "to": "sister", "credits": 5}), ("PUT", "/limits", {"limits": [limit]}),
        ("PATCH", "/limits", {"remove": [{"scope": "team", "per": "month"}]}),
        ("PUT", "/allowances", {"allowances": [{"id": "a", "credits": 5, "per": "month", "since": LATER}]}),
        ("PUT", "/projects", {"projects": [{"id": "p", "credits": 5}]}), ("PUT", "/alerts", {"thresholds": [5]}),
        ("PATCH", "/alerts", {"thresholds": [6]}),
        ("POST", f"/holds/{first}/settle", {"credits": 5, "running": True}),
        ("POST", f"/holds/{second}/release", {"running": True}), ("DELETE", "", {}),
    ]  # fmt: skip
    told = []

    for number, (method, path, body) in enumerate(acts):
        after = (await admin.world.gateway.store.ledger.balance("studio")).seq
        who, why = f"who-{number}", f"why-{number}"
        await admin.done(method, TEAM + path, body, Gatekeeper_Actor=who, Gatekeeper_Why=why)
        entries = await admin.world.gateway.store.ledger.journal("studio", after)
        words = [f"{entry.fields['actor']} {entry.fields['why']}" for entry in entries]
        told.append(bool(words) and all(who in each and why in each for each in words))

    assert {route.name for route in ROUTES if route.body} - {"createTeam"} == {name_of(*act[:2]) for act in acts}
    assert [True] * len(acts) == told


def name_of(method: str, path: str) -> str:
    """The route of a call."""
    whole = f"/admin/v1{TEAM}{path}"
    fits = (r.name for r in ROUTES if r.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", r.path), whole))
    return next(fits)
