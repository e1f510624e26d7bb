"""Gives recurring grants when they are due: to a team that a hold found without credits, and in a loop to all others.

Every gateway on the store does it, without a word between them: the id of a grant says for which period it is, so it is
given once. The loop also finishes transfers that a crash cut in two. It does not log: what happened goes to callbacks.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Final

from gatekeeper.ledger import bounds, looking, scripts
from gatekeeper.ledger.allowances import Due, due, next_due_ms
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.keys import ALLOWANCES, TeamKeys
from gatekeeper.ledger.records import GrantStatus, HoldOrder, RefusalCode, Refused
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.wallet import Wallet
from gatekeeper.ledger.walletrecords import Given

LOOK_S: Final = 30.0
"""Longest pause between two looks at all teams with a recurring grant, and for how long a look at one team is believed:
so late at most is a change noticed that somebody else made."""
LOOK_LEAST_S: Final = 0.1
"""Shortest pause: so soon after a period has begun its credits are there."""
TEAMS_AT_ONCE: Final = 50
"""Teams looked at in one pipeline."""
TEAMS_A_SECOND_MAX: Final = 250
"""Teams looked at in a second, which is 7,500 in 30 s; with more a look at all takes longer. A team that lacks credits
does not wait for it."""
TEAMS_KNOWN_MAX: Final = 100_000
"""Teams of which the next grant is remembered; a forgotten one costs a refused hold one more look."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look at a team at a monotonic time: nothing is due before `next_ms` of the store, which is at `next_s` of the
    monotonic clock, but the grants that are known to be there."""

    at_s: float
    next_s: float
    next_ms: int
    known: tuple[str, ...] = ()


class Allowances:
    """The recurring grants of all teams of a store. `on_given` hears of each that is given by this process."""

    def __init__(self, client: StoreClient) -> None:
        self.on_given: Callable[[str, Given], None] = lambda _team, _given: None
        self._client = client
        self._seen: dict[str, _Seen] = {}
        self._came_s: dict[str, float] = {}
        self._giving: dict[str, asyncio.Task[bool]] = {}

    async def expect(self, record: TeamRecord) -> None:
        """Before a record is stored: whoever looks for teams with recurring grants finds this one."""
        if record.allowances:
            await self._client.command("SADD", ALLOWANCES, record.id)

    async def stored(self, record: TeamRecord) -> None:
        """After it was: give what is due at once. A team without any is looked for no longer, unless somebody else has
        stored another record meanwhile, who then adds it after us or is seen by us."""
        self._seen.pop(record.id, None)
        if record.allowances:
            await self._client.command("SADD", ALLOWANCES, record.id)
            with suppress(LedgerError):  # the record is stored; whoever looks next gives it
                await self._together(record.id)
        elif await self._client.command("SREM", ALLOWANCES, record.id) and (await self._record(record.id)).allowances:
            await self._client.command("SADD", ALLOWANCES, record.id)

    async def help(self, order: HoldOrder, refused: Refused, since_s: float) -> bool:
        """Whether a hold that lacked credits is worth making once more: a recurring grant came since it was sent off,
        at `since_s` of the monotonic clock. Gives what is due. Looks at the store only if something may be; an error
        means that it does not help."""
        if RefusalCode.INSUFFICIENT_CREDITS not in [refusal.code for refusal in refused.refusals]:
            return False
        team_id, at_ms = order.team, refused.at_ms
        if self._came_s.get(team_id, -1.0) >= since_s:
            return True
        seen = self._seen.get(team_id)
        now_s = monotonic()
        if seen is not None and at_ms < seen.next_ms and now_s < seen.at_s + LOOK_S:
            return False
        try:
            return await self._together(team_id)
        except LedgerError:
            return False

    async def give(self, team_id: str) -> bool:
        """Give the team what is due and was not given yet; whether anything came since this process looked last.

        Raises the ledger's errors; LedgerInvalid if 64 grants of the team are still to expire.
        """
        bounds.check_team_id(team_id)
        return await self._together(team_id)

    def next_s(self) -> float:
        """When, by the monotonic clock, the next grant of a team that was looked at comes due."""
        return min((seen.next_s for seen in self._seen.values()), default=inf)

    async def teams(self) -> list[str]:
        """Every team that has a recurring grant."""
        return sorted({team_id async for page in looking.scan(self._client, "SSCAN", ALLOWANCES) for team_id in page})

    async def _together(self, team_id: str) -> bool:
        """Many holds are refused at once: one of them looks, for all."""
        task = self._giving.get(team_id)
        if task is None:
            task = self._giving[team_id] = asyncio.get_running_loop().create_task(self._give(team_id))
            task.add_done_callback(lambda _: self._giving.pop(team_id, None))
        return await asyncio.shield(task)

    async def _give(self, team_id: str) -> bool:
        asked_s = monotonic()
        record = await self._record(team_id)
        if not record.allowances:
            self._remember(team_id, _Seen(asked_s, inf, bounds.INSTANT_MAX_MS))
            return False
        now_ms = (await scripts.balance(self._client, team_id, ["team"])).at_ms
        wanted, next_ms = due(record, now_ms), next_due_ms(record, now_ms) or bounds.INSTANT_MAX_MS
        next_s = monotonic() + (next_ms - now_ms) / 1000
        seen = self._seen.get(team_id)
        known = seen.known if seen is not None else ()
        missing = await self._missing(team_id, wanted)
        came = any(grant_id not in known for grant_id, _, _ in wanted)
        self._remember(team_id, _Seen(asked_s, next_s, next_ms, known))  # if one is refused now, it is for a while
        for each in missing:
            await self._give_one(team_id, *each)
            self._came_s[team_id] = monotonic()
        if came:  # it may have been another process
            self._came_s[team_id] = monotonic()
        self._remember(team_id, _Seen(asked_s, next_s, next_ms, tuple(grant_id for grant_id, _, _ in wanted)))
        return came or bool(missing)

    async def _missing(self, team_id: str, wanted: Sequence[Due]) -> list[Due]:
        """Those that the store does not have: what this process once gave, a fail-over may have lost."""
        if not wanted:
            return []
        ids = [grant_id for grant_id, _, _ in wanted]
        there = await self._client.command("HMGET", TeamKeys(team_id).grants, *ids)
        return [each for each, text in zip(wanted, there, strict=True) if text is None]

    async def _record(self, team_id: str) -> TeamRecord:
        return await looking.team(self._client, team_id) or TeamRecord(team_id)

    async def _give_one(self, team_id: str, grant_id: str, amount: int, expires_at_ms: int | None) -> None:
        """One that is there with other credits stays as it was given, until the next period."""
        met = await scripts.grant(self._client, team_id, grant_id, amount, "", "allowance", expires_at_ms)
        if met is GrantStatus.GRANTED:
            self.on_given(team_id, Given(grant_id, amount, expires_at_ms))

    def _remember(self, team_id: str, seen: _Seen) -> None:
        if len(self._seen) >= TEAMS_KNOWN_MAX:
            self._seen.clear()
            self._came_s.clear()
        self._seen[team_id] = seen


class AllowanceLoop:
    """Gives what is due to all teams in the background until it is stopped, and finishes transfers.

    `on_error` hears of what failed: the next look tries again.
    """

    def __init__(
        self, allowances: Allowances, wallet: Wallet, *, on_error: Callable[[Exception], None], look_s: float = LOOK_S
    ) -> None:
        self._allowances = allowances
        self._wallet = wallet
        self._on_error = on_error
        self._look_s = look_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; needs a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._forever())

    async def stop(self) -> None:
        """Ends at once: what was begun is idempotent, and finished by whoever looks next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Once over all of it. One team's trouble is told and keeps nothing from the others."""
        teams, begun_s = await self._allowances.teams(), monotonic()
        for at in range(0, len(teams), TEAMS_AT_ONCE):
            some = teams[at : at + TEAMS_AT_ONCE]
            await asyncio.sleep(max(0.0, begun_s + at / TEAMS_A_SECOND_MAX - monotonic()))
            for met in await asyncio.gather(*map(self._allowances.give, some), return_exceptions=True):
                if isinstance(met, BaseException):
                    self._tell(met)
        await self._wallet.finish_pending()

    async def _forever(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - the supervisor: one failure must not end all later looks
                self._on_error(error)
            until_next_s = self._allowances.next_s() - monotonic()
            await asyncio.sleep(min(self._look_s, max(LOOK_LEAST_S, until_next_s)))

    def _tell(self, met: BaseException) -> None:
        if not isinstance(met, Exception):
            raise met
        self._on_error(met)
