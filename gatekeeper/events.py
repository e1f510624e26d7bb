"""The log events that scripts and dashboards rely on, as types.

`docs/log-events.schema.json` is generated from these types and a test validates real log lines against it. An event
never carries a key, a credential, a prompt or an image: the fields below are all there is. Emitting is `logs.emit`.

They have no slots: a line is made of the very dictionaries in which they keep their fields.
"""

from dataclasses import dataclass
from typing import Any, Literal

from gatekeeper.serverevents import (
    BodyNotKept,
    CatalogReloaded,
    ConsoleEntered,
    HistoryLost,
    ServerStarted,
    ServerStopped,
    StoreWarning,
    TracesLost,
    WorkerDied,
    WorkerStarted,
    WorkerStopped,
)
from gatekeeper.teamevents import AlertDelivered, AlertFailed, AllowanceGiven, BudgetSignal, Credits, LimitThreshold
from gatekeeper.webhookevents import WebhookDelivered, WebhookFailed, WebhookReceived, WebhookRejected

SettledAs = Literal["made", "partial", "failed_billable", "policy"]
"""How a hold was settled: a closed list, for it is a metric's label too. `policy`: its job is gone, nobody can tell."""

JobVia = Literal["poll", "reconciler", "webhook", "decision"]
"""Who learnt how a job ended: the caller by its own poll, the gateway by its own, or both by the provider's call; a
`decision` was ended by whoever did the work."""

JobEnd = Literal["made", "partial", "failed", "failed_billable", "policy"]
"""How a job ended: a closed list, for it is a metric's label too."""


@dataclass
class GenerationFacts:
    """What every generation event tells: who asked for what, at which price. None is null in the line.

    It grows with what is known of its request, whose trace owns it; whoever keeps it for longer keeps a copy. Neither
    it nor the events that most requests cause are frozen: to make a frozen one takes four times as long. For the same
    reason these may be given by place, which nobody does.
    """

    request_id: str
    team: str | None = None
    project: str | None = None
    member: str | None = None
    key_id: str | None = None
    phase: str | None = None
    provider: str | None = None
    dialect: str | None = None
    model: str | None = None
    operation: str | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    size: str | None = None
    outputs: int | None = None
    duration_s: float | None = None
    audio: bool | None = None
    credits: Credits | None = None
    price_list: str | None = None
    hold_id: str | None = None


@dataclass(kw_only=True)
class GenerationAdmitted:
    """Credits are held and the request is on its way to the provider. `asked` is the request as it was read, as far as
    a price or a refusal depends on it."""

    event: Literal["generation.admitted"] = "generation.admitted"
    facts: GenerationFacts
    credits_available: Credits
    asked: dict[str, Any] | None = None


@dataclass(kw_only=True)
class GenerationRejected:
    """Nothing was forwarded, or the provider could not be reached. `code` leads, `codes` are all that apply.
    `asked` is null where nobody read what was asked, and for dry runs."""

    event: Literal["generation.rejected"] = "generation.rejected"
    facts: GenerationFacts
    code: str
    codes: tuple[str, ...]
    violations: tuple[dict[str, Any], ...] = ()
    credits_required: Credits | None = None
    credits_available: Credits | None = None
    status: int
    asked: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class GenerationShadowed:
    """Shadow mode let a request by that would have been refused. `code` leads, `codes` are all that apply;
    `credits_held` is what it was held at (null: it had no price, and nothing was)."""

    event: Literal["generation.shadowed"] = "generation.shadowed"
    facts: GenerationFacts
    code: str
    codes: tuple[str, ...]
    violations: tuple[dict[str, Any], ...] = ()
    credits_required: Credits | None = None
    credits_available: Credits | None = None
    credits_held: Credits | None = None
    status: int
    asked: dict[str, Any] | None = None


