"""Stores to test on (fakeredis and a real server, never skipped), and builders with boring defaults."""

import itertools
import re
import secrets
import shutil
import socket as socketlib
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.confirm import FENCE_TTL_MS
from gatekeeper.ledger.holdid import DAY_MS, hold_id_day, month_of_day, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.usagebook import bucket_ends_ms
from gatekeeper.ledger.windows import Window, Windows
from gatekeeper.ledger.wire import Reply
from tests.ledger.lots_scene import Clock
from tests.ledger.topologies import server_binary

CREDIT = 1_000_000
RETENTION_MS = 72 * 3600 * 1000
ONCE_MS = 48 * 3600 * 1000
ANSWER_MS = 24 * 3600 * 1000
JOB_MS = 7 * 24 * 3600 * 1000
LEASE_MS = 90_000
CLOCK_AHEAD_MS = 600_000  # how far tests put a store's clock ahead
FOR_EVER = re.compile(
    r"gk:(schema|teams|allowances|transfers|secret|key:[0-9a-f]{64}|\{[\w.-]+\}:(team|keys|grants|refunds|transfers|bal|open|due|jobs|j|base|alerts|deliveries))"
)
WITH_TTL = {
    re.compile(r"gk:\{[\w.-]+\}:done:\d+"): RETENTION_MS,
    re.compile(r"gk:\{[\w.-]+\}:once:\d+"): ONCE_MS,
    re.compile(r"gk:\{[\w.-]+\}:answer:[0-9a-f]{32}"): ANSWER_MS,
    re.compile(r"gk:\{[\w.-]+\}:job:[a-z0-9-]+/[!-~]+"): JOB_MS,
    re.compile(r"gk:\{[\w.-]+\}:lease:[0-9a-f]{32}"): LEASE_MS,
    re.compile(r"gk:\{[\w.-]+\}:alert:alert_[0-9a-f]{32}"): LEASE_MS,
}
USAGE = re.compile(r"gk:\{[\w.-]+\}:usage:\d{4}-\d{2}")
FENCE = re.compile(r"gk:\{[^}]+\}:fence")
_NUMBERS = itertools.count(1)


