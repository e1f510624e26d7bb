"""Turns what the ledger and the provider client say into rejections. The one place where money fails closed.

Whatever the ledger answers that is not a fresh hold ends here, and nothing is forwarded.
"""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from math import ceil
from operator import attrgetter
from typing import Final

from gatekeeper.core.alternatives import affordable
from gatekeeper.core.credits import credits_text
from gatekeeper.core.decide import SettingsKey, may_be_remembered, settings_key
from gatekeeper.core.memo import Memo
from gatekeeper.core.rejection import Code, CreditFacts, EarlierFacts, LimitFacts, Rejected, Rejection, refuse
from gatekeeper.core.spec import ModelSpec
from gatekeeper.ledger.errors import LedgerError, LedgerHistoryLost
from gatekeeper.ledger.holdid import hold_id_ms
from gatekeeper.ledger.records import (
    HoldResult,
    HoldState,
    Mismatch,
    Refusal,
    RefusalCode,
    Refused,
    Repeated,
    TooManyNames,
)
from gatekeeper.proxy.admission import Admission
from gatekeeper.upstream.failure import Reason, UpstreamError
from gatekeeper.web.answers import iso_time

LEDGER_RETRY_AFTER_S = 2
"""A store that restarts is back within a second or two."""

JOB_RETRY_AFTER_S = 5
"""A job takes minutes; a provider that hiccups is back within seconds."""

CONCURRENCY_RETRY_AFTER_S = 5
"""About the time a picture takes; after it one of the running generations has likely ended."""

HTTP_UNAUTHORIZED = 401
"""Said to our credential, not to the caller's key, which never went there."""

MINUTE_S = 60
"""The longest that a limit per minute can make anybody wait."""

RUNNING_RETRY_AFTER_S_MAX = 60
"""SDKs wait for so long when they are told to; older ones take no longer wait for serious."""

_LEADING = (
    RefusalCode.TEAM_FROZEN,
    RefusalCode.REQUEST_CAP_EXCEEDED,
    RefusalCode.INSUFFICIENT_CREDITS,
    RefusalCode.LIMIT_EXCEEDED,
    RefusalCode.RATE_LIMITED,
    RefusalCode.CONCURRENCY_EXCEEDED,
)
"""Which of several reasons leads: the one that takes most to mend."""


_LIMITS = frozenset({RefusalCode.LIMIT_EXCEEDED, RefusalCode.RATE_LIMITED})
"""What is told among the limits of a refusal."""


REFUSALS_REMEMBERED: Final = 1024
"""A team whose credits are spent asks for the same again and again. Five kilobytes each, with the alternatives."""

_Left = tuple[tuple[tuple[object, ...], ...], int, int, int]
"""What the ledger says no with: its reasons, what was required, what was left, what was held."""

_figures: Final = attrgetter(*(each.name for each in fields(Refusal)))
"""All of a reason, in a form that is compared without a step of Python's."""

_told: Final = Memo[tuple[SettingsKey, _Left], tuple[ModelSpec, Rejection]](REFUSALS_REMEMBERED)


def not_held(result: HoldResult, admission: Admission, now: datetime) -> Rejected:
    """The rejection for anything that a fresh hold can meet but `Held`."""
    if isinstance(result, Refused):
        return _refused(result, admission, now)
    if isinstance(result, Mismatch):
        detail = "This Idempotency-Key was used for another request; send this one with a key of its own."
        return Rejected(Rejection(Code.IDEMPOTENCY_CONFLICT, detail, earlier=EarlierFacts(result.hold_id, None)))
    if isinstance(result, TooManyNames):
        return refuse(Code.MALFORMED_REQUEST, _too_many(result))
    return refuse(
        Code.LEDGER_UNAVAILABLE, "The ledger did not make a new hold; nothing was forwarded.",
        retry_after_s=LEDGER_RETRY_AFTER_S,
    )  # fmt: skip


def _too_many(result: TooManyNames) -> str:
    kind, _, name = result.scope.partition(":")
    return (
        f"This team has spent under {result.most} projects and members, and no new one is taken, such as the {kind} "
        f"{name!r}: each keeps its counters for ever. Name one that was used before, or none."
    )


def codes_of(refusals: Iterable[Refusal]) -> tuple[Code, ...]:
    """Why a hold was refused, each reason once, the one that leads first."""
    found = sorted((refusal.code for refusal in refusals), key=_LEADING.index)
    return tuple(dict.fromkeys(Code(code) for code in found))


def is_running(earlier: Repeated) -> bool:
    """Whether its outcome may still come; till then nobody knows what it costs."""
    return earlier.state in {HoldState.HELD, HoldState.UNKNOWN}


