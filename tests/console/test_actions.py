"""Each action asks who and why, is in the journal with both, and says beside the form what is wrong."""

import re

import pytest

from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from tests.console.consoleworld import WHO, Console


async def held(console: Console, *, unknown: bool = False) -> str:
    """An open hold of 49 credits; its id."""
    ledger = console.world.gateway.store.ledger
    hold_id = new_hold_id(await ledger.now_ms("studio"), 7)
    await ledger.hold(HoldOrder(hold_id, "studio", 49 * MICRO, 900_000, grace_ms=900_000))
    if unknown:
        await ledger.mark_unknown(hold_id, "studio")
    return hold_id


async def record(console: Console) -> TeamRecord:
    found = await console.world.gateway.store.ledger.team("studio")
    assert found is not None
    return found


async def test_credits_are_granted(console: Console) -> None:
    """They are there, and the journal says who gave them and why; the page says so once."""
    answer = await console.do("/teams/studio/grant", id="more", credits="73.5")

    balance = await console.world.gateway.store.ledger.balance("studio")
    assert ("/teams/studio", 1_073_500_000) == (answer.headers["Location"], balance.available)
    assert ("grant", "lena", "a test") == await console.last_entry()
    pages = [await console.get("/teams/studio") for _ in range(2)]
    assert [1, 0] == [page.count("73.5 credits are granted.") for page in pages]


async def test_the_same_grant_again_gives_nothing(console: Console) -> None:
    """A form that is sent twice is one grant."""
    for _ in range(2):
        await console.do("/teams/studio/grant", id="more", credits="10")

    assert 1010 * MICRO == (await console.world.gateway.store.ledger.balance("studio")).available