@dataclass(kw_only=True)
class GenerationSettled:
    """The true outcome is booked. `credits_over` is what the outcome was worth beyond what was charged; `cost_reported`
    is what the provider says it cost, in its own unit, and `made` what its answer tells of what it made."""

    event: Literal["generation.settled"] = "generation.settled"
    facts: GenerationFacts
    credits_held: Credits
    credits_charged: Credits
    credits_over: Credits = 0
    outcome: SettledAs
    note: str = ""
    outputs_made: int
    quality_made: str | None = None
    made: dict[str, Any] | None = None
    cost_reported: float | None = None
    cost_unit: str | None = None
    upstream_status: int | None = None
    upstream_ms: int | None = None
    overhead_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class GenerationReplayed:
    """The same request came again and got the answer of the earlier one, whose hold `hold_id` names. Nothing was
    forwarded, nothing charged; `credits_charged` is what the earlier one cost, as far as it is known."""

    event: Literal["generation.replayed"] = "generation.replayed"
    facts: GenerationFacts
    credits_charged: Credits | None = None
    status: int


@dataclass(frozen=True, kw_only=True)
class GenerationReleased:
    """Nothing was made; the hold is freed whole."""

    event: Literal["generation.released"] = "generation.released"
    facts: GenerationFacts
    credits_held: Credits
    credits_charged: Credits = 0
    outcome: str
    upstream_status: int | None = None
    upstream_ms: int | None = None
    overhead_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class JobAccepted:
    """The provider took the work and will tell later; the hold follows its job. `status` is the ledger's word for that:
    `attached`, or `deferred` where the store was away."""

    event: Literal["job.accepted"] = "job.accepted"
    facts: GenerationFacts
    job: str
    credits_held: Credits
    deadline_s: int
    status: str
    upstream_status: int | None = None
    upstream_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class JobFinished:
    """How a job ended, and who learnt it. `credits_charged` is null while the store is away."""

    event: Literal["job.finished"] = "job.finished"
    facts: GenerationFacts
    job: str
    outcome: JobEnd
    via: JobVia
    age_s: int
    credits_charged: Credits | None = None


@dataclass(frozen=True, kw_only=True)
class JobOverdue:
    """A job should have ended by now. `state` is `pending`, `gone` (the provider knows no such job, and the hold is
    kept by policy) or `untold` (no answer tells). Its hold stays until an answer, or a person, says how it ended."""

    event: Literal["job.overdue"] = "job.overdue"
    facts: GenerationFacts
    job: str
    state: Literal["pending", "gone", "untold"]
    age_s: int
    credits_held: Credits


@dataclass(frozen=True, kw_only=True)
class HoldUnknown:
    """Whether the provider made it is not known; `policy` acts when the hold's grace is over."""

    event: Literal["hold.unknown"] = "hold.unknown"
    facts: GenerationFacts
    credits_held: Credits
    reason: str
    policy: str
    upstream_status: int | None = None
    upstream_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class SettleLate:
    """An outcome came after time had resolved its hold; it was booked as the fact it is."""

    event: Literal["settle.late"] = "settle.late"
    facts: GenerationFacts
    credits_held: Credits
    credits_charged: Credits
    debt: Credits


@dataclass(frozen=True, kw_only=True)
class SettleOrphan:
    """The store had lost the hold of this outcome; it was booked all the same, from what the gateway knew of it. What
    else the store has lost, nobody can tell from here."""

    event: Literal["settle.orphan"] = "settle.orphan"
    facts: GenerationFacts
    credits_held: Credits
    credits_charged: Credits
    debt: Credits


@dataclass(frozen=True, kw_only=True)
class HoldExpired:
    """Time acted on a hold whose outcome nobody reported: `unknown` first, then its policy: expire, charge or keep."""

    event: Literal["hold.expired"] = "hold.expired"
    team: str
    hold_id: str
    transition: str
    credits: Credits


@dataclass(frozen=True, kw_only=True)
class SettleFailed:
    """Neither the ledger nor the outbox could take an outcome; the hold, if there is one, is left to time."""

    event: Literal["settle.failed"] = "settle.failed"
    facts: GenerationFacts
    credits_held: Credits
    reason: str


