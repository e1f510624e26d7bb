"""How a provider's credential gets onto a request. Pure; where the secret comes from is the settings' business, and the
time, which a signed credential needs, is the caller's."""

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, unquote_plus

from gatekeeper.upstream.headers import is_never_forwarded
from gatekeeper.upstream.messages import Headers

TOKEN_LIFE_S: Final = 1800
"""How long a signed token is valid, as Kling's documentation signs them."""

TOKEN_EARLIER_S: Final = 5
"""A provider's clock may be behind ours by this much."""

TOKEN_RENEWED_S: Final = 300
"""A token is replaced so long before its end: a request on its way must not outlive it."""

_UNWRITABLE = re.compile(r"[\x00-\x20\x7f]|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Credential:
    """One provider's credential and the place its API expects it in.

    - `bearer`: `Authorization: Bearer <secret>`; `name`, if given, is the word in place of `Bearer` (`Key`, `Token`)
    - `header`: the header `name` with the secret as its value (`x-goog-api-key`)
    - `query`: the query parameter `name` (`key`)
    - `signed`: `Authorization: Bearer <token>`, a JSON Web Token signed with the secret, `ACCESS_KEY:SECRET_KEY`
    - `none`: nothing is added

    Raises ValueError for a secret that is empty or could not be written into a header, without showing it.
    """

    kind: Literal["bearer", "header", "query", "signed", "none"]
    name: str = ""
    secret: str = field(default="", repr=False)
    hidden: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)
    """What no answer to a caller may contain: the secret, and of tokens the beginning that all of them share."""
    lines: tuple[bytes, ...] | None = field(default=None, init=False, repr=False, compare=False)
    """What it adds to a head whose other lines are none of the caller's that could be in the same spot; None: it has to
    be put there anew for each request."""

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "hidden", self._find_hidden())
        object.__setattr__(self, "lines", self._find_lines())

    def _check(self) -> None:
        if self.kind == "none":
            return
        if self.kind in {"header", "query"} and not self.name:
            raise ValueError(f"a {self.kind} credential needs the name of the {self.kind} parameter it goes into")
        if not self.secret:
            raise ValueError("the credential is empty")
        if _UNWRITABLE.search(self.secret):
            raise ValueError("the credential contains a space, a line break or a character outside ASCII")
        if self.kind == "signed" and not all(self.secret.partition(":")):
            raise ValueError("the credential is no access key and secret key with a colon between them")

    def _find_lines(self) -> tuple[bytes, ...] | None:
        if self.kind == "none":
            return ()
        if self.kind not in {"bearer", "header"}:
            return None
        headers, _ = with_credential(self, (), "", 0)
        fits = all(is_never_forwarded(name) and value.isascii() and value.isprintable() for name, value in headers)
        return tuple(f"{name}: {value}".encode() for name, value in headers) if fits else None

    def _find_hidden(self) -> tuple[str, ...]:
        if self.kind == "none":
            return ()
        if self.kind != "signed":
            return (self.secret,)
        return self.secret, self.secret.partition(":")[2], _beginning(_token(self.secret, 0))


def with_credential(credential: Credential, headers: Headers, raw_query: str, now_s: float) -> tuple[Headers, str]:
    """Headers and query with the credential added, in place of anything else in the same spot.

    `now_s` is the time since 1970. Requests of the same 25 minutes carry the same token.
    """
    match credential.kind:
        case "bearer":
            value = f"{credential.name or 'Bearer'} {credential.secret}"
            return _with_header(headers, "Authorization", value), raw_query
        case "header":
            return _with_header(headers, credential.name, credential.secret), raw_query
        case "query":
            return headers, _with_parameter(raw_query, credential.name, credential.secret)
        case "signed":
            return _with_header(headers, "Authorization", f"Bearer {_token(credential.secret, now_s)}"), raw_query
        case "none":
            return headers, raw_query


def _token(secret: str, now_s: float) -> str:
    """The token of the window that this time is in: the same until `TOKEN_RENEWED_S` before its end."""
    access_key, _, secret_key = secret.partition(":")
    minted_s = int(now_s) - int(now_s) % (TOKEN_LIFE_S - TOKEN_RENEWED_S)
    # The issuer first: what is the same in every token is at its beginning.
    claims = {"iss": access_key, "exp": minted_s + TOKEN_LIFE_S, "nbf": minted_s - TOKEN_EARLIER_S}
    import jwt  # noqa: PLC0415 - a part of every start, and only one provider signs

    return jwt.encode(claims, secret_key, algorithm="HS256")


def _beginning(token: str) -> str:
    """The part of a token that is the same at every time. Three bytes of its claims are four characters of it."""
    head, claims, _ = token.split(".")
    alike = urlsafe_b64decode(claims + "==").index(b',"exp"')
    return f"{head}.{claims[: alike // 3 * 4]}"


def _with_header(headers: Headers, name: str, value: str) -> Headers:
    lower = name.lower()
    return (*[header for header in headers if header[0].lower() != lower], (name, value))


def _with_parameter(raw_query: str, name: str, value: str) -> str:
    others = [part for part in raw_query.split("&") if part and unquote_plus(part.partition("=")[0]) != name]
    return "&".join([*others, f"{quote(name, safe='')}={quote(value, safe='')}"])
