"""A request's webhook on its way through the pipeline: looked at before anything is held, exchanged when the hold is
there whose id stands in the new address. How the caller's own is spelt is for `take`."""

from collections.abc import Sequence
from dataclasses import replace

from gatekeeper.core.rejection import Code, refuse
from gatekeeper.dialects.base import Webhook
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.jobs.record import Hook
from gatekeeper.proxy.mounts import public_url
from gatekeeper.proxy.sending import passing_query
from gatekeeper.proxy.webhooks.addresses import NotCallable, check_url, leads_inside
from gatekeeper.proxy.webhooks.keys import callback_path, provider_secret
from gatekeeper.proxy.webhooks.take import Wanted, find_webhook, own_shown
from gatekeeper.upstream.messages import UpstreamRequest


def wanted_webhook(gate: Gate, call: Call, provider: Provider, body: Sequence[bytes]) -> Wanted | None:
    """The webhook that the request asks for. Raises `Rejected` (malformed_request) for one that cannot be served; in
    shadow that one stays as it is, and the provider calls it."""
    trait = provider.dialect.TRAITS.webhook
    if trait is None:
        return None
    with call.past:
        return _wanted_webhook(gate, call, provider, trait, body)
    return None


def _wanted_webhook(gate: Gate, call: Call, provider: Provider, trait: Webhook, body: Sequence[bytes]) -> Wanted | None:
    wanted = find_webhook(trait, passing_query(call), call.request.headers.get("Content-Type", ""), body)
    if wanted is None:
        return None
    try:
        check_url(wanted.url, gate.webhooks.allowed)
    except NotCallable as reason:
        raise refuse(Code.MALFORMED_REQUEST, f"The webhook in {trait.field} cannot be called: {reason}.") from None
    if gate.public_url is None and not leads_inside(provider.base_url):
        detail = (
            f"{provider.name} could not reach this gateway to tell it of the job's end: it has no public address "
            f"(server.public_url). Leave {trait.field} out and ask for the job instead."
        )
        raise refuse(Code.MALFORMED_REQUEST, detail)
    call.trace.hook = Hook(wanted.url, wanted.secret)
    return wanted


def exchange(
    gate: Gate, call: Call, provider: Provider, wanted: Wanted, hold_id: str, sent: UpstreamRequest
) -> UpstreamRequest:
    """The request with the gateway's address in the place of the caller's; every other byte as it was."""
    secret = gate.webhooks.secret
    ours = public_url(gate, call.request) + callback_path(secret, provider.name, call.caller.team.id, hold_id)
    address, _, query = sent.url.partition("?")
    query, body = wanted.exchanged(query, sent.body, ours, provider_secret(secret, hold_id))
    return replace(sent, url=f"{address}?{query}" if query else address, body=body)


def own_webhook_shown(call: Call, body: bytes) -> bytes:
    """An answer of the provider's that repeats the webhook, with the caller's own address in it again: ours is between
    the provider and us."""
    hook, trait = call.trace.hook, call.dialect.TRAITS.webhook
    if hook is None or trait is None:
        return body
    return own_shown(trait, body, hook.url)
