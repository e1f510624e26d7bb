"""What the admin API says no to: a clear problem each, and nothing is changed."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.system.adminworld import TEAM, Admin
from tests.system.conftest import StartWorld

LATE = "2000-01-01T00:00:00Z"
PART = {"name": "a", "share_percent": 70, "phases": ["final"]}
LIMIT = {"scope": "team", "per": "month", "credits": 5}

BODIES: dict[str, tuple[str, str, Any, int, str]] = {
    "grant of 0": ("POST", "/grants", {"id": "g", "credits": 0}, 422, "0 credits are nothing"),
    "grant of -1": ("POST", "/grants", {"id": "g", "credits": -1}, 422, "credits is less than nothing"),
    "grant of 10^16": ("POST", "/grants", {"id": "g", "credits": 10**16}, 422, "cannot be booked exactly"),
    "grant past 9e15": ("POST", "/grants", {"id": "g", "credits": 9 * 10**9}, 422, "would pass 9e15"),
    "a huge number": ("POST", "/grants", b'{"id":"g","credits":1e999999}', 422, "cannot be booked exactly"),
    "seven decimals": ("POST", "/grants", b'{"id":"g","credits":0.0000001}', 422, "cannot be booked exactly"),
    "credits as text": ("POST", "/grants", {"id": "g", "credits": "5"}, 422, "is no number of credits"),
    "credits as truth": ("POST", "/grants", {"id": "g", "credits": True}, 422, "is no number of credits"),
    "not a number": ("POST", "/grants", b'{"id":"g","credits":NaN}', 400, "NaN is no JSON number"),
    "no credits": ("POST", "/grants", {"id": "g"}, 422, "is missing"),
    "grant that has expired": ("POST", "/grants", {"id": "g", "credits": 5, "expires_at": LATE}, 422, "is past"),
    "no time": ("POST", "/grants", {"id": "g", "credits": 5, "expires_at": "tomorrow"}, 422, "not a time"),
    "a time without offset": (
        "POST", "/grants", {"id": "g", "credits": 5, "expires_at": "2099-01-01T00:00"}, 422, "not a time with its zone",
    ),
    "no day": ("POST", "/grants", {"id": "g", "credits": 5, "expires_at": "2099-02-30T00:00:00Z"}, 422, "not a time"),
    "grant given otherwise": ("POST", "/grants", {"id": "opening", "credits": 7}, 409, "differs in credits"),
    "grant with another end": (
        "POST", "/grants", {"id": "opening", "credits": 1000, "expires_at": "2099-01-01T00:00:00Z"}, 409, "expires_at",
    ),
    "grant id as a path": ("POST", "/grants", {"id": "../x", "credits": 5}, 422, "is no name"),
    "grant id of a transfer": ("POST", "/grants", {"id": "transfer:a:b", "credits": 5}, 422, "is no name"),
    "grant id too long": ("POST", "/grants", {"id": "g" * 129, "credits": 5}, 422, "is no name"),
    "note of two lines": ("POST", "/grants", {"id": "g", "credits": 5, "note": "a\nb"}, 422, "no line of text"),
    "wrong time zone": ("PATCH", "", {"timezone": "Mars/Phobos"}, 422, "no time zone"),
    "zone as a path": ("PATCH", "", {"timezone": "../../etc/passwd"}, 422, "no time zone"),
    "null": ("PATCH", "", {"frozen": None}, 422, "is not true or false"),
    "truth as text": ("PATCH", "", {"frozen": "true"}, 422, "is not true or false"),
    "unknown field": ("PATCH", "", {"frozzen": True}, 422, "Did you mean `frozen`?"),
    "unknown field inside": ("PATCH", "", {"caps": {"per_requst": 5}}, 422, "Did you mean `per_request`?"),
    "cap below nothing": ("PATCH", "", {"caps": {"open_holds": -1}}, 422, "out of bounds"),
    "too many patterns": ("PATCH", "", {"models": {"allow": ["*"] * 129}}, 422, "models.allow"),
    "why too long": ("PATCH", "", {"frozen": True, "why": "w" * 257}, 422, "no line of text"),
    "team that is otherwise": ("POST", "..", {"id": "studio", "timezone": "Asia/Tokyo"}, 409, "differs in timezone"),
    "team id as a path": ("POST", "..", {"id": "../studio"}, 422, "is no team id"),
    "team id empty": ("POST", "..", {"id": ""}, 422, "is no team id"),
    "team id too long": ("POST", "..", {"id": "t" * 65}, 422, "is no team id"),
    "team without id": ("POST", "..", {}, 422, "is missing"),
    "two limits alike": ("PUT", "/limits", {"limits": [LIMIT, LIMIT]}, 422, "is there twice"),
    "limit of no scope": ("PUT", "/limits", {"limits": [{**LIMIT, "scope": "planet"}]}, 422, "is no scope"),
    "limit of no period": ("PUT", "/limits", {"limits": [{**LIMIT, "per": "year"}]}, 422, "It can be: lifetime"),
    "limit below 0": ("PUT", "/limits", {"limits": [{**LIMIT, "credits": -1}]}, 422, "less than nothing"),
    "raise without end": ("PUT", "/limits", {"limits": [{**LIMIT, "raised_to": 9}]}, 422, "stands without"),
    "raise that is over": (
        "PATCH", "/limits", {"set": [{**LIMIT, "raised_to": 9, "raised_until": LATE}]}, 422, "is past",
    ),
    "too many limits": (
        "PUT", "/limits", {"limits": [{**LIMIT, "scope": f"member:m{n}"} for n in range(65)]}, 422, "limits",
    ),
    "limit that is not there": (
        "PATCH", "/limits", {"remove": [{"scope": "key", "per": "day"}]}, 404, "has no limit key per day",
    ),
    "key that has expired": ("POST", "/keys", {"id": "k", "expires_at": LATE}, 422, "is past"),
    "key that is otherwise": ("POST", "/keys", {"id": "ci", "project": "other"}, 409, "differs in project"),
    "unknown scope": ("POST", "/keys", {"id": "k", "scopes": ["admin"]}, 422, "generate, quote, read"),
    "key with a secret": ("POST", "/keys", {"id": "k", "secret": "gk_mine"}, 422, "is not known here"),
    "key id with a slash": ("POST", "/keys", {"id": "a/b"}, 422, "is no name"),
    "key to expire at once": ("PATCH", "/keys/ci", {"expires_at": LATE}, 422, "is past"),
    "rotation too long": ("POST", "/keys/ci/rotate", {"overlap_s": 10**9}, 422, "at most 2592000"),
    "rotation below 0": ("POST", "/keys/ci/rotate", {"overlap_s": -1}, 422, "at least 0"),
    "rotation of nothing": ("POST", "/keys/nobody/rotate", {}, 404, "has no key"),
    "change of no key": ("PATCH", "/keys/nobody", {"revoked": True}, 404, "has no key"),
    "allowance per hour": (
        "PUT", "/allowances", {"allowances": [{"id": "a", "credits": 5, "per": "hour"}]}, 422, "day, week, month",
    ),
    "allowance of nothing": (
        "PUT", "/allowances", {"allowances": [{"id": "a", "credits": 0, "per": "month"}]}, 422, "are nothing",
    ),
    "two allowances alike": (
        "PUT", "/allowances", {"allowances": [{"id": "a", "credits": 5, "per": "month"}] * 2}, 422, "is there twice",
    ),
    "more than all": (
        "PUT", "/projects",
        {"projects": [{"id": "p", "credits": 5, "parts": [{**PART, "name": n, "share_percent": 60} for n in "ab"]}]},
        422, "come to 120 %",
    ),
    "part of nothing": (
        "PUT", "/projects", {"projects": [{"id": "p", "credits": 5, "parts": [{**PART, "phases": []}]}]},
        422, "nothing would belong to the part",
    ),
    "part of a misspelt phase": (
        "PUT", "/projects", {"projects": [{"id": "p", "credits": 5, "parts": [{**PART, "phases": ["itration"]}]}]},
        422, "Did you mean `iteration`?",
    ),
    "project with an end per month": (
        "PUT", "/projects", {"projects": [{"id": "p", "credits": 5, "until": "2099-01-01T00:00:00Z"}]}, 422, "lifetime",
    ),
    "alerts to a file": ("PUT", "/alerts", {"alert_url": "file:///etc/passwd"}, 422, "no address"),
    "alerts with a password": ("PUT", "/alerts", {"alert_url": "https://a:b@example.com"}, 422, "no address"),
    "threshold of 0": ("PUT", "/alerts", {"thresholds": [0]}, 422, "at least 1"),
    "refund of nothing": ("POST", "/refunds", {"id": "r"}, 422, "by its hold or by its journal entry"),
    "refund of both": ("POST", "/refunds", {"id": "r", "hold_id": "0" * 32, "seq": 1}, 422, "by its hold or by"),
    "refund of a grant": ("POST", "/refunds", {"id": "r", "seq": 2}, 422, "charged no hold"),
    "refund of no hold": ("POST", "/refunds", {"id": "r", "hold_id": "x"}, 422, "hold id"),
    "transfer to nobody": ("POST", "/transfers", {"id": "t", "to": "nobody", "credits": 5}, 404, "no team"),
    "transfer to itself": ("POST", "/transfers", {"id": "t", "to": "studio", "credits": 5}, 422, "another team"),
    "transfer to strangers": ("POST", "/transfers", {"id": "t", "to": "other", "credits": 5}, 422, "organisation"),
    "hold that never was": ("POST", "/holds/" + "0" * 32 + "/release", {"why": "w"}, 404, "has no hold"),
    "no JSON": ("POST", "/grants", b"{", 400, "is not JSON"),
    "no object": ("POST", "/grants", b"[]", 400, "must be a JSON object"),
    "no text": ("POST", "/grants", b"\xff\xfe", 400, "is not UTF-8"),
    "a key twice": ("POST", "/grants", b'{"id":"g","id":"h","credits":5}', 400, "is there twice"),
    "deep": ("POST", "/grants", b'{"id":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "levels deep"),
    "lone surrogate": ("POST", "/grants", b'{"id":"g","credits":5,"note":"\\ud800"}', 400, "half a character"),
    "too large": ("POST", "/grants", b'{"id":"' + b"g" * 1024 * 1024 + b'"}', 413, "at most 1048576 bytes"),
    "no such route": ("GET", "/wishes", None, 404, "is no route"),
    "no such method": ("PUT", "/keys", {}, 405, "it takes GET, POST"),
    "huge page": ("GET", "/keys?limit=1000000000", None, 422, "at most 1000"),
    "page of nothing": ("GET", "/grants?limit=0", None, 422, "at least 1"),
    "page of -1": ("GET", "/holds?limit=-1", None, 422, "no whole number"),
    "page of digits elsewhere": ("GET", "/keys?limit=%D9%A3", None, 422, "no whole number"),
    "page twice": ("GET", "/keys?limit=1&limit=2", None, 400, "is there twice"),
    "page by another name": ("GET", "/keys?page=2", None, 422, "is not known here"),
    "cursor too long": ("GET", "/keys?cursor=" + "c" * 129, None, 422, "cursor"),
    "journal from -1": ("GET", "/journal?after=-1", None, 422, "no whole number"),
    "usage of no day": ("GET", "/usage?from=yesterday", None, 422, "write a day"),
    "usage by nothing known": ("GET", "/usage?by=planet", None, 422, "planet"),
    "deliveries from nowhere": ("GET", "/alerts/deliveries?cursor=x", None, 422, "delivery"),
}  # fmt: skip


@pytest.fixture(name="admin")
async def _admin(start_world: StartWorld) -> AsyncIterator[Admin]:
    world = await start_world(provider_url="http://127.0.0.1:9")
    admin = Admin(world)
    await admin.found()
    await admin.new_key()
    await admin.done("POST", "/teams", {"id": "other"})
    yield admin
    assert () == (await world.gateway.store.ledger.verify("studio")).differences


async def test_every_bad_input_is_refused_in_words_and_changes_nothing(admin: Admin) -> None:
    """Status, a sentence that says what is wrong, the shape of a problem; books, record and keys stay as they were."""
    before = await admin.state()
    found: dict[str, Any] = {}

    for name, (method, path, body, _, _) in BODIES.items():
        raw = body if isinstance(body, bytes) else None
        where = "/teams" if path == ".." else TEAM + path
        answer = await admin.ask(method, where, None if raw is not None else body, raw=raw)
        said = answer.body.decode()
        found[name] = (answer.status, next((text for text in [BODIES[name][4]] if text in said), said))
        assert "application/problem+json" == answer.headers["Content-Type"], name
        assert {"type", "title", "status", "detail", "code"} <= answer.json.keys(), name
        assert len(answer.body) < 8000, name

    assert {name: each[3:] for name, each in BODIES.items()} == found
    assert before == await admin.state()


async def test_a_team_that_is_not_there(admin: Admin) -> None:
    """Every route below a team says so, and makes none."""
    before = await admin.state()
    bodies: dict[str, Any] = {
        "grants": {"id": "g", "credits": 5}, "keys": {"id": "k"}, "refunds": {"id": "r", "seq": 1},
        "transfers": {"id": "t", "to": "other", "credits": 5}, "limits": {"limits": []},
        "allowances": {"allowances": []}, "projects": {"projects": []}, "alerts": {},
    }  # fmt: skip
    asked = [("GET", ""), ("PATCH", ""), ("DELETE", "")]
    asked += [("GET", f"/{name}") for name in (*bodies, "holds", "journal", "usage", "alerts/deliveries")]
    asked += [("POST", f"/{name}") for name in ("grants", "keys", "refunds", "transfers")]
    asked += [("PUT", f"/{name}") for name in ("limits", "allowances", "projects", "alerts")]

    answers = {
        (method, path): await admin.ask(method, f"/teams/nobody{path}", bodies.get(path[1:], {}))
        for method, path in asked
    }

    assert {(404, "team_not_found")} == {(answer.status, answer.json["code"]) for answer in answers.values()}
    assert before == await admin.state()


PATHS = (
    "/admin/v1/teams/%2e%2e", "/admin/v1/teams/%2E%2E%2Fstudio", "/admin/v1/teams/studio%2Fkeys",
    "/admin/v1/teams/studio%00", "/admin/v1/teams/%252e%252e", "/admin/v1/teams//keys", "/admin/v1//teams/studio",
    "//admin/v1/teams/studio", "/admin/v1/teams/studio/", "/admin/v1/teams/studio/keys/..%2f..", "/admin/v1/./teams",
    "/admin/v1/teams/../teams/studio", "/admin/v1/teams/%C3%A9", "/admin/v1/teams/%ff", "/admin/v1/teams/%zz",
    "/admin/v1/teams/" + "a" * 4000, "/admin/v1/teams/%F0%9F%98%80/keys", "/admin/v1/teams/studio/keys/%00",
    "/admin/v1/teams/studio/keys/ci%0d%0aX-Y:%20z", "/admin/v1/teams/studio/grants/opening%2f", "/admin/v2/teams",
    "/admin/v1/teams/studio;x=y", "/admin/v1/teams/{team}", "/admin/v1/teams/gk:{studio}:team",
)  # fmt: skip


async def test_no_trick_in_a_path_reaches_a_team(admin: Admin) -> None:
    """Decoded once, and then it is no name: 404 or 405 (or 400 for what is no path), and nothing is changed."""
    before = await admin.state()

    statuses = {
        (method, path[:60]): (await admin.spoken(f"{method} {path}", b"{}")).status
        for path in PATHS
        for method in ("GET", "DELETE", "PATCH")
    }

    assert set() == set(statuses.values()) - {400, 404, 405}, statuses
    assert before == await admin.state()


TOKENS = ("", "Bearer", "Bearer wrong", "Basic {token}", "bearer {token}x", "{token}", "Bearer  ", "Bearer \u00e9")


async def test_without_the_token_nothing_is_told(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """401 on every path that is not open, one that leads nowhere too; a challenge, and nothing is changed."""
    monkeypatch.setattr("gatekeeper.web.knocking.AT_ONCE_MAX", 1000)
    before = await admin.state()
    paths = ("/admin/v1/teams", "/admin/v1/teams/studio", "/admin/v1/openapi.json", "/nowhere", "//healthz")

    found = set()
    for token in TOKENS:
        headers = {"Authorization": token.format(token=admin.world.gateway.admin_token)} if token else {}
        for method, path in itertools.product(("GET", "POST", "DELETE"), paths):
            url = admin.world.gateway.admin_url + path
            async with admin.world.session.request(method, url, headers=headers, json={}) as response:
                found.add((response.status, response.headers["WWW-Authenticate"], (await response.json())["code"]))

    assert {(401, "Bearer", "unauthenticated")} == found
    assert before == await admin.state()


async def test_odd_headers_of_who_and_why(admin: Admin) -> None:
    """Too long, twice or with control characters: refused before anything is done."""
    before = await admin.state()

    long = await admin.ask("PATCH", TEAM, {"frozen": True}, Gatekeeper_Why="w" * 257)
    longer = await admin.ask("PATCH", TEAM, {"frozen": True}, Gatekeeper_Actor="a" * 129)
    tab = await admin.ask("PATCH", TEAM, {"frozen": True}, Gatekeeper_Actor="a\tb")
    two = "PATCH /admin/v1/teams/studio HTTP/1.1\r\nGatekeeper-Actor: a\r\nGatekeeper-Actor: b\r\nX-Rest:"
    twice = await admin.spoken(two, b'{"frozen":true}')

    assert [422, 422, 422, 400] == [long.status, longer.status, tab.status, twice.status]
    assert before == await admin.state()


async def test_a_body_that_cannot_be_unpacked_or_breaks_off(admin: Admin) -> None:
    """400 or nobody left to tell: its sender's doing, and no failure inside."""
    before = await admin.state()
    garbled = await admin.ask("POST", f"{TEAM}/grants", raw=b"{}", Content_Encoding="gzip")
    host, port = admin.world.gateway.admin_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /admin/v1/teams HTTP/1.1\r\nHost: x\r\nAuthorization: {admin.headers['Authorization']}\r\n"
    writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 50\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'{"id":')
    writer.transport.abort()
    answered = await admin.ask("GET", TEAM)

    assert (400, "malformed_request", 200) == (garbled.status, garbled.json["code"], answered.status)
    assert (before, []) == (await admin.state(), admin.world.events("error"))


@pytest.mark.parametrize(
    "text",
    ["GARBAGE", "GET /healthz HTTP/1.1\r\nAuthorization: Bearer TOKEN\0", "POST /admin/v1/teams HTTP/1.1\r\nExpect: x"],
)
async def test_what_is_no_request_is_a_problem_too(admin: Admin, text: str) -> None:
    """As every other no, and none of it is repeated: a token may be in it."""
    token = admin.world.gateway.admin_token
    host, port = admin.world.gateway.admin_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{text.replace('TOKEN', token)}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert (b"400", "malformed_request") == (head.split()[1], json.loads(body)["code"])
    assert b"application/problem+json" in head
    assert token.encode() not in head + body
