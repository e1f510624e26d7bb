"""Jobs by their names, the leases on them, and the store's secret."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerBroken, LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.outbox import open_outbox
from gatekeeper.ledger.records import Attached, EntryKind, HoldOrder, JobStatus
from gatekeeper.ledger.replay import Replayed, Replayer
from gatekeeper.ledger.resolution import Act, Resolution
from gatekeeper.ledger.teamrecord import TeamRecord
from tests.cases import each_case
from tests.ledger.conftest import JOB_MS, LEASE_MS

Order = Callable[..., HoldOrder]

NAME = "fal/a1b2"


async def attach(ledger: Ledger, order: HoldOrder, *names: str, job: str = "a job") -> Attached:
    """Let the hold follow a job of these names."""
    return await ledger.attach_job(
        order.hold_id, order.team, job, ttl_ms=60_000, names=names or (NAME,), keep_ms=JOB_MS
    )


async def test_a_job_is_found_by_each_of_its_names(ledger: Ledger, order: Order):
    """With the hold that follows it; the text may have lines of its own."""
    held = order()
    await ledger.hold(held)
    await attach(ledger, held, "fal/a", "fal/models/b:c@d", job="two\nlines")

    found = [await ledger.job(held.team, name) for name in ("fal/a", "fal/models/b:c@d", "fal/other")]

    assert [(held.hold_id, "two\nlines")] * 2 + [None] == found


async def test_the_journal_has_a_jobs_name_and_nothing_else_of_it(ledger: Ledger, order: Order):
    """What is known of a job may hold a secret of its caller; journals are exported and kept."""
    held = order()
    await ledger.hold(held)
    await attach(ledger, held, "fal/models/b:c@d", "fal/other", job='{"hook": "whsec_x"}')

    entry = (await ledger.journal(held.team))[-1]

    assert (EntryKind.JOB, "fal/models/b:c@d") == (entry.kind, entry.fields["meta"])


async def test_a_job_is_its_teams_own(ledger: Ledger, order: Order):
    """The name is known in the team that submitted it and in no other."""
    held = order()
    await ledger.hold(held)
    await attach(ledger, held)
    await ledger.put_team(TeamRecord("another"))

    assert await ledger.job("another", NAME) is None


async def test_a_job_is_found_when_its_hold_is_over(ledger: Ledger, order: Order):
    """A settlement ends the hold and leaves the name: the result is still to be fetched."""
    held = order()
    await ledger.hold(held)
    await attach(ledger, held)
    await ledger.settle(held.hold_id, held.team, 7)

    assert (held.hold_id, "a job") == await ledger.job(held.team, NAME)
    assert await ledger.open_job(held.team, held.hold_id) is None


@pytest.mark.parametrize("is_made", [True, False])
async def test_a_hold_that_is_over_or_lost_keeps_no_job_from_its_name(ledger: Ledger, order: Order, is_made: bool):
    """Time, or a loss, was quicker than the news of the job: it can be asked for all the same."""
    held = order()
    if is_made:
        await ledger.hold(held)
        await ledger.release(held.hold_id, held.team)
    attached = await attach(ledger, held)

    assert (JobStatus.RESOLVED if is_made else JobStatus.GONE) is attached.status
    assert (held.hold_id, "a job") == await ledger.job(held.team, NAME)


async def test_another_job_of_the_same_hold_gets_no_name(ledger: Ledger, order: Order):
    """A hold follows one job, and a name leads to what a hold follows."""
    held = order()
    await ledger.hold(held)
    await attach(ledger, held)
    attached = await attach(ledger, held, "fal/other", job="another job")

    assert JobStatus.MISMATCH is attached.status
    assert await ledger.job(held.team, "fal/other") is None


async def test_one_more_name(ledger: Ledger, order: Order):
    """A file that the job made leads to the job."""
    held = order()
    await ledger.name_job(held.team, "fal/file-1", held.hold_id, "a job", JOB_MS)

    assert (held.hold_id, "a job") == await ledger.job(held.team, "fal/file-1")


async def test_what_is_no_record_of_a_job(ledger: Ledger, client: StoreClient, team: TeamRecord):
    """A text that the ledger did not write is told."""
    await client.command("SET", f"gk:{{{team.id}}}:job:{NAME}", "x", "PX", JOB_MS)

    with pytest.raises(LedgerBroken, match="cannot be read"):
        await ledger.job(team.id, NAME)


@each_case("name", ["", "fal", "fal/", "fal/a b", "Fal/a", "fal/ä", "fal/a\nb", "fal/" + "x" * 297])
async def test_a_name_that_is_none(ledger: Ledger, order: Order, name: str):
    """Nothing is stored under a name that could not be told from another."""
    held = order()
    await ledger.hold(held)

    with pytest.raises(LedgerInvalid, match="use provider/id"):
        await attach(ledger, held, name)


async def test_open_jobs_are_listed_in_pages(ledger: Ledger, order: Order, team: TeamRecord):
    """All of them, whatever the size of a page; those whose hold is over are not among them."""
    orders = [order(amount=0) for _ in range(250)]
    await asyncio.gather(*(ledger.hold(each) for each in orders))
    await asyncio.gather(*(attach(ledger, each, f"fal/{each.hold_id}", job="j" * 100) for each in orders))
    await ledger.settle(orders[0].hold_id, team.id, 0)

    cursor, found = await ledger.open_jobs(team.id)
    while cursor != "0":
        cursor, page = await ledger.open_jobs(team.id, cursor)
        assert len(page) < 250
        found += page
    assert {each.hold_id: "j" * 100 for each in orders[1:]} == dict(found)


async def test_the_job_of_an_open_hold(ledger: Ledger, order: Order):
    """What a hold follows is known by its id."""
    held = order()
    await ledger.hold(held)
    before = await ledger.open_job(held.team, held.hold_id)
    await attach(ledger, held)

    assert (None, "a job") == (before, await ledger.open_job(held.team, held.hold_id))


async def test_a_lease_is_one_owners(ledger: Ledger, order: Order, client: StoreClient):
    """Who asks first has it, and keeps it by asking again."""
    held = order()
    claims = [await ledger.claim_job(held.team, held.hold_id, owner, LEASE_MS) for owner in ("a", "b", "a")]
    left_ms = await client.command("PTTL", f"gk:{{{held.team}}}:lease:{held.hold_id}")

    assert ([True, False, True], True) == (claims, 0 < left_ms <= LEASE_MS)


async def test_an_owner_makes_its_lease_longer(ledger: Ledger, order: Order, client: StoreClient):
    """Claimed once more by who has it, it lasts for so long from then on."""
    held = order()
    claims = [await ledger.claim_job(held.team, held.hold_id, "a", ttl_ms) for ttl_ms in (LEASE_MS // 10, LEASE_MS)]
    left_ms = await client.command("PTTL", f"gk:{{{held.team}}}:lease:{held.hold_id}")

    assert ([True, True], True) == (claims, LEASE_MS // 10 < left_ms <= LEASE_MS)


async def test_of_many_one_gets_the_lease(ledger: Ledger, order: Order):
    """However many ask at once."""
    held = order()
    claims = await asyncio.gather(
        *(ledger.claim_job(held.team, held.hold_id, f"owner-{number}", LEASE_MS) for number in range(20))
    )

    assert 1 == sum(claims)


async def test_the_secret_is_drawn_once(ledger: Ledger, client: StoreClient):
    """Every gateway on the store gets the same one, of 256 bits."""
    drawn = {*await asyncio.gather(*(ledger.secret() for _ in range(5))), await Ledger(client).secret()}

    assert [43] == [len(secret) for secret in drawn]


# The outbox

Tell = Callable[[Resolution], "asyncio.Future[list[Replayed]]"]


@pytest.fixture(name="replay")
async def _replay(ledger: Ledger, tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    """Puts resolutions into an outbox and tells them; gives what came of each."""
    outbox = await open_outbox(tmp_path / "outbox", max_bytes=1024**2)
    told: list[Replayed] = []
    replayer = Replayer(ledger, outbox, on_replayed=told.append, on_error=lambda error: pytest.fail(str(error)))

    async def tell(*resolutions: Resolution) -> list[tuple[str, bool, bool]]:
        for resolution in resolutions:
            await outbox.write(resolution)
        await replayer.replay()
        return [(each.status, each.booked, each.rejected) for each in told]

    yield tell
    await outbox.close()


def news(order: HoldOrder) -> Resolution:
    """The news of a job that the store was not there to hear."""
    return Resolution(
        act=Act.JOB, team=order.team, hold_id=order.hold_id, held=order.amount,
        job="a job", ttl_ms=60_000, names=(NAME, "fal/file"), keep_ms=JOB_MS,
    )  # fmt: skip


async def test_a_job_that_is_told_later(ledger: Ledger, order: Order, replay):
    """The hold follows it, it has its names, and the same news once more change nothing."""
    held = order()
    await ledger.hold(held)

    assert [("attached", True, False), ("duplicate", False, False)] == await replay(news(held), news(held))
    assert [(held.hold_id, "a job")] * 2 == [await ledger.job(held.team, name) for name in (NAME, "fal/file")]


async def test_a_job_that_is_told_with_its_end(ledger: Ledger, order: Order, replay):
    """They stand in their order: first the job, then what it came to."""
    held = order()
    await ledger.hold(held)
    end = Resolution(act=Act.SETTLE, team=held.team, hold_id=held.hold_id, amount=5, held=held.amount)

    assert [("attached", True, False), ("settled", True, False)] == await replay(news(held), end)
    assert (held.hold_id, "a job") == await ledger.job(held.team, NAME)


async def test_a_job_that_is_told_after_its_end(ledger: Ledger, order: Order, replay):
    """Somebody had settled it: the news are done with, and it is found by its name."""
    held = order()
    await ledger.hold(held)
    await ledger.settle(held.hold_id, held.team, 5)

    assert [("resolved", False, False)] == await replay(news(held))
    assert (held.hold_id, "a job") == await ledger.job(held.team, NAME)


async def test_a_job_that_nothing_pays_for_is_set_aside(order: Order, replay, tmp_path: Path):
    """The hold is gone: the line in the file says which job that was."""
    held = order()

    assert [("gone", False, True)] == await replay(news(held))
    assert f'"hold_id":"{held.hold_id}"' in (tmp_path / "outbox" / "rejected.jsonl").read_text()


async def test_the_bound_of_a_charge_waits_with_it(ledger: Ledger, order: Order, replay):
    """A charge that may not go beyond what there is does not do so when it is told later either, nor again."""
    held = order()
    await ledger.hold(held)
    asked = 490_000_000 + 7
    end = Resolution(
        act=Act.SETTLE, team=held.team, hold_id=held.hold_id, amount=asked, held=held.amount, within_available=True
    )

    assert [("settled", True, False), ("duplicate", False, False)] == await replay(end, end)
    assert (0, 0, 490_000_000) == (
        (balance := await ledger.balance(held.team)).debt, balance.available, balance.charged
    )  # fmt: skip