def came_before(earlier: Repeated, now: datetime) -> Rejected:
    """The same request, and no answer to it that could be given again."""
    if not is_running(earlier):
        facts = EarlierFacts(earlier.hold_id, earlier.charged)
        return Rejected(Rejection(Code.ALREADY_GENERATED, _ended_sentence(earlier), earlier=facts))
    wait_s = _running_for_s(earlier, now)
    runs = "is running" if earlier.state is HoldState.HELD else "was sent, and what became of it is not known yet"
    detail = f"The same request {runs} (hold {earlier.hold_id}). Ask again in {wait_s} s; it is not sent twice."
    facts = EarlierFacts(earlier.hold_id, None)
    return Rejected(Rejection(Code.GENERATION_IN_PROGRESS, detail, earlier=facts, retry_after_s=wait_s))


def _running_for_s(earlier: Repeated, now: datetime) -> int:
    """What runs for long may run for long yet: so long as it has run, so long should be waited."""
    running_for_s = int(now.timestamp() - hold_id_ms(earlier.hold_id) / 1000)
    return max(1, min(running_for_s, RUNNING_RETRY_AFTER_S_MAX))


def _ended_sentence(earlier: Repeated) -> str:
    charged = f"{credits_text(earlier.charged)} credits were charged" if earlier.charged else "nothing was charged"
    if earlier.state in {HoldState.EXPIRED, HoldState.CHARGED}:
        said = f"what became of it is not known; {charged}"
    else:
        said = f"{charged}, and its answer is not kept"
    return (
        f"The same request was sent before (hold {earlier.hold_id}): {said}. To run it anew, send it as a new request, "
        "under another Idempotency-Key if it had one."
    )


def ledger_away(error: LedgerError) -> Rejection:
    """No ledger, no generation."""
    if isinstance(error, LedgerHistoryLost):
        words = "has lost entries of this team, which are being told again"
    else:
        words = "cannot be reached" if error.retryable else "cannot be used; whoever runs the gateway has to look"
    retry_after_s = LEDGER_RETRY_AFTER_S if error.retryable else None
    return Rejection(
        Code.LEDGER_UNAVAILABLE, f"The credit ledger {words}. Nothing was forwarded or charged.",
        retry_after_s=retry_after_s,
    )  # fmt: skip


def from_upstream(error: UpstreamError, provider: str) -> Rejected:
    """Final when the request may have arrived: then an SDK must not send it again by itself."""
    if not error.sent and error.reason is Reason.UNSENDABLE:
        detail = f"This could not be sent whole to {provider} ({error.reason}). Nothing was made, nothing is charged."
        return refuse(Code.PROVIDER_UNAVAILABLE, detail)
    if not error.sent:
        detail = f"{provider} could not be reached ({error.reason}). Nothing was sent, nothing is charged."
        return refuse(Code.PROVIDER_UNAVAILABLE, detail)
    code = Code.PROVIDER_TIMEOUT if error.timed_out else Code.PROVIDER_UNAVAILABLE
    detail = f"{provider} took the request and gave no answer ({error.reason}). Whether it made anything is not known."
    return refuse(code, detail, final=True)


def job_unreached(error: UpstreamError, provider: str) -> Rejected:
    """No answer about a job. Nothing has changed by asking, so an SDK may ask again."""
    detail = f"{provider} gave no answer about this job ({error.reason}). It goes on all the same; ask again."
    return refuse(Code.PROVIDER_UNAVAILABLE, detail, retry_after_s=JOB_RETRY_AFTER_S)


def job_untold(provider: str, reason: str) -> Rejected:
    """Where a job stands has to be known before anything of it is fetched or deleted, and the provider does not say."""
    detail = f"{provider} did not say where this job stands ({reason}), which has to be known first. Ask again."
    return refuse(Code.PROVIDER_UNAVAILABLE, detail, retry_after_s=JOB_RETRY_AFTER_S)


def job_unkept() -> Rejected:
    """How a job ended has to be booked, or on disk, before anything of it is fetched or deleted, and neither went."""
    detail = "How this job ended could not be kept here, which has to come first; nothing was forwarded. Ask again."
    return refuse(Code.LEDGER_UNAVAILABLE, detail, retry_after_s=JOB_RETRY_AFTER_S)


def credential_refused(provider: str) -> Rejected:
    """The provider said 401 to our credential. Its own words are kept back: they may quote the credential."""
    detail = f"{provider} refused the gateway's own credential; your key is fine. Whoever runs the gateway has to look."
    return refuse(Code.PROVIDER_UNAVAILABLE, detail, final=True)


