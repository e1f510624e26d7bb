"""On whose account a request runs: project, member and phase, from the key's record and the request's headers.

A key that is bound to a project or a member is bound: a header may repeat it, not change it, or a limit could be
walked around by naming somebody else.
"""

from typing import Final

from aiohttp import web
from multidict import CIMultiDictProxy, istr

from gatekeeper.core.rejection import Code, refuse
from gatekeeper.web.auth import NAME, PHASES, Caller

Headers = CIMultiDictProxy[str]


PROJECT: Final = istr("Gatekeeper-Project")
MEMBER: Final = istr("Gatekeeper-Member")
PHASE: Final = istr("Gatekeeper-Phase")
DRY_RUN: Final = istr("Gatekeeper-Dry-Run")


Identity = tuple[str | None, str | None, str | None, bool]
"""Project, member, phase, and whether it is a dry run, as the request's headers and its key say. None: nothing was
said."""


def identify(request: web.BaseRequest, caller: Caller) -> Identity:
    """Reads the `Gatekeeper-*` request headers. Raises `Rejected` (malformed_request) for what they cannot say."""
    headers, record = request.headers, caller.record
    return (
        _bound(headers, PROJECT, record.project) if PROJECT in headers else record.project or None,
        _bound(headers, MEMBER, record.member) if MEMBER in headers else record.member or None,
        _one_of(headers, PHASE, PHASES) if PHASE in headers else None,
        DRY_RUN in headers and _one_of(headers, DRY_RUN, ("true", "false")) == "true",
    )


def _bound(headers: Headers, header: str, bound_to: str) -> str | None:
    named = _only(headers, header)
    if named is not None and not NAME.fullmatch(named):
        raise refuse(Code.MALFORMED_REQUEST, f"{header} takes letters, digits and . _ @ + -, at most 128 of them.")
    if bound_to and named not in {None, bound_to}:
        raise refuse(Code.MALFORMED_REQUEST, f"This key is bound to {bound_to!r}; {header} may not name another.")
    return bound_to or named


def _one_of(headers: Headers, header: str, words: tuple[str, ...]) -> str | None:
    value = _only(headers, header)
    if value is not None and value.lower() not in words:
        raise refuse(Code.MALFORMED_REQUEST, f"{header} takes {', '.join(words)}.")
    return None if value is None else value.lower()


def _only(headers: Headers, header: str) -> str | None:
    values = headers.getall(header, [])
    if len(values) > 1:
        raise refuse(Code.MALFORMED_REQUEST, f"{header} was sent {len(values)} times; send it once.")
    return values[0].strip() or None if values else None