async def test_a_grant_expires_in_the_teams_own_time(console: Console) -> None:
    """The hour that was written is the hour there."""
    await console.world.gateway.store.ledger.put_team(TeamRecord("studio", timezone="Asia/Tokyo"))

    await console.do("/teams/studio/grant", id="more", credits="10", expires_at="2099-01-01T00:00")

    grants = await console.world.gateway.store.ledger.grants("studio")
    assert [4_070_876_400_000] == [grant.expires_at_ms for grant in grants if grant.id == "more"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"credits": "a lot"}, "is no number of credits"),
        ({"credits": "-5"}, "is less than nothing"),
        ({"credits": "0"}, "0 credits are nothing"),
        ({"credits": "0.0000001"}, "cannot be booked exactly"),
        ({"credits": "Infinity"}, "is no number of credits"),
        ({"credits": ""}, "credits-wrong"),
        ({"id": "a b"}, "is no name"),
        ({"expires_at": "soon"}, "not a time with its zone"),
        ({"expires_at": "2001-01-01T00:00"}, "is past"),
        ({"who": " "}, "Say who does this"),
        ({"why": ""}, "Say why"),
        ({"why": "x" * 300}, "at most 256"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(console: Console, fields: dict[str, str], told: str) -> None:
    """The form comes back as it was filled in, and nothing was done."""
    good = {**WHO, "id": "more", "credits": "10"}

    answer = await console.post("/teams/studio/grant", **(good | fields))

    (name,) = fields
    page = answer.body.decode()
    wrong = re.findall(rf'id="{name}-wrong">([^<]*)<', page)
    assert (422, 1) == (answer.status, len(wrong))
    assert told in wrong[0] or told == f"{name}-wrong"
    assert f'value="{good["why"]}"' in page or name == "why"
    assert 1000 * MICRO == (await console.world.gateway.store.ledger.balance("studio")).granted


async def test_a_taken_id_is_told_with_what_differs(console: Console) -> None:
    """The opening grant is another one."""
    answer = await console.post("/teams/studio/grant", **WHO, id="opening", credits="5")

    assert 409 == answer.status
    assert b"There is a grant opening of team studio already, and it differs in credits" in answer.body


async def test_who_is_remembered(console: Console) -> None:
    """For the next form of this session, and for no other session."""
    await console.do("/teams/studio/freeze")
    other = Console(console.world)
    await other.sign_in()

    mine, others = await console.get("/teams/studio/unfreeze"), await other.get("/teams/studio/unfreeze")

    assert [True, False] == ['name="who" type="text" value="lena"' in page for page in (mine, others)]


async def test_a_team_is_frozen_and_goes_on(console: Console) -> None:
    """Both are in the journal."""
    await console.do("/teams/studio/freeze", why="invoice overdue")
    was = (await record(console)).frozen, await console.last_entry()

    await console.do("/teams/studio/unfreeze", why="paid")

    assert (True, ("team", "lena", "invoice overdue")) == was
    assert (False, ("team", "lena", "paid")) == ((await record(console)).frozen, await console.last_entry())


async def test_a_limit_is_set_changed_and_removed(console: Console) -> None:
    """Each in place of the one of the same scope and period."""
    for amount in ("100", "200"):
        await console.do("/teams/studio/limits/set", scope="member:amy", per="day", credits=amount)
    was = (await record(console)).limits
    sheet = await console.get("/teams/studio/limits/set?scope=member:amy&per=day")

    await console.do("/teams/studio/limits/remove?scope=member:amy&per=day", scope="member:amy", per="day")

    assert (Limit("member:amy", Per.DAY, 200 * MICRO),) == was
    assert 'value="200"' in sheet
    assert () == (await record(console)).limits


async def test_a_limit_is_raised_for_a_while(console: Console) -> None:
    """Until then it is more; ended before, it is what it was."""
    ledger = console.world.gateway.store.ledger
    await ledger.put_team(TeamRecord("studio", limits=(Limit("team", Per.DAY, 100 * MICRO),)))
    path, name = "/teams/studio/limits/{}?scope=team&per=day", {"scope": "team", "per": "day"}

    await console.do(path.format("raise"), **name, credits="150", until="2099-01-01T00:00")
    (raised,) = (await record(console)).limits
    shown = await console.get("/teams/studio")
    await console.do(path.format("lower"), **name)

    assert (150 * MICRO, 4_070_908_800_000) == (raised.raised_to, raised.raised_until_ms)
    assert "End the raise" in shown
    assert (Limit("team", Per.DAY, 100 * MICRO),) == (await record(console)).limits


@pytest.mark.parametrize(
    ("fields", "name", "told"),
    [
        ({"credits": "50"}, "credits", "is not more than the limit itself"),
        ({"until": ""}, "until", "missing"),
        ({"until": "2001-01-01T00:00"}, "until", "is past"),
        ({"credits": "x"}, "credits", "is no number of credits"),
    ],
)
async def test_a_raise_that_cannot_be_says_why(console: Console, fields: dict[str, str], name: str, told: str) -> None:
    """Beside its field, and the limit stays as it is."""
    ledger = console.world.gateway.store.ledger
    await ledger.put_team(TeamRecord("studio", limits=(Limit("team", Per.DAY, 100 * MICRO),)))
    good = {"scope": "team", "per": "day", "credits": "150", "until": "2099-01-01T00:00"}

    answer = await console.post("/teams/studio/limits/raise?scope=team&per=day", **WHO, **(good | fields))

    wrong = re.findall(rf'id="{name}-wrong">([^<]*)<', answer.body.decode())
    assert (422, 1) == (answer.status, len(wrong))
    assert told in wrong[0]


async def test_a_key_is_shown_this_once(console: Console) -> None:
    """It works; no later page, no log line and no address has it."""
    answer = await console.do("/teams/studio/keys/new", id="ci", member="amy", scopes_generate="yes")

    (secret,) = re.findall(r'id="secret">(gk_[^<]+)<', answer.body.decode())
    made = await console.world.native(secret)
    pages = [await console.get(path) for path in ("/teams/studio", "/teams/studio/journal")]
    assert (200, 200) == (answer.status, made.status)
    assert [] == [page for page in pages if secret in page]
    assert secret.encode() not in console.world.log.getvalue()
    assert "no-store" == answer.headers["Cache-Control"]
    (key,) = await console.world.gateway.store.ledger.keyring.of_team("studio")
    assert ("ci", "amy", ("generate",)) == (key.key_id, key.member, key.scopes)


async def test_a_key_that_is_there_has_no_secret_to_show(console: Console) -> None:
    """Sent again, the form says so."""
    await console.do("/teams/studio/keys/new", id="ci")

    answer = await console.post("/teams/studio/keys/new", **WHO, id="ci")

    assert 409 == answer.status
    assert b"is not kept" in answer.body
    assert b"gk_" not in answer.body


async def test_a_key_is_revoked(console: Console) -> None:
    """Its record stays, and says so."""
    await console.do("/teams/studio/keys/new", id="ci")

    await console.do("/teams/studio/keys/ci/revoke", why="it leaked")

    (key,) = await console.world.gateway.store.ledger.keyring.of_team("studio")
    assert key.revoked
    assert ("key", "lena", "it leaked") == await console.last_entry()


async def test_a_hold_is_released(console: Console) -> None:
    """Its credits are available again; the journal says who and why."""
    hold_id = await held(console, unknown=True)

    await console.do(f"/teams/studio/holds/{hold_id}/release", why="nothing was made")

    assert 1000 * MICRO == (await console.world.gateway.store.ledger.balance("studio")).available
    kind, _, why = await console.last_entry()
    assert ("release", "by hand (lena): nothing was made") == (kind, why)


async def test_a_hold_is_settled_for_what_it_came_to(console: Console) -> None:
    """And never for more than was held."""
    hold_id = await held(console, unknown=True)
    path = f"/teams/studio/holds/{hold_id}/settle"

    too_much = await console.post(path, **WHO, credits="50")
    await console.do(path, credits="20")

    assert (422, True) == (too_much.status, b"nobody agreed to more" in too_much.body)
    assert 20 * MICRO == (await console.world.gateway.store.ledger.balance("studio")).charged


async def test_what_runs_is_ended_only_if_that_is_meant(console: Console) -> None:
    """A generation that runs ends its hold itself; the form asks."""
    hold_id = await held(console)
    path = f"/teams/studio/holds/{hold_id}/release"

    refused = await console.post(path, **WHO)
    await console.do(path, running="yes")

    assert 409 == refused.status
    assert 0 == (await console.world.gateway.store.ledger.balance("studio")).held


async def test_a_hold_is_released_once(console: Console) -> None:
    """Whoever comes second is told so, and nothing happens; a hold that never was is not there."""
    hold_id = await held(console, unknown=True)
    path = f"/teams/studio/holds/{hold_id}/release"
    await console.do(path)
    before = (await console.world.gateway.store.ledger.balance("studio")).seq

    again = await console.do(path)
    never = await console.post(f"/teams/studio/holds/{'0' * 32}/release", **WHO)

    assert ("/teams/studio", before) == (
        again.headers["Location"],
        (await console.world.gateway.store.ledger.balance("studio")).seq,
    )
    assert "The hold was released before; nothing changed." in await console.get("/teams/studio")
    assert 404 == never.status


async def test_a_team_is_made(console: Console) -> None:
    """With its time zone; its page follows."""
    answer = await console.do("/new-team", id="atelier", timezone="Europe/Paris", organisation="Acme")

    team = await console.world.gateway.store.ledger.team("atelier")
    assert team is not None
    assert ("/teams/atelier", "Europe/Paris", "Acme") == (answer.headers["Location"], team.timezone, team.organisation)
    assert ("team", "lena", "a test") == await console.last_entry("atelier")
