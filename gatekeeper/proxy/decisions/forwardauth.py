"""`/v1/forward-auth`: a reverse proxy asks whether it may let a request by, and holds its credits in the same step.

The answer is 200 without a body, with the hold and a token in its headers, which the proxy hands to the service behind
it: that one settles. Who pays is whoever sent the request, so the token is drawn here, is told to the proxy alone, and
without it the hold cannot be ended: nobody settles for himself at nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.core.outcome import Made
from gatekeeper.core.rejection import Code, Rejected, Rejection, refuse
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.base import Rendered
from gatekeeper.ledger.records import HoldState, OnUnknown
from gatekeeper.proxy.answering import shadow_headers
from gatekeeper.proxy.body import body_of
from gatekeeper.proxy.decisions.asking import SETTLE_TOKEN, Wanted
from gatekeeper.proxy.decisions.authplan import AuthPlan, denies_with_403, read_asked, read_plan
from gatekeeper.proxy.decisions.deciding import RUNNING, Decision, decide, hold_headers
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.jobs.settling import finish
from gatekeeper.proxy.once import UNNAMED, Once, fingerprint, key_of, named
from gatekeeper.proxy.refusals import LEDGER_RETRY_AFTER_S
from gatekeeper.proxy.shadow import tell_shadow
from gatekeeper.proxy.webhooks.keys import settle_token
from gatekeeper.web.answers import CREDITS_CHARGED, REQUEST_ID, RendersRejections
from gatekeeper.web.outgoing import SERVER

STATUS: Final = "Gatekeeper-Status"
"""The status that a refusal has wherever any status may be passed on."""

WHO: Final = "forward-auth"
"""For logs and reports, in the place of a provider's name."""

NAME_BYTES: Final = 16
"""As random as it takes that no two requests have the same token."""

NEVER_LET_BY: Final = frozenset({Code.TEAM_FROZEN, Code.LEDGER_UNAVAILABLE})
"""What shadow mode refuses too."""

DENIED = 403
UNAUTHENTICATED = 401


@dataclass(frozen=True, slots=True)
class AuthShape:
    """How a refusal leaves: as everywhere, or with one of the two statuses that nginx passes on."""

    native: RendersRejections
    two_statuses: bool

    def render_rejection(self, rejection: Rejection, request_id: str) -> Rendered:
        """A problem document; the status it should have is in a header too."""
        rendered = self.native.render_rejection(rejection, request_id)
        status = rendered.status
        if self.two_statuses and status != UNAUTHENTICATED:
            status = DENIED
        return replace(rendered, status=status, headers=(*rendered.headers, (STATUS, str(rendered.status))))


def auth_shape(native: RendersRejections, raw_path: str) -> AuthShape:
    """How the refusals of a call are to look, which its address says."""
    return AuthShape(native, denies_with_403(raw_path))


async def answer_forward_auth(gate: Gate, call: Call) -> web.Response:
    """Any method on `/v1/forward-auth`, and below it."""
    body = await body_of(gate, call)
    if call.dry_run:
        # A proxy that is told 200 lets the request by, and nothing would be held for it.
        raise refuse(Code.MALFORMED_REQUEST, "Gatekeeper-Dry-Run has no place here; ask POST /v1/quotes.")
    plan = read_plan(call.request.raw_path)
    try:
        return await _let_by(gate, call, plan, body)
    except Rejected as refused:
        if call.shadow is None or refused.rejection.code in NEVER_LET_BY:
            raise
        if call.caller.team.frozen:
            raise refuse(
                Code.TEAM_FROZEN, "This team is frozen; nothing is let by until its lead lifts that."
            ) from None
        # In shadow what cannot be held goes by all the same, and nothing is booked for it.
        call.shadow.note(refused.rejection)
        tell_shadow(gate, call, None)
        headers = {REQUEST_ID: call.request_id, "Server": SERVER, **shadow_headers(call)}
        return web.Response(status=200, headers=headers)


async def _let_by(gate: Gate, call: Call, plan: AuthPlan, body: Sequence[bytes]) -> web.Response:
    asked = read_asked(plan, call.request, body)
    wanted = Wanted(asked, plan.ttl_s, OnUnknown.RELEASE if plan.settle_now else plan.on_unknown, WHO)
    token = settle_token(gate.webhooks.secret, call.caller.team.id, plan.once or secrets.token_hex(NAME_BYTES))
    once = _once(call, plan, asked)
    decision = await decide(gate, call, wanted, once, token, _again(plan), same_token=bool(plan.once))
    headers = {**hold_headers(decision), REQUEST_ID: call.request_id, "Server": SERVER, **shadow_headers(call)}
    if plan.settle_now:
        headers[CREDITS_CHARGED] = await _charge(gate, decision)
    else:
        headers[SETTLE_TOKEN] = token
    return web.Response(status=200, headers=headers)


def _once(call: Call, plan: AuthPlan, asked: GenerationRequest) -> Once:
    """The proxy's own name for its request, else the caller's. An SDK's word that it tries again is not believed: most
    proxies send no body, and two different prompts would look the same."""
    print_ = fingerprint((WHO, repr(asked)), "", ())
    if plan.once:
        return named("a", plan.once, print_)
    key = key_of(call.request)
    return UNNAMED if key is None else named("i", key, print_)


def _again(plan: AuthPlan) -> tuple[HoldState, ...]:
    """In which states of its hold a request is let by once more. What the proxy itself names is one request, whose
    answer it has lost; what the caller names would be done twice, and paid for once."""
    if not plan.once:
        return ()
    return (*RUNNING, HoldState.SETTLED) if plan.settle_now else RUNNING


async def _charge(gate: Gate, decision: Decision) -> str:
    """Charges it at once. Raises `Rejected`: neither the store nor the outbox took it, and time frees the hold."""
    job = await finish(gate, decision.record, Made(decision.record.valid.outputs), "decision")
    if not job.ended:
        detail = "The charge could not be kept here. Nothing was let by; try again."
        raise refuse(Code.LEDGER_UNAVAILABLE, detail, retry_after_s=LEDGER_RETRY_AFTER_S)
    return credits_text(decision.record.held if job.charged is None else job.charged)
