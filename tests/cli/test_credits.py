"""`gatekeeper grants`, `limits` and `usage`: credits given, handed on and given back, limits raised, spend added up."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import open_store
from gatekeeper.ledger.records import HoldOrder
from tests.cli.scene import Run, hold_id

Spend = Callable[..., str]


def document(run: Run, *args: str) -> Any:
    """What a command says to scripts."""
    result = run(*args, "--json")
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


def lines_of(text: str) -> list[str]:
    """What was printed, without the spaces of the tables."""
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def _team(run: Run, store_url: str) -> None:
    assert store_url
    run("teams", "create", "studio", "--organisation", "acme")
    run("grants", "give", "studio", "opening", "1000", "--why", "to begin with")


@pytest.fixture
def in_ledger(store_url: str, tmp_path: Path) -> Callable[[Callable[[Ledger], Awaitable[object]]], None]:
    """Does something with the ledger that the commands work on."""

    async def work(do: Callable[[Ledger], Awaitable[object]]) -> None:
        store = await open_store(store_url, tmp_path / "data")
        try:
            await do(store.ledger)
        finally:
            await store.close()

    return lambda do: asyncio.run(work(do))


@pytest.fixture
def spend(in_ledger: Callable[[Callable[[Ledger], Awaitable[object]]], None]) -> Spend:
    """Charges 49 credits for a model; gives the hold's id."""

    def charge(model: str = "nano-banana-2", **more: str) -> str:
        usage = f"{model}|image.generate|1K|final|google|"
        asked = HoldOrder(hold_id(), "studio", 49_000_000, 60_000, usage=usage, **more)

        async def do(ledger: Ledger) -> None:
            await ledger.hold(asked)
            await ledger.settle(asked.hold_id, "studio", 49_000_000, outputs=1)

        in_ledger(do)
        return asked.hold_id

    return charge


def test_a_grant_is_given_once(run: Run) -> None:
    """The same again changes nothing, the same id with another amount is refused; the journal has why."""
    again = run("grants", "give", "studio", "opening", "1000")
    other = run("grants", "give", "studio", "opening", "1001")
    entry = document(run, "journal", "show", "studio")["entries"][-1]

    assert "Grant opening of 1000 credits was given before; nothing was changed.\n" == again.stdout
    assert (1, True) == (other.exit_code, "it differs in credits. Nothing was changed." in other.stderr)
    assert ("grant", "to begin with") == (entry["kind"], entry["why"])


def test_a_grant_that_expires(run: Run) -> None:
    """By a day of the team's zone or a stretch of time; the list has what is left of it."""
    run("teams", "set", "studio", "--timezone", "Europe/Berlin")
    run("grants", "give", "studio", "summer", "5", "--expires", "2999-01-01")
    run("grants", "give", "studio", "soon", "5", "--expires", "2d")

    found = {grant["id"]: grant for grant in document(run, "grants", "list", "studio")["grants"]}
    left = datetime.fromisoformat(found["soon"]["expires_at"]) - datetime.now(UTC)
    assert ("2998-12-31T23:00:00.000Z", 5) == (found["summer"]["expires_at"], found["summer"]["remaining"])
    assert 1 <= left.total_seconds() / 86_400 <= 2
    assert "summer 5 2998-12-31 23:00:00Z 5" in lines_of(run("grants", "list", "studio").stdout)


def test_credits_given_back(run: Run, spend: Spend) -> None:
    """Part of a charge, then the rest, and never more than that."""
    hold = spend()
    part = run("grants", "refund", "studio", "r-1", "--hold", hold, "--credits", "9", "--why", "a black frame")
    rest = document(run, "grants", "refund", "studio", "r-2", "--hold", hold)
    more = run("grants", "refund", "studio", "r-3", "--hold", hold, "--credits", "1")

    assert [
        "9 credits are given back. Of this charge 40 are left charged.",
        "Available: 960 credits.",
    ] == part.stdout.splitlines()
    assert (40, 49, 0, 1000) == tuple(rest[name] for name in ("credits", "refunded", "charged", "credits_available"))
    assert 1 == more.exit_code
    assert ["r-1", "r-2"] == [each["id"] for each in document(run, "grants", "refunds", "studio")["refunds"]]
    assert 0 == run("verify").exit_code


def test_credits_handed_on(run: Run) -> None:
    """To a team of the same organisation, once."""
    run("teams", "create", "film", "--organisation", "acme")
    run("teams", "create", "other")
    done, again = (run("grants", "transfer", "studio", "t-1", "film", "100", "--why", "a loan") for _ in range(2))
    refused = run("grants", "transfer", "studio", "t-2", "other", "100")

    assert "100 credits of team studio are handed on to team film.\n" == done.stdout
    assert "were handed on to team film before; nothing was changed.\n" in again.stdout
    assert 1 == refused.exit_code
    balances = [document(run, "teams", "show", team)["balance"]["available"] for team in ("studio", "film", "other")]
    assert [900, 100, 0] == balances
    assert ["t-1"] == [each["id"] for each in document(run, "grants", "transfers", "studio")["transfers"]]