@dataclass(frozen=True, kw_only=True)
class SettleDeferred:
    """The store was away: the outcome is on disk in the outbox, and is booked when the store is back. `act` says what
    waits: `settle`, `release`, `unknown`, `undo` of a hold that nobody confirmed, or the `job` that a hold follows."""

    event: Literal["settle.deferred"] = "settle.deferred"
    facts: GenerationFacts
    act: str
    credits_held: Credits
    credits_to_charge: Credits


@dataclass(frozen=True, kw_only=True)
class SettleReplayed:
    """The ledger was told what had waited in the outbox. `status` is its answer: `duplicate` means that it knew."""

    event: Literal["settle.replayed"] = "settle.replayed"
    request_id: str
    team: str
    hold_id: str
    act: str
    status: str
    credits_held: Credits
    credits_charged: Credits


@dataclass(frozen=True, kw_only=True)
class SettleRejected:
    """The ledger would not book what had waited in the outbox (`mismatch`: another amount was booked before; `gone`:
    no such hold). It is set aside in `file`, for a person to look at."""

    event: Literal["settle.rejected"] = "settle.rejected"
    request_id: str
    team: str
    hold_id: str
    act: str
    status: str
    credits_held: Credits
    credits_to_charge: Credits
    credits_charged: Credits
    file: str


@dataclass(frozen=True, kw_only=True)
class LedgerFailed:
    """A call to the ledger failed; the request it belongs to was refused. `detail` says why, for whoever runs it."""

    event: Literal["ledger.failed"] = "ledger.failed"
    request_id: str
    error: str
    detail: str
    retryable: bool


@dataclass(frozen=True, kw_only=True)
class CredentialRefused:
    """A provider refused the gateway's own credential; nothing works there until whoever runs the gateway mends it."""

    event: Literal["credential.refused"] = "credential.refused"
    request_id: str
    provider: str
    upstream_status: int


@dataclass(frozen=True, kw_only=True)
class InternalError:
    """A bug or an unforeseen failure. `error` is its kind and place, never its data."""

    event: Literal["error"] = "error"
    request_id: str | None = None
    where: str
    error: str


Event = (
    GenerationAdmitted
    | GenerationRejected
    | GenerationShadowed
    | GenerationSettled
    | GenerationReplayed
    | GenerationReleased
    | JobAccepted
    | JobFinished
    | JobOverdue
    | HoldUnknown
    | SettleLate
    | SettleOrphan
    | HoldExpired
    | SettleDeferred
    | SettleReplayed
    | SettleRejected
    | SettleFailed
    | WebhookReceived
    | WebhookRejected
    | WebhookDelivered
    | WebhookFailed
    | LimitThreshold
    | BudgetSignal
    | AllowanceGiven
    | AlertDelivered
    | AlertFailed
    | CatalogReloaded
    | ServerStarted
    | ServerStopped
    | WorkerStarted
    | WorkerStopped
    | WorkerDied
    | ConsoleEntered
    | BodyNotKept
    | StoreWarning
    | TracesLost
    | HistoryLost
    | LedgerFailed
    | CredentialRefused
    | InternalError
)

LEVELS: dict[str, str] = {
    "generation.rejected": "info",
    "job.overdue": "warning",
    "hold.unknown": "warning",
    "settle.late": "warning",
    "settle.orphan": "error",
    "settle.deferred": "warning",
    "hold.expired": "warning",
    "store.warning": "warning",
    "traces.lost": "warning",
    "ledger.history_lost": "error",
    "ledger.failed": "error",
    "credential.refused": "error",
    "settle.rejected": "error",
    "settle.failed": "error",
    "webhook.rejected": "warning",
    "webhook.failed": "warning",
    "limit.threshold": "warning",
    "budget.signal": "warning",
    "alert.failed": "warning",
    "worker.died": "error",
    "body.not_kept": "error",
    "error": "error",
}
"""Events that are not `info`. A refusal is: it is the gate at work."""
