"""Jobs by their names, who looks after them, and the secret of a store: plain commands, each of which may run twice.

That a hold follows a job is a step of the books, and `scripts` makes it; here is what may be looked up or said again at
any time without a credit moving. Times to live are the store's.
"""

import asyncio
import secrets
from typing import Final

from gatekeeper.ledger import bounds, scripts
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.holdid import is_hold_id
from gatekeeper.ledger.keys import SECRET, TeamKeys
from gatekeeper.ledger.records import Answer, Attached, Job, JobStatus

PAGE: Final = 100
"""Jobs asked for at once; a page may have a few more."""

SECRET_BYTES: Final = 32
"""As many as the digest that is made with it has."""


async def find(client: StoreClient, team_id: str, name: str) -> tuple[str, str] | None:
    """The hold that follows, or followed, the job of this name, and the job; None if the store knows none."""
    bounds.check_job_name(name)
    text = await client.command("GET", TeamKeys(team_id).job(name))
    if text is None:
        return None
    hold_id, line_break, job = str(text).partition("\n")
    if not line_break or not is_hold_id(hold_id):
        raise LedgerBroken(f"the job {name} of team {team_id} cannot be read")
    return hold_id, job


async def attach(client: StoreClient, team_id: str, hold_id: str, job: Job, answer: Answer | None = None) -> Attached:
    """Let the hold follow the job, which gets its names in the same step; where the hold is over or lost, after it."""
    attached = await scripts.attach_job(client, team_id, hold_id, job, answer)
    if attached.status in {JobStatus.RESOLVED, JobStatus.GONE}:
        for name in job.names:
            await put_name(client, team_id, name, hold_id, job.text, job.keep_ms)
    return attached


async def put_name(client: StoreClient, team_id: str, name: str, hold_id: str, job: str, keep_ms: int) -> None:
    """Let the job be found by this name for so long from now."""
    bounds.check_job_name(name)
    bounds.check_hold_id(hold_id)
    bounds.check_job_text(job)
    bounds.check_keep(keep_ms)
    await client.command("SET", TeamKeys(team_id).job(name), f"{hold_id}\n{job}", "PX", keep_ms)


async def open_page(client: StoreClient, team_id: str, cursor: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The next cursor ("0": that was all) and a page of the jobs that open holds of the team follow."""
    key = TeamKeys(team_id).jobs
    after, flat = await client.command("HSCAN", key, cursor, "COUNT", PAGE, bulk=True)
    return str(after), tuple(pairs(flat).items())


async def of_hold(client: StoreClient, team_id: str, hold_id: str) -> str | None:
    """The job that this hold follows, if it is open and follows one."""
    bounds.check_hold_id(hold_id)
    text: str | None = await client.command("HGET", TeamKeys(team_id).jobs, hold_id)
    return text


async def claim(client: StoreClient, team_id: str, hold_id: str, owner: str, ttl_ms: int) -> bool:
    """Whether this owner has the lease now, for so long from now; who has it already keeps it."""
    bounds.check_hold_id(hold_id)
    bounds.check_lease(owner, ttl_ms)
    key = TeamKeys(team_id).lease(hold_id)
    said, there = await asyncio.gather(
        client.command("SET", key, owner, "NX", "PX", ttl_ms), client.command("GET", key)
    )
    if said is None and there == owner:
        # It may have ended since, and be another's: then that one's is made longer, and it is his.
        _, there = await asyncio.gather(client.command("PEXPIRE", key, ttl_ms), client.command("GET", key))
    return said is not None or there == owner


async def secret(client: StoreClient) -> str:
    """What every gateway on this store signs with; the first that asks draws it."""
    await client.command("SET", SECRET, secrets.token_urlsafe(SECRET_BYTES), "NX")
    return str(await client.command("GET", SECRET))