def test_credits_given_anew(run: Run) -> None:
    """An allowance is set, changed without moving its beginning, and taken away."""
    first = document(run, "grants", "allow", "studio", "monthly", "500", "--lasts", "2")["allowances"]
    changed = document(run, "grants", "allow", "studio", "monthly", "600", "--lasts", "0")["allowances"]
    wrong = run("grants", "allow", "studio", "hourly", "5", "--per", "hour")
    gone = run("grants", "disallow", "studio", "monthly")

    assert [("monthly", 500, "month", 2)] == [(a["id"], a["credits"], a["per"], a["lasts_periods"]) for a in first]
    assert [(600, 0, first[0]["since"])] == [(a["credits"], a["lasts_periods"], a["since"]) for a in changed]
    assert "--per: `hour` is not known here. It can be: day, week, month.\n" == wrong.stderr
    assert "Team studio has no allowances.\n" == gone.stdout


def test_a_limit_and_its_raise(run: Run, spend: Spend) -> None:
    """Set, below what is spent too; raised with an end, lowered again, and a change of it keeps a raise."""
    spend(member="amy")
    exhausted = document(run, "limits", "set", "studio", "member:amy", "month", "10")["limits"]
    told = lines_of(run("limits", "list", "studio", COLUMNS="160").stdout)[-1]
    run("limits", "raise", "studio", "member:amy", "month", "100", "--until", "2999-01-01T00:00:00Z")
    raised = run("limits", "set", "studio", "member:amy", "month", "20", COLUMNS="160")
    (lowered,) = document(run, "limits", "lower", "studio", "member:amy", "month")["limits"]

    assert told.startswith(
        "member:amy per month: 49 of 10 credits are used or held, so nothing more is admitted until "
    )
    assert [(10, 49, True)] == [(each["credits"], each["used"], each["exhausted"]) for each in exhausted]
    assert lines_of(raised.stdout)[2].startswith("member:amy month 20 100 until 2999-01-01 00:00:00Z 49 0 ")
    assert (20, None, 20) == (lowered["credits"], lowered["raised_to"], lowered["in_force"])
    assert "Team studio has no limits.\n" == run("limits", "remove", "studio", "member:amy", "month").stdout


def test_what_was_spent(run: Run, spend: Spend) -> None:
    """As a table, as a file for spreadsheets, and as the document of the admin API."""
    spend(project="spring")
    spend(project="spring")
    spend("flux-dev")

    table = run("usage", "studio", "--by", "project,model")
    (text, found) = run("usage", "studio", "--by", "model", "--csv"), document(run, "usage", "studio")

    assert ["spring nano-banana-2 98 2 0 2", "none flux-dev 49 1 0 1"] == lines_of(table.stdout)[2:4]
    assert lines_of(table.stdout)[4].endswith("(UTC): 147 credits for 3 generations, 3 outputs.")
    assert ["nano-banana-2", "98", "2", "0", "2"] == list(csv.reader(io.StringIO(text.stdout)))[1]
    assert (["model", "resolution"], 147) == (found["by"], found["total"]["credits"])


def test_a_team_without_a_plan_is_one_line(run: Run) -> None:
    """Nor any empty line for the tables that are not there."""
    run("teams", "create", "studio")

    result = run("signals", "studio")

    assert "Nothing of team studio is spent otherwise than it was planned.\n" == result.stdout


def test_how_a_budget_stands(run: Run, spend: Spend) -> None:
    """What of it is used, what runs ahead of its plan, and the document of the admin API."""
    run("projects", "set", "studio", "spring", "100", "--part", "drafts=90:1K", "--part", "finals=10:final")
    run("limits", "set", "studio", "team", "month", "100")
    spend(project="spring")

    result = run("signals", "studio")
    found = document(run, "signals", "studio")

    lines = lines_of(result.stdout)
    assert any(line.startswith("spring month 100 49 0 49") for line in lines)
    assert any(line.startswith("team month 100 49 0 49") for line in lines)
    assert {"spring drafts 90 0 90 0.0 0", "spring finals 10 49 10 100.0 1"} <= {*lines}
    assert ("studio", ["spring"]) == (found["team"], [project["project"] for project in found["projects"]])
    assert len(found["projects"][0]["signals"]) == len([line for line in lines if line.startswith("spring: ")])
