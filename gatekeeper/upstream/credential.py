"""How a provider's credential gets onto a request. Pure; where the secret comes from is the settings' business."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote_plus

from gatekeeper.upstream.messages import Headers

_UNWRITABLE = re.compile(r"[\x00-\x20\x7f]|[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Credential:
    """One provider's credential and the place its API expects it in.

    - `bearer`: `Authorization: Bearer <secret>`; `name`, if given, is the word in place of `Bearer` (`Key`, `Token`)
    - `header`: the header `name` with the secret as its value (`x-goog-api-key`)
    - `query`: the query parameter `name` (`key`)
    - `none`: nothing is added

    Raises ValueError for a secret that is empty or could not be written into a header, without showing it.
    """

    kind: Literal["bearer", "header", "query", "none"]
    name: str = ""
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.kind == "none":
            return
        if self.kind != "bearer" and not self.name:
            raise ValueError(f"a {self.kind} credential needs the name of the {self.kind} parameter it goes into")
        if not self.secret:
            raise ValueError("the credential is empty")
        if _UNWRITABLE.search(self.secret):
            raise ValueError("the credential contains a space, a line break or a character outside ASCII")


def with_credential(credential: Credential, headers: Headers, raw_query: str) -> tuple[Headers, str]:
    """Headers and query with the credential added, in place of anything else in the same spot."""
    match credential.kind:
        case "bearer":
            value = f"{credential.name or 'Bearer'} {credential.secret}"
            return _with_header(headers, "Authorization", value), raw_query
        case "header":
            return _with_header(headers, credential.name, credential.secret), raw_query
        case "query":
            return headers, _with_parameter(raw_query, credential.name, credential.secret)
        case "none":
            return headers, raw_query


def _with_header(headers: Headers, name: str, value: str) -> Headers:
    others = tuple((other, text) for other, text in headers if other.lower() != name.lower())
    return (*others, (name, value))


def _with_parameter(raw_query: str, name: str, value: str) -> str:
    others = [part for part in raw_query.split("&") if part and unquote_plus(part.partition("=")[0]) != name]
    return "&".join([*others, f"{quote(name, safe='')}={quote(value, safe='')}"])
