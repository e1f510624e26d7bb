"""Why a request was refused: one vocabulary for the answer, the log line and the metric.

A rejection is a fact, not prose: a code from a closed list, whose fault it is, whether trying again can help,
and what would be allowed instead. This module knows statuses because the vocabulary fixes them for every wire
format; how a format spells the refusal is its dialect's business.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any


class Code(StrEnum):
    """The closed list. Each member is described in `FACTS`; a test holds the two together."""

    MALFORMED_REQUEST = "malformed_request"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNAUTHENTICATED = "unauthenticated"
    KEY_EXPIRED = "key_expired"
    TEAM_FROZEN = "team_frozen"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_RETIRED = "model_retired"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    SCOPE_MISSING = "scope_missing"
    RESOLUTION_NOT_IN_PHASE = "resolution_not_in_phase"
    OPERATION_NOT_SUPPORTED = "operation_not_supported"
    UNSUPPORTED_RESOLUTION = "unsupported_resolution"
    UNSUPPORTED_ASPECT_RATIO = "unsupported_aspect_ratio"
    UNSUPPORTED_SIZE = "unsupported_size"
    UNSUPPORTED_COMBINATION = "unsupported_combination"
    UNSUPPORTED_DURATION = "unsupported_duration"
    UNSUPPORTED_AUDIO = "unsupported_audio"
    UNSUPPORTED_SCALE = "unsupported_scale"
    UNSUPPORTED_QUALITY = "unsupported_quality"
    TOO_MANY_OUTPUTS = "too_many_outputs"
    MISSING_PARAMETER = "missing_parameter"
    PRICE_UNDETERMINED = "price_undetermined"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    LIMIT_EXCEEDED = "limit_exceeded"
    REQUEST_CAP_EXCEEDED = "request_cap_exceeded"
    CONCURRENCY_EXCEEDED = "concurrency_exceeded"
    RATE_LIMITED = "rate_limited"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    GENERATION_IN_PROGRESS = "generation_in_progress"
    ALREADY_GENERATED = "already_generated"
    ROUTE_NOT_GATED = "route_not_gated"
    JOB_NOT_FOUND = "job_not_found"
    HOLD_NOT_FOUND = "hold_not_found"
    HOLD_ENDED = "hold_ended"
    OVERLOADED = "overloaded"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_TIMEOUT = "provider_timeout"

    __hash__ = str.__hash__  # an enumeration's own is written in Python, and every refusal asks for it


class Fault(StrEnum):
    """Who can mend it: the caller, whoever manages the team, the provider, or whoever runs the gateway."""

    CALLER = "caller"
    TEAM = "team"
    PROVIDER = "provider"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What is true of a code wherever it is raised.

    `retryable`: the same request, unchanged, may succeed later without anybody doing anything.
    """

    status: int
    fault: Fault
    retryable: bool
    title: str


