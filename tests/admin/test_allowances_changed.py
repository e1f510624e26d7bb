"""A recurring grant that is changed in the middle: nothing is given for a time for which it was given before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekeeper.admin.bodies import AllowanceBody, AllowancesBody, TeamPatch
from gatekeeper.admin.operations import plans, single, teams
from gatekeeper.admin.operations.asking import Who
from gatekeeper.admin.teams_file import apply_teams_file
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.opening import EMBEDDED, open_store
from gatekeeper.ledger.teamrecord import Allowance, Per, TeamRecord
from gatekeeper.ledger.windows import windows_at

CREDIT = 1_000_000
DAY_MS = 86_400_000
DAILY = AllowanceBody(id="a", credits=5, per=Per.DAY, lasts_periods=0)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger on a real store."""
    store = await open_store(EMBEDDED, tmp_path / "data")
    yield store.ledger
    await store.close()


async def given(ledger: Ledger) -> int:
    """Whole credits that the team was given."""
    return (await ledger.balance("studio")).granted // CREDIT


async def put(ledger: Ledger, timezone: str, per: Per, since_ms: int) -> None:
    """A team with 100 credits of each period, which last for ever."""
    allowance = Allowance("a", 100 * CREDIT, per, since_ms, lasts_periods=0)
    await ledger.put_team(TeamRecord("studio", timezone=timezone, allowances=(allowance,)))


@pytest.mark.parametrize("way", ["one", "all", "file"])
async def test_another_period_begins_now(ledger: Ledger, tmp_path: Path, way: str) -> None:
    """Monthly since long ago, daily from now on: today's is given, and not the days before, whose month was given."""
    await put(ledger, "UTC", Per.MONTH, await ledger.now_ms("studio") - 40 * DAY_MS)
    before = await given(ledger)
    if way == "one":
        await single.set_allowance(ledger, "studio", DAILY, Who())
    elif way == "all":
        await plans.put_allowances(ledger, "studio", AllowancesBody(allowances=[DAILY]), Who())
    else:
        line = "allowances: [{id: a, credits: 5, per: day, lasts_periods: 0}]"
        (tmp_path / "teams.yaml").write_text(f"teams:\n  - id: studio\n    {line}\n")
        await apply_teams_file(ledger, tmp_path / "teams.yaml", "test")

    assert before + 5 >= await given(ledger)  # on the first of a month there is one of that date


@pytest.mark.parametrize("way", ["patch", "file"])
async def test_a_zone_further_west_finds_no_earlier_period(ledger: Ledger, tmp_path: Path, way: str) -> None:
    """What begins with a month begins with that month in another zone too."""
    now_ms = await ledger.now_ms("studio")
    await put(ledger, "Pacific/Kiritimati", Per.MONTH, windows_at(now_ms, "Pacific/Kiritimati").month.start_ms)
    if way == "patch":
        await teams.change(ledger, "studio", TeamPatch(timezone="Pacific/Pago_Pago"), Who())
    else:
        (tmp_path / "teams.yaml").write_text("teams:\n  - id: studio\n    timezone: Pacific/Pago_Pago\n")
        await apply_teams_file(ledger, tmp_path / "teams.yaml", "test")

    assert 100 == await given(ledger)
