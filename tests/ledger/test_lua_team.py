"""team.lua, grant.lua and balance.lua called directly, and the form every script keeps."""

import re
from importlib.resources import files
from typing import Any

from gatekeeper.ledger.lua import NAMES
from tests.cases import each_case

Raw = Any


async def test_team_is_stored_then_unchanged(raw: Raw):
    """The same record again changes nothing, not even the journal; another one is a new revision."""
    first = await raw.team()
    before = await raw.dump()

    assert ["STORED", "1"] == first
    assert ["UNCHANGED", "1"] == await raw.team()
    assert before == await raw.dump()
    assert ["STORED", "2"] == await raw.team(frozen="1")


async def test_team_with_an_expected_revision(raw: Raw):
    """An expected revision that is not the store's is a conflict and writes nothing."""
    await raw.team()
    before = await raw.dump()

    assert ["CONFLICT", "1"] == await raw.team(expected="0", frozen="1")
    assert before == await raw.dump()
    assert ["STORED", "2"] == await raw.team(expected="1", frozen="1")


@each_case(
    "changes",
    [
        {"timezone": ""}, {"frozen": "yes"}, {"limits": "team\tday\n"}, {"limits": "team\tday\t-1\n"},
        {"limits": "team\tday\t9000000000000001\n"}, {"per_request": "x"}, {"open_holds": "-0"},
        {"held_credits": "1e3"}, {"per_minute": "x"}, {"retry_guard": ""},
    ],
)  # fmt: skip
async def test_team_that_cannot_be_worked_with(raw: Raw, changes: dict[str, str]):
    """A record the hold script could not read is INVALID and writes nothing."""
    assert ("INVALID", {}) == ((await raw.team(**changes))[0], await raw.dump())


async def test_grant_once(raw: Raw):
    """A grant counts once; again it is a duplicate, with another amount a mismatch."""
    await raw.team()
    first = await raw.grant("g", 100)
    before = await raw.dump()

    assert ["GRANTED", "100", "100", "2"] == first
    assert ["DUPLICATE"] == await raw.grant("g", 100)
    assert ["MISMATCH", "100", ""] == await raw.grant("g", 99)
    assert before == await raw.dump()


async def test_grant_to_nobody(raw: Raw):
    """A team that is not there gets no credits."""
    assert (["NO_TEAM"], {}) == (await raw.grant(), await raw.dump())


@each_case("amount", ["", "0", "-0", "-1", "nan", "1e3", "9000000000000001", "9007199254740993"])
async def test_grant_of_no_amount(raw: Raw, amount: str):
    """A grant is a plain number from 1 to 9e15."""
    await raw.team()

    assert "INVALID" == (await raw.grant("g", amount))[0]


async def test_grants_in_all_stay_exact(raw: Raw):
    """Grants may add up to 9e15 and not one unit more."""
    await raw.team()
    replies = [await raw.grant(name, amount) for name, amount in (("a", 8_999_999_999_999_999), ("b", 2), ("c", 1))]

    assert ["GRANTED", "INVALID", "GRANTED"] == [reply[0] for reply in replies]


async def test_balance(funded: Raw):
    """The figures and the counters asked for come from one instant; unknown scopes are empty."""
    await funded.hold(amount=40, member="amy")

    _, *reply = await funded.balance("team", "member:amy", "member:bob")
    counters = [":".join(text[1:].split(",")[:2]) for text in reply[8:]]
    assert ["3", "100", "0", "0", "40", "1", "UTC", "", "0:40", "0:40", ""] == [*reply[:8], *counters]


async def test_balance_of_nobody(raw: Raw):
    """A team that is not there has no balance."""
    assert ["NO_TEAM"] == await raw.balance("team")


@each_case("name", NAMES)
def test_every_script_states_its_contract(name: str):
    """Each file says what it does, its KEYS, ARGV, reply and an example, and asserts the shape of the call."""
    text = files("gatekeeper.ledger.lua").joinpath(f"{name}.lua").read_text("utf-8")

    assert text.startswith(f"-- {name}.lua: ")
    assert [] == [
        part for part in ("-- KEYS (", "-- ARGV (", "-- Reply", "-- Example", "assert(#KEYS") if part not in text
    ]


def test_every_file_is_listed():
    """A script that is not in the list would never be loaded."""
    found = {entry.name for entry in files("gatekeeper.ledger.lua").iterdir() if entry.name.endswith(".lua")}

    assert found == {"prelude.lua", *(f"{name}.lua" for name in NAMES)}


@each_case("name", ["prelude", *NAMES])
def test_scripts_build_no_key_names(name: str):
    """Key names come in KEYS; a script that made one up would break on a cluster."""
    text = files("gatekeeper.ledger.lua").joinpath(f"{name}.lua").read_text("utf-8")
    code = re.sub(r"--.*", "", text)

    assert [] == re.findall(r"gk:|\{\w*\}:", code)
