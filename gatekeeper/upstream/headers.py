"""What of a message's head and query may pass, in each direction. Pure: bytes and text in, text out.

Towards the provider nothing goes that could pay, identify or route for the caller: its key, other credentials,
cookies, account overrides, forwarding traces. Towards the caller nothing comes back that speaks for us or about the
provider's own host. Everything else passes as it is, in its order.

What is known to be unsafe is left out, not what is unknown: providers invent headers every month, and their SDKs
rely on them.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from gatekeeper.upstream.messages import Headers, RawHeaders

# RFC 9110 section 7.6.1, and the older ones that proxies still meet.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade http2-settings "
    b"proxy-authenticate proxy-authorization proxy-authentication-info".split()
)
_CREDENTIALS = frozenset(
    b"authorization x-goog-api-key x-key x-api-key api-key apikey x-freepik-api-key x-magnific-api-key x-auth-token "
    b"x-access-token x-auth-key ocp-apim-subscription-key x-functions-key x-amz-security-token x-amz-date "
    b"x-amz-content-sha256 x-goog-iam-authorization-token x-goog-iam-authority-selector cookie cookie2".split()
)
# They choose which of the provider's accounts pays; ours is chosen by our credential.
_ACCOUNT_OVERRIDES = frozenset(b"openai-organization openai-project x-goog-user-project x-goog-quota-user".split())
_FORWARDING_TRACES = frozenset(
    b"forwarded via x-real-ip x-client-ip x-cluster-client-ip x-original-host x-host true-client-ip cf-connecting-ip "
    b"fastly-client-ip x-envoy-external-address".split()
)
# Written anew for our own request. `Expect` asks for a dialogue that a body already in memory has no use for.
# An idempotency key is the caller's word to us: two teams on one account could meet in it at the provider.
_OURS_TO_WRITE = frozenset(b"idempotency-key host content-length accept-encoding expect".split())
# They change what the provider makes of the method, the path or the body, what of the answer we get to read, or what
# it costs.
_CHANGES_OF_MEANING = frozenset(
    b"x-http-method-override x-http-method x-method-override x-original-url x-rewrite-url x-original-method range "
    b"if-range if-match if-none-match if-modified-since if-unmodified-since "
    b"x-goog-fieldmask x-vertex-ai-llm-request-type x-vertex-ai-llm-shared-request-type".split()
)
_REQUEST_DROPPED = (
    _CHANGES_OF_MEANING | _HOP_BY_HOP | _CREDENTIALS | _ACCOUNT_OVERRIDES | _FORWARDING_TRACES | _OURS_TO_WRITE
)
_REQUEST_DROPPED_PREFIXES = (b"gatekeeper-", b"x-forwarded-")

# The last six speak about the provider's host: alt-svc would even lead the caller past the gateway.
_RESPONSE_DROPPED = _HOP_BY_HOP | frozenset(
    b"content-length set-cookie set-cookie2 "
    b"alt-svc strict-transport-security public-key-pins nel report-to reporting-endpoints".split()
)

_CREDENTIAL_PARAMETERS = frozenset(
    b"key api_key apikey api-key access_token auth_token bearer_token oauth_token authorization subscription-key "
    b"x-key x-api-key x-goog-api-key x-freepik-api-key userproject quotauser $httpheaders".split()
)

_RESPONSE_DROPPED_PREFIXES = (b"gatekeeper-",)

# A caller that names one of these in `Connection` would decide how the provider reads the body.
_NEVER_HOP_BY_HOP = frozenset(b"content-type content-encoding content-length accept host".split())

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def forwardable_request_headers(raw_headers: RawHeaders, team_key: str = "") -> Headers:
    """The caller's headers that may go to the provider, and `Accept-Encoding: identity` so that the answer is readable.

    `team_key` is the key the caller came with: no header whose value contains it passes, whatever its name.
    """
    passing = _passing(raw_headers, _REQUEST_DROPPED, _REQUEST_DROPPED_PREFIXES, (team_key,))
    return (*passing, ("Accept-Encoding", "identity"))


def forwardable_response_headers(raw_headers: RawHeaders, *hidden: str) -> Headers:
    """The provider's headers that may go to the caller. The length is left out: whoever writes the body states it.

    `hidden` is of the provider's credential: no header whose value contains it passes, should a provider echo it.
    """
    return tuple(_passing(raw_headers, _RESPONSE_DROPPED, _RESPONSE_DROPPED_PREFIXES, hidden))


def strip_credentials_from_query(raw_query: str, *hidden: str) -> str:
    """The query without parameters that name a credential or carry something hidden; all other bytes as they are."""
    kept = [part for part in raw_query.split("&") if not _is_credential(part, hidden)]
    return "&".join(kept)


def _is_credential(part: str, hidden: tuple[str, ...]) -> bool:
    name, _, value = part.partition("=")
    if unquote_plus(name).strip().lower().encode() in _CREDENTIAL_PARAMETERS:
        return True
    return any(each and (each in unquote_plus(value) or each in unquote_plus(name)) for each in hidden)


def _passing(
    raw_headers: RawHeaders, dropped: frozenset[bytes], prefixes: tuple[bytes, ...], hidden: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    dropped |= _named_by_connection(raw_headers) - _NEVER_HOP_BY_HOP
    hidden_bytes = [each.encode() for each in hidden if each]
    for name, value in raw_headers:
        lower = name.lower()
        # Servers of the CGI kind take `Content_Type` for `Content-Type`; nginx drops such names too.
        if b"_" in name or lower in dropped or lower.startswith(prefixes) or not _well_formed(name, value):
            continue
        if not any(each in value for each in hidden_bytes):
            yield name.decode("ascii"), _text(value)


def _named_by_connection(raw_headers: RawHeaders) -> frozenset[bytes]:
    """Names that `Connection` declares to be for this hop only."""
    named = (value for name, value in raw_headers if name.lower() == b"connection")
    return frozenset(token.strip().lower() for value in named for token in value.split(b","))


def _well_formed(name: bytes, value: bytes) -> bool:
    """Lenient parsers let control characters through that a writer then refuses, after the generation was paid."""
    return _TOKEN.fullmatch(name) is not None and _CONTROL.search(value) is None


def _text(value: bytes) -> str:
    """Header bytes as text. Headers are written as UTF-8, so a Latin-1 value keeps its characters, not its bytes."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