FACTS: dict[Code, CodeFacts] = {
    Code.MALFORMED_REQUEST: CodeFacts(400, Fault.CALLER, False, "The request could not be read"),
    Code.PAYLOAD_TOO_LARGE: CodeFacts(413, Fault.CALLER, False, "The request body is too large"),
    Code.UNAUTHENTICATED: CodeFacts(401, Fault.CALLER, False, "No valid gatekeeper key"),
    Code.KEY_EXPIRED: CodeFacts(401, Fault.TEAM, False, "This key has expired"),
    Code.TEAM_FROZEN: CodeFacts(403, Fault.TEAM, False, "This team is frozen"),
    Code.MODEL_NOT_FOUND: CodeFacts(404, Fault.CALLER, False, "No such model here"),
    Code.MODEL_RETIRED: CodeFacts(404, Fault.CALLER, False, "This model was retired by its provider"),
    Code.MODEL_NOT_ALLOWED: CodeFacts(403, Fault.TEAM, False, "This team may not use this model"),
    Code.SCOPE_MISSING: CodeFacts(403, Fault.TEAM, False, "This key may not do this"),
    Code.RESOLUTION_NOT_IN_PHASE: CodeFacts(403, Fault.TEAM, False, "This resolution is kept for the final phase"),
    Code.OPERATION_NOT_SUPPORTED: CodeFacts(422, Fault.CALLER, False, "Operation not supported by this model"),
    Code.UNSUPPORTED_RESOLUTION: CodeFacts(422, Fault.CALLER, False, "Resolution not supported by this model"),
    Code.UNSUPPORTED_ASPECT_RATIO: CodeFacts(422, Fault.CALLER, False, "Aspect ratio not supported by this model"),
    Code.UNSUPPORTED_SIZE: CodeFacts(422, Fault.CALLER, False, "Size not supported by this model"),
    Code.UNSUPPORTED_COMBINATION: CodeFacts(422, Fault.CALLER, False, "These settings are not sold together"),
    Code.UNSUPPORTED_DURATION: CodeFacts(422, Fault.CALLER, False, "Duration not supported by this model"),
    Code.UNSUPPORTED_AUDIO: CodeFacts(422, Fault.CALLER, False, "Audio setting not supported by this model"),
    Code.UNSUPPORTED_SCALE: CodeFacts(422, Fault.CALLER, False, "Scale not supported by this model"),
    Code.UNSUPPORTED_QUALITY: CodeFacts(422, Fault.CALLER, False, "Quality not supported by this model"),
    Code.TOO_MANY_OUTPUTS: CodeFacts(422, Fault.CALLER, False, "Number of outputs not supported by this model"),
    Code.MISSING_PARAMETER: CodeFacts(422, Fault.CALLER, False, "A needed parameter is missing"),
    Code.PRICE_UNDETERMINED: CodeFacts(422, Fault.CALLER, False, "The price cannot be determined"),
    Code.INSUFFICIENT_CREDITS: CodeFacts(402, Fault.TEAM, False, "Not enough credits"),
    Code.LIMIT_EXCEEDED: CodeFacts(402, Fault.TEAM, False, "A spending limit would be exceeded"),
    Code.REQUEST_CAP_EXCEEDED: CodeFacts(402, Fault.TEAM, False, "The request costs more than one may"),
    Code.CONCURRENCY_EXCEEDED: CodeFacts(429, Fault.TEAM, True, "Too many generations are running"),
    Code.RATE_LIMITED: CodeFacts(429, Fault.TEAM, True, "Too many requests"),
    Code.IDEMPOTENCY_CONFLICT: CodeFacts(422, Fault.CALLER, False, "This idempotency key was used for another request"),
    Code.GENERATION_IN_PROGRESS: CodeFacts(409, Fault.CALLER, True, "This generation is still running"),
    Code.ALREADY_GENERATED: CodeFacts(
        409, Fault.CALLER, False, "This request was run before, and its answer was not kept"
    ),
    Code.ROUTE_NOT_GATED: CodeFacts(403, Fault.CALLER, False, "This provider route is not open"),
    Code.JOB_NOT_FOUND: CodeFacts(404, Fault.CALLER, False, "No such job for this team"),
    Code.HOLD_NOT_FOUND: CodeFacts(404, Fault.CALLER, False, "No such hold of this team"),
    Code.HOLD_ENDED: CodeFacts(409, Fault.CALLER, False, "This hold has ended otherwise"),
    Code.OVERLOADED: CodeFacts(503, Fault.GATEWAY, True, "More requests than can be taken at once"),
    Code.LEDGER_UNAVAILABLE: CodeFacts(503, Fault.GATEWAY, True, "The credit ledger cannot be reached"),
    Code.PROVIDER_UNAVAILABLE: CodeFacts(502, Fault.PROVIDER, True, "The provider cannot be reached"),
    Code.PROVIDER_TIMEOUT: CodeFacts(504, Fault.PROVIDER, False, "The provider did not answer"),
}

QUOTED_LENGTH_MAX = 40
"""A refusal repeats this much of what the caller wrote: enough to recognise it, too little to carry a prompt."""