def start_server(directory: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
    """A real server on a unix socket in this directory, up when this returns."""
    socket = directory / "s"
    command = [server_binary(), "--port", "0", "--unixsocket", str(socket), "--dir", str(directory)]
    process = subprocess.Popen([*command, "--save", "", *arguments], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not _listens(socket):
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.005)
    return process, socket


def _listens(path: Path) -> bool:
    """A socket is there a moment before anybody listens at it."""
    with socketlib.socket(socketlib.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture(scope="session")
def server_socket() -> Iterator[Path]:
    """The unix socket of a real server that lives as long as the test session."""
    directory = Path(tempfile.mkdtemp(prefix="gk-"))
    process, socket = start_server(directory)
    yield socket
    process.terminate()
    process.wait()
    shutil.rmtree(directory)


@pytest.fixture
async def real_redis(server_socket: Path) -> AsyncIterator[Redis]:
    """The real server, empty."""
    redis = connect(f"unix://{server_socket}")
    await redis.flushall()
    yield redis
    await redis.aclose()


@pytest.fixture(params=["fakeredis", "valkey"])
async def redis(request: pytest.FixtureRequest, server_socket: Path) -> AsyncIterator[Redis]:
    """An empty store of each kind."""
    if request.param == "fakeredis":
        store: Redis = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer(), decode_responses=True, protocol=2)
    else:
        store = connect(f"unix://{server_socket}")
        await store.flushall()
    yield store
    await store.aclose()


@pytest.fixture
async def client(redis: Redis) -> AsyncIterator[StoreClient]:
    """A client of the store; afterwards no key may be there that the key table does not name, and none may leak."""
    client = StoreClient(redis, Patience(budget_s=10, attempts=3, wait_s=0.01))
    yield client
    await close_without_leaks(client)


async def close_without_leaks(client: StoreClient) -> None:
    """Close; no key may be there that the key table does not name, and none may stay longer than it says."""
    keys = [key for found in (await client.each("KEYS", "*")).values() for key in found]
    leaks = [key for key in keys if not await _is_known(client, key)]
    await client.close()
    assert [] == leaks


async def every_key(client: StoreClient) -> list[str]:
    """All keys of the store, whichever node has them; not those that are only there to have been written."""
    found = sorted(key for keys in (await client.each("KEYS", "*")).values() for key in keys)
    return [key for key in found if not FENCE.fullmatch(key)]


async def _is_known(client: StoreClient, key: str) -> bool:
    left_ms = await client.command("PTTL", key)
    if USAGE.fullmatch(key):
        ends_ms = bucket_ends_ms(key.rpartition(":")[2])
        return abs(left_ms + time.time_ns() // 1_000_000 - ends_ms) < CLOCK_AHEAD_MS
    for form, life_ms in WITH_TTL.items():
        if form.fullmatch(key):
            return bool(life_ms - 60_000 < left_ms <= life_ms)
    if FENCE.fullmatch(key):
        return 0 < left_ms <= FENCE_TTL_MS
    return FOR_EVER.fullmatch(key) is not None and left_ms == -1


@pytest.fixture
def ledger(client: StoreClient) -> Ledger:
    """A ledger on the store."""
    return Ledger(client)


@pytest.fixture
def team_id() -> str:
    """A team name no other test uses."""
    return f"team-{next(_NUMBERS)}"


@pytest.fixture
async def team(ledger: Ledger, team_id: str) -> TeamRecord:
    """A team with 490 credits."""
    record = await ledger.put_team(TeamRecord(team_id))
    await ledger.grant(team_id, "opening", 490 * CREDIT)
    return record


def fresh_id(age_ms: int = 0) -> str:
    """A new hold id, so old."""
    return new_hold_id(time.time_ns() // 1_000_000 - age_ms, secrets.randbits(74))


@pytest.fixture
def new_id() -> Callable[..., str]:
    """Makes hold ids."""
    return fresh_id


@pytest.fixture
def order(team: TeamRecord) -> Callable[..., HoldOrder]:
    """Makes hold orders of 49 credits for the team; every call has a new id unless one is given."""

    def build(**changes: Any) -> HoldOrder:
        base = HoldOrder(fresh_id(), team.id, 49 * CREDIT, ttl_ms=60_000, fingerprint="print", price_list="list")
        return replace(base, **changes)

    return build


def texts(reply: Reply) -> list[Reply]:
    """A reply with its integers as text, so that a test writes all of it in one way."""
    return [str(value) if isinstance(value, int) else value for value in reply]


class Raw:
    """Calls the scripts themselves, past all Python in front of them."""

    def __init__(self, client: StoreClient, team_id: str) -> None:
        self.client = client
        self.keys = TeamKeys(team_id)
        self.reaped: list[list[str]] = []
        self.windows = ""
        self.start_ms = time.time_ns() // 1_000_000 - DAY_MS

    async def hold(self, hold_id: str = "", **changes: str | int) -> Reply:
        """hold.lua with boring arguments but for the changes; what it reaped goes to `reaped`, and an admitted hold's
        windows to `windows`, out of the reply."""
        hold_id = hold_id or fresh_id()
        day = hold_id_day(hold_id) if len(hold_id) == 32 else 0
        window = Window(self.start_ms, self.start_ms + 2 * DAY_MS, self.start_ms + 3 * DAY_MS)
        args: dict[str, str | int] = {
            "id": hold_id, "amount": 10, "ttl": 60_000, "grace": 0, "policy": "r", "fingerprint": "f", "project": "",
            "member": "", "key": "", "price_list": "", "meta": "",
            "windows": Windows("UTC", *[window] * 4).argument, "day": day, "once": "", "within": 0,
            "usage": "", "shadow": "",
        }  # fmt: skip
        assert changes.keys() <= args.keys()
        args.update(changes)
        terms = ":".join(str(args[name]) for name in ("amount", "ttl", "grace", "policy"))
        names = ("project", "member", "key", "fingerprint", "price_list", "usage")
        sent = [
            f"{args['day']};{args['windows']}",
            args["id"],
            terms,
            "\t".join(str(args[name]) for name in names),
            args["meta"],
        ]
        if {"once", "within", "shadow"} & changes.keys():
            sent += [args["once"], args["within"], args["shadow"]]
        k = self.keys
        keys = [k.bal, k.open, k.due, k.done(day), k.done(day - 1), k.journal]
        keys += [k.usage(month_of_day(day)), k.usage(month_of_day(day - 1))]
        if args["once"]:
            keys += [k.once(day), k.once(day - 1), k.once(day + 1), k.done(day + 1)]
        reply = await self.client.run(script("hold"), keys, sent)
        if reply[0] == "HELD":
            self.windows = reply.pop(7)
        if reply[0] == "REFUSED":
            reply.pop()  # the store's time
        if reply[0] in {"HELD", "REFUSED"}:
            self.reaped = reply.pop(6 if reply[0] == "HELD" else 3)
        return texts(reply)

    async def settle(
        self, hold_id: str, amount: str | int, *, undo: int = 0, context: str = "", within: int = 0,
        outputs: str | int = 0, answer: tuple[str | int, ...] = (),
    ) -> Reply:  # fmt: skip
        """settle.lua; `answer` is its text and its ttl."""
        args = [hold_id, f"{amount}:{outputs}:{undo}:{within}", "why", "", context, *answer]
        names = [*self._hold_keys(hold_id, ()), self.keys.usage_of(hold_id)]
        names += [self.keys.answer(hold_id)] if answer else []
        return texts(await self.client.run(script("settle"), names, args))

    async def job(
        self, hold_id: str, job: str = "job", ttl: str | int = 60_000, *, names: tuple[str, ...] = (),
        keep: str | int = JOB_MS, answer: tuple[str | int, ...] = (),
    ) -> Reply:  # fmt: skip
        """job.lua; `answer` is its text and its ttl."""
        args = [hold_id, job, ttl, len(names), keep, *answer]
        return await self.client.run(script("job"), self._hold_keys(hold_id, answer, names), args)

    def _hold_keys(self, hold_id: str, answer: tuple[str | int, ...], names: tuple[str, ...] = ()) -> list[str]:
        k = self.keys
        found = [k.bal, k.open, k.due, k.done_of(hold_id), k.journal, k.jobs, *map(k.job, names)]
        return [*found, k.answer(hold_id)] if answer else found

    async def unknown(self, hold_id: str) -> Reply:
        """unknown.lua."""
        k = self.keys
        names = [k.bal, k.open, k.due, k.done_of(hold_id), k.journal]
        return await self.client.run(script("unknown"), names, [hold_id, "why"])

    async def extend(self, hold_id: str, ttl: str | int = 3_600_000) -> Reply:
        """extend.lua."""
        k = self.keys
        names = [k.bal, k.open, k.due, k.done_of(hold_id), k.journal]
        return await self.client.run(script("extend"), names, [hold_id, ttl])

    async def expire(self, hold_id: str, index: str | int = 5) -> Reply:
        """expire.lua for one hold."""
        k = self.keys
        names = [k.bal, k.open, k.due, k.journal, k.done_of(hold_id), k.usage_of(hold_id)]
        return await self.client.run(script("expire"), names, [hold_id, index])

    async def expire_reminder(self, member: str) -> Reply:
        """expire.lua for one lot."""
        k = self.keys
        return await self.client.run(script("expire"), [k.bal, k.open, k.due, k.journal], [member, 0])

    async def grant(self, grant_id: str = "g", amount: str | int = 100, expires: str | int = "") -> Reply:
        """grant.lua."""
        k = self.keys
        names = [k.team, k.bal, k.grants, k.journal, k.due]
        return await self.client.run(script("grant"), names, [grant_id, amount, "", "", expires])

    async def refund(
        self, refund_id: str, seq: str | int, amount: str | int = "", *, hold_id: str, sure: int = 0
    ) -> Reply:  # fmt: skip
        """refund.lua."""
        k = self.keys
        names = [k.bal, k.refunds, k.journal, k.done_of(hold_id), k.usage_of(hold_id)]
        return await self.client.run(script("refund"), names, [refund_id, seq, amount, "why", "amy", hold_id, sure])

    async def transfer(self, transfer_id: str, amount: str | int, *, to: str = "b", given: int = 0) -> Reply:
        """transfer.lua, without the time in its reply."""
        k = self.keys
        args = [transfer_id, to, amount, "why", "amy", given]
        reply = await self.client.run(script("transfer"), [k.bal, k.transfers, k.journal], args)
        return reply[:3] if reply[0] in {"TAKEN", "PENDING", "GIVEN"} else reply

    async def team(self, **changes: str) -> Reply:
        """team.lua with boring arguments but for the changes."""
        args = {
            "expected": "", "timezone": "UTC", "frozen": "0", "limits": "", "per_request": "", "open_holds": "",
            "held_credits": "", "per_minute": "", "models": '{"allow":["*"],"deny":[]}', "retry_guard": "1",
            "plan": "{}", "actor": "", "why": "",
        }  # fmt: skip
        args.update(changes)
        k = self.keys
        return await self.client.run(script("team"), [k.team, k.bal, k.journal], list(args.values()))

    async def key(self, key_id: str, before: str, after: str) -> Reply:
        """key.lua."""
        k = self.keys
        return await self.client.run(
            script("key"), [k.team, k.keys, k.bal, k.journal], [key_id, before, after, "", "", ""]
        )

    async def balance(self, *scopes: str) -> Reply:
        """balance.lua."""
        k = self.keys
        return await self.client.run(script("balance"), [k.team, k.bal], list(scopes))

    async def exported(self, seq: str | int) -> Reply:
        """exported.lua."""
        return await self.client.run(script("exported"), [self.keys.bal, self.keys.base], [seq])

    async def trim(self, before: str | int, seq: str | int, state: str = "{}") -> Reply:
        """trim.lua."""
        k = self.keys
        return await self.client.run(script("trim"), [k.bal, k.base, k.journal], [before, seq, state])

    async def dump(self) -> dict[str, Any]:
        """Everything stored, for 'nothing was written'."""
        found: dict[str, Any] = {}
        for key in await every_key(self.client):
            kind = await self.client.command("TYPE", key)
            read = {
                "hash": ("HGETALL", key), "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"), "string": ("GET", key),
                "stream": ("XRANGE", key, "-", "+"), "set": ("SMEMBERS", key),
            }  # fmt: skip
            found[key] = await self.client.command(*read[kind])
        return found


@pytest.fixture
def raw(client: StoreClient, team_id: str) -> Raw:
    """The scripts, for a team that is not there yet."""
    return Raw(client, team_id)


@pytest.fixture
async def funded(raw: Raw) -> Raw:
    """The scripts, for a team with 100 micro-credits."""
    await raw.team()
    await raw.grant("opening", 100)
    return raw


@pytest.fixture
async def clock(raw: Raw) -> Clock:
    """A team without credits, and its clock, at 0 and standing."""
    clock = Clock(raw)
    await raw.team()
    await clock.at(0)
    return clock