def _refused(refused: Refused, admission: Admission, now: datetime) -> Rejected:
    """The same to whoever asks for the same with the same left, but where it says how long to wait."""
    if RefusalCode.RATE_LIMITED in [refusal.code for refusal in refused.refusals]:
        return Rejected(_rejection(refused, admission, now))
    left = (tuple(map(_figures, refused.refusals)), refused.required, refused.available, refused.held)
    key = settings_key(admission.model, admission.asked), left
    known = _told.get(key)
    if known is None:
        known = admission.model, _rejection(refused, admission, now)
        if may_be_remembered(admission.asked):
            _told.put(key, known)
    return Rejected(known[1])


def _rejection(refused: Refused, admission: Admission, now: datetime) -> Rejection:
    refusals = sorted(refused.refusals, key=lambda refusal: _LEADING.index(refusal.code))
    codes = codes_of(refusals)
    retry_after_s = _retry_after_s(refusals[0], now)
    another_passes = retry_after_s is None and Code.TEAM_FROZEN not in codes
    return Rejection(
        codes[0],
        _detail(refusals, refused),
        other_codes=codes[1:],
        credits=_credit_facts(refused),
        alternatives=affordable(admission.model, admission.asked, _room(refused)) if another_passes else (),
        retry_after_s=retry_after_s,
    )


def _retry_after_s(leading: Refusal, now: datetime) -> int | None:
    """None where waiting alone does not help. The end of a minute is the store's; our clock may differ from it."""
    if leading.code is RefusalCode.RATE_LIMITED:
        left_s = ceil((leading.resets_at_ms or 0) / 1000 - now.timestamp())
        return max(1, min(left_s, MINUTE_S))
    return CONCURRENCY_RETRY_AFTER_S if leading.code is RefusalCode.CONCURRENCY_EXCEEDED else None


def _credit_facts(refused: Refused) -> CreditFacts:
    return CreditFacts(
        required=refused.required,
        available=refused.available,
        held=refused.held,
        limits=tuple(_limit_facts(r) for r in refused.refusals if r.code in _LIMITS),
        fits_after_release=all(refusal.fits_after_release for refusal in refused.refusals),
    )


def _limit_facts(refusal: Refusal) -> LimitFacts:
    return LimitFacts(
        refusal.scope,
        refusal.per,
        refusal.limit,
        refusal.used,
        refusal.held,
        None if refusal.resets_at_ms is None else iso_time(refusal.resets_at_ms),
    )


def _room(refused: Refused) -> int:
    """The most that one request may cost and still pass every check that is about credits."""
    rooms = [refused.available]
    for refusal in refused.refusals:
        if refusal.code is RefusalCode.LIMIT_EXCEEDED:
            rooms.append(refusal.limit - refusal.used - refusal.held)
        elif refusal.code is RefusalCode.REQUEST_CAP_EXCEEDED:
            rooms.append(refusal.limit)
    return max(min(rooms), 0)


def _detail(refusals: Iterable[Refusal], refused: Refused) -> str:
    """A sentence for each reason, and one for all that are about the cost, which is the same for each of them."""
    told: dict[str, str] = {}
    for refusal in refusals:
        begun, rest = _sentence(refusal, refused)
        told[begun] = f"{told[begun]}; {rest}" if begun in told else begun + rest
    return " ".join(f"{sentence}." for sentence in told.values())


def _sentence(refusal: Refusal, refused: Refused) -> tuple[str, str]:
    """How it begins, and the rest without its full stop: what begins alike is one sentence."""
    required = credits_text(refused.required)
    costs = f"This costs {required} credits; "
    match refusal.code:
        case RefusalCode.TEAM_FROZEN:
            return "This team is frozen; ", "nothing is forwarded until its lead lifts that"
        case RefusalCode.INSUFFICIENT_CREDITS:
            held = f" and {credits_text(refused.held)} held by running generations" if refused.held else ""
            return costs, f"{credits_text(refused.available)} are available{held}"
        case RefusalCode.REQUEST_CAP_EXCEEDED:
            return costs, f"one request may cost {credits_text(refusal.limit)}"
        case RefusalCode.RATE_LIMITED:
            return f"{refusal.used} generations were admitted in this minute; ", f"{refusal.limit} may be"
        case RefusalCode.CONCURRENCY_EXCEEDED:
            return _concurrency_sentence(refusal, required)
        case RefusalCode.LIMIT_EXCEEDED:
            used = f"{credits_text(refusal.used)} used, {credits_text(refusal.held)} held"
            per = "in all" if refusal.per == "lifetime" else f"per {refusal.per}"
            return costs, f"{refusal.scope} has {credits_text(refusal.limit)} {per}: {used}"


def _concurrency_sentence(refusal: Refusal, required: str) -> tuple[str, str]:
    if refusal.per == "open_holds":
        return f"{refusal.held} generations are running; ", f"{refusal.limit} may at once"
    held, limit = credits_text(refusal.held), credits_text(refusal.limit)
    return f"Running generations hold {held} credits; ", f"with {required} more that would pass {limit}"
