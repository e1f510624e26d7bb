"""The credit ledger: what the rest of the gateway calls.

Each method that moves credits is one atomic step in the store, idempotent by the id it carries. It never guesses: an
answer is the fact the store wrote or found, a `Refused` lists every check that failed, and when the store cannot be
reached in time `LedgerUnavailable` says whether something may have been written. It does not log, does not price or
validate requests, and reads no clock: time is the store's.

A caller that is cancelled while it waits gives up the answer, not the step. Calls leave in the order in which they
were made, so a `release` after a cancelled `hold` meets whatever that hold did.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, Final

from gatekeeper.ledger import bounds, codec, jobs, looking, scripts
from gatekeeper.ledger.alerts import Alerts
from gatekeeper.ledger.allowing import Allowances
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.history import Act, Doubt, Extension, Following, History
from gatekeeper.ledger.journal import Checkpoint, read_checkpoint, read_page
from gatekeeper.ledger.keyring import KeyRing
from gatekeeper.ledger.keys import TEAMS, TeamKeys
from gatekeeper.ledger.limituse import scopes_of
from gatekeeper.ledger.proof import prove
from gatekeeper.ledger.records import (
    Answer,
    Attached,
    Ending,
    Entry,
    Expiry,
    GrantStatus,
    Held,
    HoldContext,
    HoldOrder,
    HoldResult,
    Job,
    Marked,
    Refused,
    Settlement,
    SettleStatus,
    Transition,
)
from gatekeeper.ledger.repair import Answered, Repair
from gatekeeper.ledger.reports import Balance, Grant, OpenHold, VerifyReport
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.terms import Terms
from gatekeeper.ledger.usagebook import UsageBook
from gatekeeper.ledger.wallet import Wallet
from gatekeeper.ledger.windows import WindowCache

EXPIRE_MAX: Final = 200
"""Holds in one expire_due: keeps the store's other clients waiting for a few milliseconds at most."""

_WINDOW_TRIES: Final = 3  # time zone unknown, then the window changed under us, then done


