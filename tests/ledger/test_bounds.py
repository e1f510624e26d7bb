"""What the ledger accepts, and the words it refuses the rest with."""

from collections.abc import Callable

import pytest

from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.records import Answer, HoldContext, Job
from gatekeeper.ledger.teamrecord import Caps, KeyRecord, Limit, Per, TeamRecord
from tests.cases import each_case


@pytest.mark.parametrize("team_id", ["a", "A1", "studio.berlin_2-x", "x" * 64])
def test_team_ids(team_id: str):
    """Letters, digits, dot, dash and underscore, up to 64, make a team id."""
    bounds.check_team_id(team_id)


@each_case("team_id", ["", "-a", ".a", "a b", "a}b", "a{b", "ä", "x" * 65, "a\n", "a:b"])
def test_no_team_ids(team_id: str):
    """Whatever could break a key name or a hash tag is no team id."""
    with pytest.raises(LedgerInvalid, match="1 to 64 letters"):
        bounds.check_team_id(team_id)


@each_case(
    ("check", "message"),
    [
        (lambda: bounds.check_team(TeamRecord("a", timezone="Mars/Olympus")), "use an IANA name such as Europe/Berlin"),
        (lambda: bounds.check_team(TeamRecord("a", timezone="../etc/passwd")), "use an IANA name"),
        (lambda: bounds.check_team(TeamRecord("a", timezone="")), "use an IANA name"),
        (
            lambda: bounds.check_team(TeamRecord("a", limits=(Limit("user", Per.DAY, 1),))),
            "limit scope 'user': use team",
        ),
        (lambda: bounds.check_team(TeamRecord("a", limits=(Limit("team:x", Per.DAY, 1),))), "limit scope 'team:x'"),
        (lambda: bounds.check_team(TeamRecord("a", limits=(Limit("member:", Per.DAY, 1),))), "limit scope 'member:'"),
        (lambda: bounds.check_team(TeamRecord("a", limits=(Limit("member:\t", Per.DAY, 1),))), "control character"),
        (
            lambda: bounds.check_team(TeamRecord("a", limits=(Limit("team", Per.DAY, -1),))),
            "from 0 to 9000000000",
        ),
        (lambda: bounds.check_team(TeamRecord("a", limits=(Limit("team", Per.DAY, 1),) * 2)), "two limits of the same"),
        (lambda: bounds.check_team(TeamRecord("a", limits=(Limit("team", Per.DAY, 1),) * 65)), "at most 64"),
        (lambda: bounds.check_team(TeamRecord("a", caps=Caps(open_holds=-1))), "amount -0.000001"),
        (lambda: bounds.check_team(TeamRecord("a", caps=Caps(requests_per_minute=0))), "use 1 to 1000000"),
        (lambda: bounds.check_team(TeamRecord("a", caps=Caps(requests_per_minute=1_000_001))), "use 1 to 1000000"),
        (lambda: bounds.check_context(HoldContext(-1)), "amount -0.000001"),
        (lambda: bounds.check_context(HoldContext(1, member="a\tb")), "control character"),
        (lambda: bounds.check_context(HoldContext(1, windows="1:2:3")), "use what the hold was answered with"),
        (lambda: bounds.check_answer(Answer("ä" * 49_153, 1)), "more than 98304 bytes"),
        (lambda: bounds.check_answer(Answer("a", 0)), "at least 1 millisecond"),
        (lambda: bounds.check_job(Job("", 1)), "1 to 16384 bytes"),
        (lambda: bounds.check_job(Job("ä" * 8193, 1)), "1 to 16384 bytes"),
        (lambda: bounds.check_job(Job("j", -1)), "ttl_ms -1"),
        (lambda: bounds.check_job(Job("j", 1, ("fal/1",) * 5, 1)), "at most 4"),
        (lambda: bounds.check_job(Job("j", 1, ("fal/1",))), "keep_ms 0"),
        (lambda: bounds.check_job(Job("j", 1, ("fal/1",), 61 * 24 * 3_600_000)), "keep_ms"),
        (lambda: bounds.check_job(Job("j", 1, ("fal",), 1)), "use provider/id"),
        (lambda: bounds.check_job(Job("j", 1, ("fal/1 2",), 1)), "use provider/id"),
        (lambda: bounds.check_job(Job("j", 1, ("fal/1\n",), 1)), "use provider/id"),
        (lambda: bounds.check_job(Job("j", 1, ("fal/" + "x" * 297,), 1)), "up to 300"),
        (lambda: bounds.check_lease("", 1), "owner is missing"),
        (lambda: bounds.check_lease("a", 0), "at least 1 millisecond"),
        (lambda: bounds.check_team(TeamRecord("a", models_deny=("x",) * 256)), "at most 256"),
        (lambda: bounds.check_team(TeamRecord("a", models_allow=("",))), "model pattern is missing"),
        (lambda: bounds.check_key(KeyRecord("A" * 64, "a", "ci")), "64 lower-case hex digits"),
        (lambda: bounds.check_key(KeyRecord("a" * 64, "a", "")), "key id is missing"),
        (lambda: bounds.check_amount(0, least=1), "from 0.000001 to"),
    ],
)
def test_refusals_say_what_would_do(check: Callable[[], None], message: str):
    """Each refusal names what is wrong and what is accepted."""
    with pytest.raises(LedgerInvalid, match=message):
        check()
