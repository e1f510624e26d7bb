"""Turns what the ledger and the provider client say into rejections. The one place where money fails closed.

Whatever the ledger answers that is not a fresh hold ends here, and nothing is forwarded.
"""

from gatekeeper.core.alternatives import affordable
from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import Code, CreditFacts, LimitFacts, Rejected, Rejection, refuse
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.records import HoldResult, Refusal, RefusalCode, Refused
from gatekeeper.proxy.admission import Admission
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.web.answers import iso_time

LEDGER_RETRY_AFTER_S = 2
"""A store that restarts is back within a second or two."""

CONCURRENCY_RETRY_AFTER_S = 5
"""About the time a picture takes; after it one of the running generations has likely ended."""

_LEADING = (
    RefusalCode.TEAM_FROZEN,
    RefusalCode.REQUEST_CAP_EXCEEDED,
    RefusalCode.INSUFFICIENT_CREDITS,
    RefusalCode.LIMIT_EXCEEDED,
    RefusalCode.CONCURRENCY_EXCEEDED,
    RefusalCode.RATE_LIMITED,
)
"""Which of several reasons leads: the one that takes most to mend."""


def not_held(result: HoldResult, admission: Admission) -> Rejected:
    """The rejection for anything that a fresh hold can meet but `Held`."""
    if isinstance(result, Refused):
        return _refused(result, admission)
    return refuse(
        Code.LEDGER_UNAVAILABLE, "The ledger did not make a new hold; nothing was forwarded.",
        retry_after_s=LEDGER_RETRY_AFTER_S,
    )  # fmt: skip


def ledger_away(error: LedgerError) -> Rejection:
    """No ledger, no generation."""
    words = "cannot be reached" if error.retryable else "cannot be used; whoever runs the gateway has to look"
    retry_after_s = LEDGER_RETRY_AFTER_S if error.retryable else None
    return Rejection(
        Code.LEDGER_UNAVAILABLE, f"The credit ledger {words}. Nothing was forwarded or charged.",
        retry_after_s=retry_after_s,
    )  # fmt: skip


def from_upstream(error: UpstreamError, provider: str) -> Rejected:
    """Final when the request may have arrived: then an SDK must not send it again by itself."""
    if not error.sent:
        detail = f"{provider} could not be reached ({error.reason}). Nothing was sent, nothing is charged."
        return refuse(Code.PROVIDER_UNAVAILABLE, detail)
    code = Code.PROVIDER_TIMEOUT if error.timed_out else Code.PROVIDER_UNAVAILABLE
    detail = f"{provider} took the request and gave no answer ({error.reason}). Whether it made anything is not known."
    return refuse(code, detail, final=True)


def credential_refused(provider: str) -> Rejected:
    """The provider said 401 to our credential. Its own words are kept back: they may quote the credential."""
    detail = f"{provider} refused the gateway's own credential; your key is fine. Whoever runs the gateway has to look."
    return refuse(Code.PROVIDER_UNAVAILABLE, detail, final=True)


def _refused(refused: Refused, admission: Admission) -> Rejected:
    refusals = sorted(refused.refusals, key=lambda refusal: _LEADING.index(refusal.code))
    codes = tuple(dict.fromkeys(Code(refusal.code) for refusal in refusals))
    concurrency = codes[0] is Code.CONCURRENCY_EXCEEDED
    return Rejected(
        Rejection(
            codes[0],
            " ".join(_sentence(refusal, refused) for refusal in refusals),
            other_codes=codes[1:],
            credits=_credit_facts(refused),
            alternatives=() if concurrency else affordable(admission.model, admission.asked, _room(refused)),
            retry_after_s=CONCURRENCY_RETRY_AFTER_S if concurrency else None,
        )
    )


def _credit_facts(refused: Refused) -> CreditFacts:
    return CreditFacts(
        required=refused.required,
        available=refused.available,
        held=refused.held,
        limits=tuple(_limit_facts(r) for r in refused.refusals if r.code is RefusalCode.LIMIT_EXCEEDED),
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


def _sentence(refusal: Refusal, refused: Refused) -> str:
    required = credits_text(refused.required)
    match refusal.code:
        case RefusalCode.TEAM_FROZEN:
            return "This team is frozen; nothing is forwarded until its lead lifts that."
        case RefusalCode.INSUFFICIENT_CREDITS:
            held = f" and {credits_text(refused.held)} held by running generations" if refused.held else ""
            return f"This costs {required} credits; {credits_text(refused.available)} are available{held}."
        case RefusalCode.REQUEST_CAP_EXCEEDED:
            return f"This costs {required} credits; one request may cost {credits_text(refusal.limit)}."
        case RefusalCode.CONCURRENCY_EXCEEDED:
            return _concurrency_sentence(refusal, required)
        case RefusalCode.RATE_LIMITED:
            return f"{refusal.used} generations were admitted in this minute; {refusal.limit} may be."
        case RefusalCode.LIMIT_EXCEEDED:
            used = f"{credits_text(refusal.used)} used, {credits_text(refusal.held)} held"
            per = "in all" if refusal.per == "lifetime" else f"per {refusal.per}"
            return f"This costs {required} credits; {refusal.scope} has {credits_text(refusal.limit)} {per}: {used}."


def _concurrency_sentence(refusal: Refusal, required: str) -> str:
    if refusal.per == "open_holds":
        return f"{refusal.held} generations are running; {refusal.limit} may at once."
    held, limit = credits_text(refusal.held), credits_text(refusal.limit)
    return f"Running generations hold {held} credits; with {required} more that would pass {limit}."
