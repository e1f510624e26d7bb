"""What a reverse proxy asks for a request that it has before it: read from the proxy's own settings first.

`/v1/forward-auth` alone is called with a query that the proxy's configuration wrote. Below it (`/v1/forward-auth/...`)
stands the path of the request itself, as Envoy sends it, and its query is its sender's: none of that is read. Headers
may be the sender's too, unless the proxy sets them. So where the configuration's query names the model, headers count
only as far as it says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from gatekeeper.core.rejection import Code, quoted, refuse
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.native import read_body
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.proxy.decisions.asking import TTL_DEFAULT_S, TTL_MAX_S

FORWARD_AUTH: Final = "/v1/forward-auth"

FACTS: Final[Mapping[str, str]] = {
    "model": "Gatekeeper-Model",
    "operation": "Gatekeeper-Operation",
    "resolution": "Gatekeeper-Resolution",
    "aspect_ratio": "Gatekeeper-Aspect-Ratio",
    "size": "Gatekeeper-Size",
    "outputs": "Gatekeeper-Outputs",
    "duration_s": "Gatekeeper-Duration",
    "audio": "Gatekeeper-Audio",
    "quality": "Gatekeeper-Quality",
    "scale": "Gatekeeper-Scale",
}
"""What may be asked, by its name in the query, and the header that says it."""

SETTINGS: Final = ("deny", "settle", "ttl_s", "on_unknown", "once", "headers")
"""What else the query may say."""

ONCE_LENGTH: Final = range(8, 256)
"""Characters of what names one request of the proxy's: shorter ones would come twice."""


_WHOLE = re.compile("[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class AuthPlan:
    """How the proxy's configuration wants to be answered. `deny`: with 403 in place of any other refusal but 401.
    `settle_now`: charged at once, for what has one price. `once` names the proxy's request, "" if it does not."""

    facts: Mapping[str, str]
    headers: tuple[str, ...]
    settle_now: bool = False
    ttl_s: int = TTL_DEFAULT_S
    on_unknown: OnUnknown = OnUnknown.RELEASE
    once: str = ""


def configured(raw_path: str) -> list[tuple[str, str]]:
    """The query, if the proxy's configuration wrote it."""
    path, _, query = raw_path.partition("#")[0].partition("?")
    return parse_qsl(query, keep_blank_values=True) if path == FORWARD_AUTH else []


def denies_with_403(raw_path: str) -> bool:
    """Whether the proxy can pass on 401 and 403 alone."""
    return ("deny", "403") in configured(raw_path)


def read_plan(raw_path: str) -> AuthPlan:
    """What the address of the call says. Raises `Rejected` (malformed_request): whoever configured it has to look."""
    pairs = configured(raw_path)
    query = dict(pairs)
    unknown = next((name for name in query if name not in FACTS and name not in SETTINGS), None)
    if unknown is not None or len(query) < len(pairs):
        known = ", ".join((*FACTS, *SETTINGS))
        raise _misconfigured(f"{quoted(unknown or 'a parameter twice')} is not known there: {known}")
    facts = {name: query[name] for name in FACTS if name in query}
    once = query.get("once", "")
    if once and len(once) not in ONCE_LENGTH:
        raise _misconfigured("once takes 8 to 255 characters that no other request has")
    return AuthPlan(
        facts=facts,
        headers=_read_headers(query.get("headers"), fixed="model" in facts),
        settle_now=_one_of(query, "settle", ("later", "now")) == "now",
        ttl_s=_read_ttl_s(query.get("ttl_s")),
        on_unknown=OnUnknown(_one_of(query, "on_unknown", tuple(OnUnknown)) or OnUnknown.RELEASE),
        once=once,
    )


def read_asked(plan: AuthPlan, request: web.BaseRequest, body: Sequence[bytes]) -> GenerationRequest:
    """What is asked: the body if there is one, else the headers; what the configuration says stands above either.
    Raises `Rejected` as a body of a generation does."""
    told = read_body(body) if any(body) else _read_facts(_from_headers(plan, request))
    stands = _read_facts(plan.facts)
    said = {name: getattr(stands, name) for name in FACTS if getattr(stands, name) is not None}
    if stands.duration_auto:
        said |= {"duration_s": None, "duration_auto": True}
    elif "duration_s" in said:
        said["duration_auto"] = False
    return replace(told, **said)


def _from_headers(plan: AuthPlan, request: web.BaseRequest) -> dict[str, str]:
    found = {}
    for name in plan.headers:
        values = request.headers.getall(FACTS[name], ())
        if len(values) > 1:
            raise refuse(Code.MALFORMED_REQUEST, f"{FACTS[name]} was sent {len(values)} times; send it once.")
        if values and values[0].strip():
            found[name] = values[0].strip()
    return found


def _read_facts(facts: Mapping[str, str]) -> GenerationRequest:
    """Texts, in the words of a body: whole numbers and truth values are written as such."""
    document: dict[str, Any] = {**facts}
    if _WHOLE.fullmatch(facts.get("outputs", "")):
        document["outputs"] = int(facts["outputs"])
    if facts.get("audio", "").lower() in {"true", "false"}:
        document["audio"] = facts["audio"].lower() == "true"
    try:
        return read_body([orjson.dumps(document)])
    except TypeError:  # a lone surrogate: bytes that are no text
        raise refuse(Code.MALFORMED_REQUEST, "A Gatekeeper- header or parameter is not UTF-8 text.") from None


def _read_headers(text: str | None, *, fixed: bool) -> tuple[str, ...]:
    if text is None:
        return () if fixed else tuple(FACTS)
    names = tuple(name for name in text.split(",") if name)
    unknown = next((name for name in names if name not in FACTS), None)
    if unknown is not None:
        raise _misconfigured(f"headers names {quoted(unknown)}; there are {', '.join(FACTS)}")
    return names


def _read_ttl_s(text: str | None) -> int:
    if text is None:
        return TTL_DEFAULT_S
    if not _WHOLE.fullmatch(text) or int(text) > TTL_MAX_S:
        raise _misconfigured(f"ttl_s takes 1 to {TTL_MAX_S} seconds")
    return int(text)


def _one_of(query: Mapping[str, str], name: str, words: tuple[str, ...]) -> str | None:
    value = query.get(name)
    if value is not None and value not in words:
        raise _misconfigured(f"{name} takes {', '.join(words)}")
    return value


def _misconfigured(what: str) -> Exception:
    return refuse(Code.MALFORMED_REQUEST, f"The address of forward-auth: {what}.")