def quoted(text: str) -> str:
    """A caller's text as a refusal may repeat it: short, and always encodable (a lone surrogate is not)."""
    cut = f"{text[: QUOTED_LENGTH_MAX - 1]}…" if len(text) > QUOTED_LENGTH_MAX else text
    return cut.encode("utf-8", "replace").decode("utf-8")


NUMBER_TEXT_MAX = 10**12
"""No setting comes near; past it a number is named by this bound, for huge ones cannot be turned into text at all."""


def number_text(number: Fraction | int) -> str:
    """A plain number as people write it: `2`, `1.5`, `0.3333333333`. Never raises."""
    if not -NUMBER_TEXT_MAX <= number <= NUMBER_TEXT_MAX:
        return f"over {NUMBER_TEXT_MAX}" if number > 0 else f"under -{NUMBER_TEXT_MAX}"
    return str(number) if number.denominator == 1 else f"{float(number):.10g}"


@dataclass(frozen=True, slots=True)
class Violation:
    """One setting the model does not take. `supported` empty means: this model has no such setting."""

    code: Code
    field: str
    requested: str
    supported: tuple[str, ...] = ()
    nearest: str | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A request near the refused one that would be accepted, with its price."""

    credits: int
    resolution: str | None = None
    aspect_ratio: str | None = None
    size: str | None = None
    scale: str | None = None
    outputs: int | None = None
    duration_s: Fraction | None = None
    audio: bool | None = None
    quality: str | None = None


PER_MINUTE = "minute"
"""The only limit that counts requests and not credits."""


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """One limit that stood in the way. Amounts in micro-credits, but `PER_MINUTE` they count requests.

    `resets_at` is an ISO time or None (never).
    """

    scope: str
    per: str
    limit: int
    used: int
    held: int
    resets_at: str | None = None


@dataclass(frozen=True, slots=True)
class CreditFacts:
    """The money side of a refusal, in micro-credits.

    `fits_after_release`: it would fit if every running generation ended without a charge.
    """

    required: int
    available: int
    held: int
    limits: tuple[LimitFacts, ...] = ()
    fits_after_release: bool = False


@dataclass(frozen=True, slots=True)
class EarlierFacts:
    """The hold under which the same request, or one of the same name, runs or was run. `charged`, in micro-credits, is
    None as long as it is not known."""

    hold_id: str
    charged: int | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refusal, complete: `code` leads, `codes` are all that apply, `detail` is one sentence or two for a person."""

    code: Code
    detail: str
    violations: tuple[Violation, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    credits: CreditFacts | None = None
    earlier: EarlierFacts | None = None
    other_codes: tuple[Code, ...] = ()
    retry_after_s: int | None = None
    final: bool = False
    """An SDK must not send this again by itself: the provider may have done the work, or trying again cannot help."""
    told: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """How it was written before, by whoever wrote it so, for one that is told again and again: it follows from the
    facts, and at most a few write it."""

    @property
    def facts(self) -> CodeFacts:
        return FACTS[self.code]

    @property
    def status(self) -> int:
        return self.facts.status

    @property
    def retryable(self) -> bool:
        return self.facts.retryable and not self.final

    @property
    def codes(self) -> tuple[Code, ...]:
        """All codes, the leading one first, each once."""
        found = (self.code, *(v.code for v in self.violations), *self.other_codes)
        return tuple(dict.fromkeys(found))


class Rejected(Exception):
    """Carries a rejection from the step that found it to the edge that renders it."""

    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection  # what the base does with it has been done when it was made

    def __str__(self) -> str:
        return f"{self.rejection.code}: {self.rejection.detail}"


def refuse(code: Code, detail: str, *, retry_after_s: int | None = None, final: bool = False) -> Rejected:
    """A refusal with no more to say than its code and a sentence; the caller raises it."""
    return Rejected(Rejection(code, detail, retry_after_s=retry_after_s, final=final))
