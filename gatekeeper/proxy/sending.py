"""Makes the request that goes upstream: the caller's bytes, our credential, nothing that belongs to the caller.

The path is rebuilt from the dialect's own table; of the caller's query and headers only what may pass is kept.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_plus

from aiohttp.hdrs import ACCEPT

from gatekeeper.core.rejection import Code, quoted, refuse
from gatekeeper.dialects.base import Route
from gatekeeper.proxy.body import ONLY_IN_A_HEADER
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.refusals import from_upstream
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.headers import (
    forwardable_request_headers,
    forwardable_request_lines,
    names_credential,
    strip_credentials_from_query,
)
from gatekeeper.upstream.messages import Headers, UpstreamAnswer, UpstreamRequest

READABLE_TYPES = frozenset({"application/json", "text/event-stream", "*/*"})
"""What outcomes are read from."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]*")
"""A value that stands for itself."""


def upstream_request(
    call: Call, provider: Provider, body: Sequence[bytes], address: str | None = None, query: str | None = None
) -> UpstreamRequest:
    """The request to this provider, byte for byte the caller's body. `address` is one of the provider's that takes the
    place of the usual one; `query` is what may pass of the caller's, None: it is looked at here."""
    request = call.request
    if query is None:
        query = passing_query(call)
    url = address or provider.bases[call.route.base] + call.route.upstream_path
    credential, lines = provider.credential.lines, None
    reads = READABLE_TYPES.issuperset(request.headers.getall(ACCEPT, ()))
    if credential is not None and reads:
        lines = forwardable_request_lines(request.raw_headers, call.caller.key)
    if credential is not None and lines is not None:
        lines += credential
        whole = f"{url}?{query}" if query else url
        return UpstreamRequest(request.method, whole, (), body, provider.timeouts, lines)
    headers = forwardable_request_headers(request.raw_headers, call.caller.key.decode())
    headers, query = provider.with_credential(headers if reads else _readable_answer(headers), query)
    return UpstreamRequest(request.method, f"{url}?{query}" if query else url, headers, body, provider.timeouts)


async def send_unheld(gate: Gate, provider: Provider, request: UpstreamRequest) -> UpstreamAnswer:
    """The head of the answer to what nothing is held for, in a place of its provider's. Raises `Rejected` where none
    came."""
    try:
        with gate.crowd.elsewhere:
            return await provider.upstream.send(request)
    except UpstreamError as error:
        raise from_upstream(error, provider.name) from None


def _is_plain_and_read(query: str, route: Route) -> bool:
    """Whether it is one parameter that is read here, spelled so that everybody reads the same: most polls have one."""
    name, equals, value = query.partition("=")
    return bool(equals) and name in route.query and _PLAIN.fullmatch(value) is not None and not names_credential(name)


def _check_query(query: str, route: Route) -> None:
    """Raises `Rejected` for a parameter that nobody here reads: the provider may, and make what was not paid for."""
    parts = (unquote_plus(part) for part in query.split("&") if part and part not in route.query)
    unread = next((part.partition("=")[0] for part in parts if part.partition("=")[0] not in route.query), None)
    if unread is not None:
        known = f" Known: {', '.join(sorted(route.query))}." if route.query else ""
        raise refuse(Code.MALFORMED_REQUEST, f"Query parameter {quoted(unread)} is not read here; leave it out.{known}")


def _readable_answer(headers: Headers) -> Headers:
    """Without an `Accept` that asks for something we cannot read: what cannot be read cannot be settled."""
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() != "accept" or {part.partition(";")[0].strip() for part in value.split(",")} <= READABLE_TYPES
    )


def passing_query(call: Call) -> str:
    """What of the caller's query may pass. Raises `Rejected` for what nobody here reads, and for the caller's key."""
    path = call.request.raw_path
    if not ("?" in path or "gk_" in path or "%" in path or "+" in path or "#" in path):
        return ""
    address, _, sent = path.partition("#")[0].partition("?")
    whole = f"{address}?{sent}" if sent else address
    if call.caller.key.decode() in (unquote_plus(whole) if "%" in whole or "+" in whole else whole):
        raise refuse(Code.MALFORMED_REQUEST, f"The address carries your gatekeeper key. {ONLY_IN_A_HEADER}")
    if not sent or _is_plain_and_read(sent, call.route):
        return sent
    query = strip_credentials_from_query(sent)
    if not query:
        return query
    with call.past:
        _check_query(query, call.route)
    return query
