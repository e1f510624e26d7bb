"""What of a message's head and query may pass, in each direction. Pure: bytes and text in, text out.

Towards the provider nothing goes that could pay, identify or route for the caller: its key, other credentials,
cookies, account overrides, forwarding traces. Towards the caller nothing comes back that speaks for us or about the
provider's own host. Everything else passes as it is, in its order.

What is known to be unsafe is left out, not what is unknown: providers invent headers every month, and their SDKs
rely on them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import unquote_plus

from gatekeeper.upstream.messages import CONTROL, TOKEN, Headers, RawHeaders

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

# The last six speak about the provider's host: alt-svc would even lead the caller past the gateway, and an SDK that
# follows a location would carry the team's key there.
_RESPONSE_DROPPED = _HOP_BY_HOP | frozenset(
    b"content-length set-cookie set-cookie2 location "
    b"alt-svc strict-transport-security public-key-pins nel report-to reporting-endpoints".split()
)
# They are about the provider's very bytes.
_OF_THE_VERY_BYTES = frozenset(b"etag content-md5 digest content-digest repr-digest".split())
_OF_AN_END = frozenset(b"deprecation sunset".split())

_CREDENTIAL_PARAMETERS = frozenset(
    b"key api_key apikey api-key access_token auth_token bearer_token oauth_token authorization subscription-key "
    b"x-key x-api-key x-goog-api-key x-freepik-api-key userproject quotauser $httpheaders".split()
)

_RESPONSE_DROPPED_PREFIXES = (b"gatekeeper-",)

# A caller that names one of these in `Connection` would decide how the provider reads the body.
_NEVER_HOP_BY_HOP = frozenset(b"content-type content-encoding content-length accept host".split())

# What `Connection` mostly says. It names no header that would pass: `Keep-Alive` never does.
_ALONE = b"keep-alive"


_READABLE: Final = ("Accept-Encoding", "identity")

_READABLE_LINE: Final = b"Accept-Encoding: identity"

_NAMES_MAX: Final = 2048
"""Spellings of names remembered for each direction; callers and providers together use some hundred."""

_NAME_BYTES_MAX: Final = 64
"""A longer name is looked at each time, so that what is remembered stays small."""

_DROPPED: Final = ""
_CONNECTION: Final = "\n"
"""What stands for `Connection` in the place of a name: dropped, and it says what else is for this hop only."""


class Names(dict[bytes, str]):
    """What `decide` says of a header's name, decided once for each spelling that is met."""

    def __init__(self, decide: Callable[[bytes], str]) -> None:
        super().__init__()
        self._decide = decide

    def __missing__(self, name: bytes) -> str:
        verdict = self._decide(name)
        if len(name) <= _NAME_BYTES_MAX:
            if len(self) >= _NAMES_MAX:
                self.clear()
            self[name] = verdict
        return verdict


def _decide(dropped: frozenset[bytes], prefixes: tuple[bytes, ...], name: bytes) -> str:
    """The name that goes on, or `_DROPPED`, as also for what lenient parsers let through and a writer then refuses,
    after the generation was paid."""
    lower = name.lower()
    if lower == b"connection":
        return _CONNECTION
    # Servers of the CGI kind take `Content_Type` for `Content-Type`; nginx drops such names too.
    if b"_" in name or lower in dropped or lower.startswith(prefixes) or not TOKEN.fullmatch(name.decode("latin-1")):
        return _DROPPED
    return name.decode("ascii")


_REQUEST_NAMES = Names(partial(_decide, _REQUEST_DROPPED, _REQUEST_DROPPED_PREFIXES))
_TYPE: Final = "content-type"
_ENCODING: Final = "content-encoding"
_TELLS_OF_BODY = Names(lambda name: lower if (lower := name.decode("latin-1").lower()) in {_TYPE, _ENCODING} else "")


def _response_names(*dropped: frozenset[bytes]) -> Names:
    return Names(partial(_decide, _RESPONSE_DROPPED.union(*dropped), _RESPONSE_DROPPED_PREFIXES))


_RESPONSE_NAMES: Final = {
    (False, False): _response_names(),
    (False, True): _response_names(_OF_AN_END),
    (True, False): _response_names(_OF_THE_VERY_BYTES),
    (True, True): _response_names(_OF_THE_VERY_BYTES, _OF_AN_END),
}
"""By whether the body is changed, and whether we say ourselves when the offer ends."""