class Ledger:
    """All of a store's teams, credits and holds; `keyring` has the teams' API keys, `wallet` refunds and transfers,
    `allowances` recurring grants, `terms` how long holds last, `usage` what was used, `alerts` what teams were told.

    `on_transition` is told everything that time did to a hold, with the team's id, whether a sweep or another hold
    of the team came upon it. `on_deadline` is told, with the team's id, in how many ms from now something of it may
    become due: before each hold, whose answer may be lost, and after each mark (0: look at it soon) and each job.
    `repair` watches for a store that has lost entries it had acknowledged.
    """

    def __init__(self, client: StoreClient) -> None:
        self.on_transition: Callable[[str, Transition], None] = lambda _team, _transition: None
        self.on_deadline: Callable[[str, int], None] = lambda _team, _in_ms: None
        self.repair = Repair(client, History(), self._again)
        self.keyring = KeyRing(client)
        self.alerts = Alerts(client)
        self.wallet = Wallet(client)
        self.allowances = Allowances(client)
        # Looked up at each call, because both may be replaced by others later.
        self.terms = Terms(client, lambda *acked: self.repair.acked(*acked), lambda *due: self.on_deadline(*due))  # noqa: PLW0108
        self.usage = UsageBook(client)
        self._client = client
        self._windows = WindowCache()

    async def close(self) -> None:
        """Finish what is in flight (bounded) and close the connections."""
        await self.repair.close()
        await self._client.close()

    async def put_team(
        self, record: TeamRecord, *, actor: str = "", why: str = "", expected_revision: int | None = None
    ) -> TeamRecord:
        """Store a team; gives it back with its new revision (the same one if nothing changed).

        Counts from the next hold on, on every worker. Raises LedgerConflict if `expected_revision` is given and
        the store has another one.
        """
        bounds.check_team(record)
        bounds.check_name("actor", actor)
        bounds.check_text("why", why, bounds.REASON_CHARS_MAX)
        await self._client.command("SADD", TEAMS, record.id)
        await self.allowances.expect(record)
        revision = await scripts.put_team(self._client, record, actor, why, expected_revision)
        self._windows.remember(record.id, record.timezone)
        await self.allowances.stored(record)
        return replace(record, revision=revision)

    async def team(self, team_id: str) -> TeamRecord | None:
        """The team's record, or None."""
        bounds.check_team_id(team_id)
        record = await looking.team(self._client, team_id)
        if record is not None:
            self._windows.remember(team_id, record.timezone)
        return record

    def teams(self) -> AsyncIterator[str]:
        """Every team id, each at least once (read in pages; teams made meanwhile may or may not appear)."""
        return looking.team_ids(self._client)

    # Credits

    async def now_ms(self, team_id: str) -> int:
        """The time of the store that has this team: what its expiries and deadlines are measured by."""
        return await looking.now_ms(self._client, team_id)

    async def grants(self, team_id: str) -> tuple[Grant, ...]:
        """What the team was granted: what expires first, then what never does, each by id."""
        bounds.check_team_id(team_id)
        return await looking.grants(self._client, team_id)

    async def grant(
        self,
        team_id: str,
        grant_id: str,
        amount: int,
        *,
        note: str = "",
        actor: str = "",
        expires_at_ms: int | None = None,
    ) -> GrantStatus:
        """Give credits (1 to 9e15 micro-credits), once per grant id. Raises LedgerNoTeam.

        With `expires_at_ms` they are spent before credits that expire later or never, and what is left then lapses.
        Raises LedgerInvalid if that is past by the store's clock, or if 64 grants of the team are still to expire.
        """
        bounds.check_team_id(team_id)
        bounds.check_grant_id(grant_id)
        bounds.check_amount(amount, least=1)
        bounds.check_text("note", note, bounds.REASON_CHARS_MAX)
        bounds.check_name("actor", actor)
        if expires_at_ms is not None:
            bounds.check_instant("expires_at_ms", expires_at_ms)
        return await scripts.grant(self._client, team_id, grant_id, amount, note, actor, expires_at_ms)

    async def hold(self, order: HoldOrder) -> HoldResult:
        """Check everything that limits this team and keep the credits aside, all or nothing, in one step. Raises
        LedgerNoTeam, and LedgerUnavailable: then forward nothing."""
        team = order.team
        bounds.check_order(order)
        self.repair.admit(team)
        self.on_deadline(team, order.ttl_ms)
        self.alerts.seen(team, order)
        since_s, windows, words = monotonic(), self._windows.of_team(team), codec.order_words(order)
        result = scripts.held(order, await scripts.ask_hold(self._client, order, windows, words))
        if (type(result) is not Held and type(result) is not Refused) or result.reaped:
            result = await self._went_on(order, result)
        if type(result) is Refused and await self.allowances.help(order, result, since_s):
            result = await self._hold(order)
        if type(result) is Held and not self.repair.acked(team, result.seq, order, words):
            await self.repair.admit_held(team)
        return result

    async def _hold(self, order: HoldOrder) -> HoldResult:
        return await self._went_on(order, await scripts.hold(self._client, order, self._windows.of_team(order.team)))

    async def _went_on(self, order: HoldOrder, answer: HoldResult | scripts.RetryWindows) -> HoldResult:
        """What became of a hold, which is sent again while its windows are not the store's; tells what it reaped."""
        for _ in range(_WINDOW_TRIES - 1):
            if isinstance(answer, scripts.RetryWindows):
                self._windows.remember(order.team, answer.timezone)
                answer = await scripts.hold(self._client, order, self._windows.at(answer.now_ms, answer.timezone))
        if isinstance(answer, scripts.RetryWindows):
            raise LedgerBroken(f"no calendar window of team {order.team} holds the store's time")
        if isinstance(answer, Held | Refused):
            self._tell(order.team, answer.reaped)
        return answer

    def settle(  # noqa: PLR0913  # what a journal entry has, each by its name
        self,
        hold_id: str,
        team_id: str,
        amount: int,
        *,
        outcome: str = "",
        meta: str = "",
        context: HoldContext | None = None,
        answer: Answer | None = None,
        within_available: bool = False,
        outputs: int = 0,
    ) -> Coroutine[Any, Any, Settlement]:
        """Charge what was made (0 charges nothing) and free the rest of the hold.

        More than was held is charged too, and flagged `over`; so is a result that comes after time resolved the
        hold (`late`). Both are facts, and may take the team below zero. `within_available`: beyond the hold only as
        much is charged as the team has, and the same again is a duplicate. With its `context` a charge is booked also
        if the store has lost the hold (`orphan`), and with nothing to charge the hold can no longer be made (`voided`):
        both within 48 hours of its making, later it is `gone`. `answer` is kept with the charge if this settles it.
        `outputs` is how many were made, for the usage.
        """
        ending = Ending(
            hold_id, amount, outcome, meta, context=context, answer=answer, within_available=within_available,
            outputs=outputs,
        )  # fmt: skip
        return self.end(team_id, ending)

    async def release(
        self, hold_id: str, team_id: str, *, reason: str = "", context: HoldContext | None = None
    ) -> Settlement:
        """Free the whole hold: the same as a settle of 0, with a reason for the journal."""
        return await self.settle(hold_id, team_id, 0, outcome=reason, context=context)

    async def undo(self, hold_id: str, team_id: str, *, reason: str = "") -> Settlement:
        """Free a hold that may never have been made: if it is not there, it cannot be made any more (`voided`).

        For a hold whose answer was lost: the call that makes it may still be on its way.
        """
        return await self.end(team_id, Ending(hold_id, why=reason, undo=True))

    async def end(self, team_id: str, ending: Ending) -> Settlement:
        """What `settle`, `release` and `undo` do, for whoever has all that they take in one."""
        bounds.check_team_id(team_id)
        bounds.check_ending(ending)
        self.alerts.seen(team_id, ending.context)
        words = codec.ending_words(ending)
        settlement = scripts.settlement(team_id, await scripts.ask_settle(self._client, team_id, ending, words))
        if settlement.seq:
            self.repair.acked(team_id, settlement.seq, ending, words)
        elif settlement.status is SettleStatus.DUPLICATE:
            await self.repair.settled_before(team_id, settlement, ending)
        return settlement

    async def answer(self, team_id: str, hold_id: str) -> str | None:
        """The answer that was kept with a hold, or None: there was none, or its time is over."""
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        text: str | None = await self._client.command("GET", TeamKeys(team_id).answer(hold_id))
        return text

    async def mark_unknown(self, hold_id: str, team_id: str, *, reason: str = "") -> Marked:
        """Say that the outcome is not known; from now on the hold's grace runs, then its policy acts."""
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        bounds.check_text("reason", reason, bounds.REASON_CHARS_MAX)
        try:
            marked = await scripts.mark_unknown(self._client, team_id, hold_id, reason)
        finally:
            self.on_deadline(team_id, 0)
        if marked.seq:
            self.repair.acked(team_id, marked.seq, Doubt(hold_id, reason))
        return marked

    async def attach_job(
        self, hold_id: str, team_id: str, job: str, *,
        ttl_ms: int, names: Sequence[str] = (), keep_ms: int = 0, answer: Answer | None = None,
    ) -> Attached:  # fmt: skip
        """Let the hold follow an asynchronous job (a text of the caller's), whose result may take `ttl_ms` from now.

        Time alone never resolves it any more: when it is overdue it becomes unknown, and is kept. The same job again
        finds an unknown hold again. `answer` is kept with the hold if this attaches the job. In the same step the job
        gets its `names` (`provider/upstream id`), by which it is found for `keep_ms`; a hold that is over, or lost,
        does not keep it from them.
        """
        wanted = Job(job, ttl_ms, tuple(names), keep_ms)
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        bounds.check_job(wanted, answer)
        self.on_deadline(team_id, ttl_ms)
        attached = await jobs.attach(self._client, team_id, hold_id, wanted, answer)
        if attached.seq:
            self.repair.acked(team_id, attached.seq, Following(hold_id, wanted))
        return attached

    async def name_job(self, team_id: str, name: str, hold_id: str, job: str, keep_ms: int) -> None:
        """Let a job be found by one more name: a file that it made, or a job that had ended at once."""
        bounds.check_team_id(team_id)
        await jobs.put_name(self._client, team_id, name, hold_id, job, keep_ms)

    async def job(self, team_id: str, name: str) -> tuple[str, str] | None:
        """The hold id and the text of the team's job of this name, or None: there is none, or its time is over."""
        bounds.check_team_id(team_id)
        return await jobs.find(self._client, team_id, name)

    async def open_jobs(self, team_id: str, cursor: str = "0") -> tuple[str, tuple[tuple[str, str], ...]]:
        """A page of the jobs that open holds of the team follow, as (hold id, job), and the cursor of the next page:
        "0" after the last. A job that comes or ends meanwhile may be left out; none comes in no page otherwise."""
        bounds.check_team_id(team_id)
        return await jobs.open_page(self._client, team_id, cursor)

    async def open_job(self, team_id: str, hold_id: str) -> str | None:
        """The job that this hold follows; None if it is over or follows none."""
        bounds.check_team_id(team_id)
        return await jobs.of_hold(self._client, team_id, hold_id)

    async def claim_job(self, team_id: str, hold_id: str, owner: str, ttl_ms: int) -> bool:
        """Whether this owner, and for `ttl_ms` nobody else, looks after the job of this hold now."""
        bounds.check_team_id(team_id)
        return await jobs.claim(self._client, team_id, hold_id, owner, ttl_ms)

    async def secret(self) -> str:
        """A secret of the whole store, made once: what gateways sign with that others have to believe."""
        return await jobs.secret(self._client)

    async def expire_due(self, team_id: str, max_holds: int = 100) -> Expiry:
        """Let time act on up to `max_holds` (at most 200) holds past their deadline, each by its own policy.

        A lot past its time counts as one of them; it lapses, which the journal tells and the answer does not.
        """
        bounds.check_team_id(team_id)
        wanted = max(1, min(max_holds, EXPIRE_MAX))
        left_ms = await looking.first_due(self._client, team_id, wanted)
        due = [member for member, in_ms in left_ms.items() if in_ms <= 0]
        if not due:
            return Expiry((), more=False, next_due_in_ms=min(left_ms.values(), default=None))
        transitions = await scripts.expire(self._client, team_id, due[:wanted])
        self._tell(team_id, transitions)
        return Expiry(transitions, more=len(due) > wanted, next_due_in_ms=0)

    async def due_in_ms(self, team_ids: Sequence[str]) -> list[int | None]:
        """For each team, how far off its next deadline is: 0 or less if it has come, None if there is none."""
        return await looking.due_in_ms(self._client, team_ids)

    # Looking

    async def balance(self, team_id: str, *, project: str = "", member: str = "", key_id: str = "") -> Balance:
        """The team's credits, and the use of every limit that applies to this project, member and key."""
        bounds.check_team_id(team_id)
        return await looking.balance(self._client, self._windows, team_id, scopes_of(project, member, key_id))

    async def holds(self, team_id: str, max_holds: int = 1000) -> tuple[OpenHold, ...]:
        """Up to `max_holds` of the team's open holds, oldest first."""
        bounds.check_team_id(team_id)
        return await looking.holds(self._client, team_id, max_holds)

    async def open_hold(self, hold_id: str, team_id: str) -> OpenHold | None:
        """This hold, if it is open."""
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        return await looking.hold(self._client, team_id, hold_id)

    async def journal(self, team_id: str, after: int = 0, count: int = 100) -> tuple[Entry, ...]:
        """Up to `count` (at most 1000) journal entries with a sequence above `after`, in order."""
        bounds.check_team_id(team_id)
        return tuple(await read_page(self._client, team_id, after, count))

    async def verify(self, team_id: str, exported: Path | None = None) -> VerifyReport:
        """Re-derive every figure of the team from its journal, against one consistent snapshot.

        What was cut off the journal is taken from its checkpoint, or, with the directory it was `exported` to, from
        there; then the checkpoint is one of the figures.
        """
        bounds.check_team_id(team_id)
        return await prove(self._client, team_id, exported)

    # What becomes of the journal

    async def checkpoint(self, team_id: str) -> Checkpoint:
        """Where the team's journal begins, and how far it was exported."""
        bounds.check_team_id(team_id)
        return await read_checkpoint(self._client, team_id)

    async def confirm_exported(self, team_id: str, seq: int) -> int:
        """Say that every entry up to `seq` is in files on disk; gives back the last one known to be, which never goes
        back. Raises LedgerInvalid for an entry that the journal does not have."""
        bounds.check_team_id(team_id)
        return await scripts.exported(self._client, team_id, seq)

    async def cut_journal(self, team_id: str, before: int, seq: int, state: str) -> int:
        """Put the checkpoint of `seq` in the place of the one of `before` and cut the entries up to it off; gives back
        how many. Raises LedgerInvalid beyond what was exported, LedgerConflict if the checkpoint is another one."""
        bounds.check_team_id(team_id)
        bounds.check_checkpoint(state)
        return await scripts.trim(self._client, team_id, before, seq, state)

    async def _again(self, team_id: str, act: Act) -> Answered:
        """Tell the store an act once more; whatever it says, nothing is remembered of it a second time."""
        match act:
            case HoldOrder():
                return await self._hold(act)
            case Ending():
                return await scripts.settle(self._client, team_id, act)
            case Doubt(hold_id, reason):
                return await scripts.mark_unknown(self._client, team_id, hold_id, reason)
            case Following(hold_id, job):
                return await jobs.attach(self._client, team_id, hold_id, job)
            case Extension(hold_id, ttl_ms):
                return await scripts.extend(self._client, team_id, hold_id, ttl_ms)

    def _tell(self, team_id: str, transitions: tuple[Transition, ...]) -> None:
        for transition in transitions:
            self.on_transition(team_id, transition)
