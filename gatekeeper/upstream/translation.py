"""aiohttp's exceptions as our reasons. Says what happened, not whether anything was sent: `Exchange` knows that."""

import errno

import aiohttp

from gatekeeper.upstream.failure import Reason

# First match wins, so the narrower class stands above the wider one. Whatever is not listed (ValueError for a header
# or an address that cannot be written) means that aiohttp refused to send the request.
_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (aiohttp.ConnectionTimeoutError, Reason.CONNECT_TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Reason.DNS),
    (aiohttp.ClientSSLError, Reason.TLS),
    (aiohttp.ClientConnectorError, Reason.UNREACHABLE),
    (aiohttp.ClientHttpProxyError, Reason.UNREACHABLE),
    (aiohttp.ClientResponseError, Reason.BAD_ANSWER),
    (aiohttp.ClientPayloadError, Reason.CUT),
    (aiohttp.ClientConnectionError, Reason.DISCONNECTED),
    (OSError, Reason.DISCONNECTED),
)


def reason_and_detail(exc: Exception) -> tuple[Reason, str]:
    """What happened, and a detail for people that quotes neither the address asked for nor the answer."""
    reason = next((reason for kind, reason in _REASONS if isinstance(exc, kind)), Reason.UNSENDABLE)
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        return reason, str(exc.certificate_error)
    if isinstance(exc, aiohttp.ClientConnectorError):
        refused = exc.os_error.errno == errno.ECONNREFUSED
        return (Reason.REFUSED if refused else reason), str(exc.os_error)
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return reason, f"the HTTP proxy answered {exc.status}"
    return reason, root(exc)


def root(exc: BaseException) -> str:
    """The name of the innermost cause: `LineTooLong` says more than the error that wraps it, its text too much."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return type(exc).__name__
