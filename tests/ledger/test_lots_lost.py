"""Grants that expire, and holds that are lost, undone or follow a job."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.ledger import Ledger
from tests.ledger.lots_scene import Clock, figures, give, held, lots

NewId = Callable[..., str]
Raw = Any


async def test_orphan_is_spent_like_new(clock: Clock, raw: Raw, new_id: NewId):
    """A charge whose hold is lost takes what expires soonest, then the pot, which may go into debt."""
    await give(clock, pot=(5, None), autumn=(10, 40), summer=(20, 30))
    context = "\t".join(("40", "0:0:0:0", "", "", "", "", "", ""))
    replies = [await raw.settle(new_id(), amount, context=context) for amount in (25, 15)]

    assert [["ORPHAN", "25", "0", "10"], ["ORPHAN", "15", "0", "-5"]] == [reply[:4] for reply in replies]
    assert {"summer": (20, 20, 0), "autumn": (10, 10, 0)} == await lots(raw)
    assert {"granted": 35, "charged": 40, "expired": 0, "held": 0} == await figures(raw)


@pytest.mark.parametrize("script", ["job", "void", "orphan"])
async def test_these_write_the_lapse_too(clock: Clock, raw: Raw, new_id: NewId, script: str):
    """A job, an undo and an orphan come upon a lapse like all other transitions."""
    await give(clock, pot=(50, None), spring=(10, 20), summer=(30, 30))
    hold_id = await held(clock, new_id(), 10)
    await clock.at(30)
    calls = {
        "job": lambda: raw.job(hold_id),
        "void": lambda: raw.settle(new_id(), 0, undo=1),
        "orphan": lambda: raw.settle(new_id(), 5, context="\t".join(("5", "0:0:0:0", "", "", "", "", "", ""))),
    }
    await calls[script]()
    entries = await Ledger(raw.client).journal(raw.keys.team_id, after=5)

    assert [("lapse", "summer", 30), (script, 30)] == [
        (entries[0].kind, entries[0].hold_id, entries[0].amount), (entries[1].kind, (await figures(raw))["expired"]),
    ]  # fmt: skip


async def test_hold_that_follows_a_job_keeps_its_parts(clock: Clock, raw: Raw, new_id: NewId):
    """What the job did not cost goes back to where the hold took it from."""
    await give(clock, pot=(50, None), summer=(30, 30))
    hold_id = await held(clock, new_id(), 40)
    await raw.job(hold_id)
    await raw.settle(hold_id, 12)

    assert {"summer": (30, 12, 0)} == await lots(raw)
    assert {"granted": 80, "charged": 12, "expired": 0, "held": 0} == await figures(raw)