def about_the_body(raw_headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Those that say how the body is to be read."""
    tells = _TELLS_OF_BODY
    return [header for header in raw_headers if tells[header[0]]]


def content_of(raw_headers: RawHeaders) -> tuple[str, bool]:
    """What the answer says that its body is ("" if it says nothing, the first if it says it twice), and whether it says
    that it is encoded."""
    tells, said, is_encoded = _TELLS_OF_BODY, b"", False
    for name, value in raw_headers:
        told = tells[name]
        if told:
            if told == _ENCODING:
                is_encoded = True
            else:
                said = said or value
    return said.decode("latin-1"), is_encoded


class NamedHeaders(Mapping[str, str]):
    """The headers by their names in lower case, for whoever reads the answer; of several the last. Hardly anybody
    does, so they are named when they are asked for."""

    __slots__ = ("_named", "_raw")

    def __init__(self, raw_headers: RawHeaders) -> None:
        self._raw = raw_headers
        self._named: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._named is None:
            self._named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._raw}
        return self._named

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def forwardable_request_headers(raw_headers: RawHeaders, team_key: str = "") -> Headers:
    """The caller's headers that may go to the provider, and `Accept-Encoding: identity` so that the answer is readable.

    `team_key` is the key the caller came with: no header whose value contains it passes, whatever its name.
    """
    passing = _passing(raw_headers, _REQUEST_NAMES, (team_key,))
    passing.append(_READABLE)
    return tuple(passing)


def forwardable_request_lines(raw_headers: RawHeaders, team_key: bytes) -> list[bytes] | None:
    """The same as lines of a head, without their ends, which is several times quicker; None for what is not plain and
    has to go the longer way: a value that is no printable ASCII, a `Connection` that names more, the key once more."""
    names, lines = _REQUEST_NAMES, list[bytes]()
    for name, value in raw_headers:
        passes_as = names[name]
        if passes_as:
            if passes_as == _CONNECTION:
                if value.lower() != _ALONE:
                    return None
            else:
                lines.append(name + b": " + value)
    text = b"".join(lines)
    if not text.isascii() or not text.decode().isprintable() or text.find(team_key) >= 0:
        return None
    lines.append(_READABLE_LINE)
    return lines


def is_never_forwarded(name: str) -> bool:
    """Whether no header of the caller's with this name goes to a provider, however it is spelled."""
    return name.lower().encode() in _REQUEST_DROPPED


def forwardable_response_lines(
    raw_headers: RawHeaders, hidden: Sequence[str] = (), *, changed: bool = False, ends: bool = False
) -> list[bytes]:
    """The provider's headers that may go to the caller, as lines of a head without their ends; nearly all answers have
    nothing but plain ones. The length is left out: whoever writes the body states it.

    `hidden` is of the provider's credential: no header whose value contains it passes, should a provider echo it.
    `changed`: the body will not be the provider's, so what is about its very bytes is left out too. `ends`: we say
    ourselves when the offer ends.
    """
    names = _RESPONSE_NAMES[changed, ends]
    lines = list[bytes]()
    for name, value in raw_headers:
        passes_as = names[name]
        if passes_as:
            if passes_as != _CONNECTION:
                lines.append(name + b": " + value)
            elif value.lower() != _ALONE:
                break
    else:
        text = b"".join(lines)
        if text.isascii() and text.decode().isprintable() and not _stands_in(text, hidden):
            return lines
    return [f"{name}: {value}".encode() for name, value in _passing(raw_headers, names, hidden)]


def _stands_in(text: bytes, hidden: Sequence[str]) -> bool:
    for each in hidden:  # noqa: SIM110  # `any` of a generator takes as long as all the rest
        if each and text.find(each.encode()) >= 0:
            return True
    return False


def strip_credentials_from_query(raw_query: str, *hidden: str) -> str:
    """The query without parameters that name a credential or carry something hidden; all other bytes as they are."""
    kept = [part for part in raw_query.split("&") if not _is_credential(part, hidden)]
    return "&".join(kept)


def names_credential(parameter: str) -> bool:
    """Whether a query parameter of this name would be a credential."""
    return parameter.lower().encode() in _CREDENTIAL_PARAMETERS


def _is_credential(part: str, hidden: tuple[str, ...]) -> bool:
    name, _, value = part.partition("=")
    if names_credential(unquote_plus(name).strip()):
        return True
    return any(each and (each in unquote_plus(value) or each in unquote_plus(name)) for each in hidden)


def _passing(raw_headers: RawHeaders, names: Names, hidden: Sequence[str]) -> list[tuple[str, str]]:
    passing, connection = list[tuple[str, str]](), list[bytes]()
    for name, value in raw_headers:
        passes_as = names[name]
        if not passes_as:
            continue
        if passes_as == _CONNECTION:
            if value.lower() != _ALONE:
                connection.append(value)
            continue
        text = value.decode("ascii") if value.isascii() else _text(value)
        # Printable text, most of it, has none; a tab is the one control character that may stand in a value.
        if text.isprintable() or not CONTROL.search(text):
            passing.append((passes_as, text))
    if connection:
        passing = _without_named(passing, connection)
    for each in hidden:
        passing = _without_hidden(passing, each)
    return passing


def _without_named(passing: list[tuple[str, str]], connection: list[bytes]) -> list[tuple[str, str]]:
    """Without what the values of `Connection` declare to be for this hop only."""
    named = frozenset(token.strip() for value in connection for token in value.lower().split(b","))
    for_this_hop = named - _NEVER_HOP_BY_HOP
    return [(name, value) for name, value in passing if name.lower().encode() not in for_this_hop]


def _without_hidden(passing: list[tuple[str, str]], hidden: str) -> list[tuple[str, str]]:
    """Most often it stands in none of them, which one look at all of them tells."""
    if not hidden or hidden not in "\n".join([value for _, value in passing]):
        return passing
    return [(name, value) for name, value in passing if hidden not in value]


def _text(value: bytes) -> str:
    """Header bytes as text. Headers are written as UTF-8, so a Latin-1 value keeps its characters, not its bytes."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
