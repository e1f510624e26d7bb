"""A client for decisions: ask before the work is done, tell what came of it.

Asking is tried once, for a second try could hold twice. Telling is tried again, because the same end counts once. The
client keeps a token for each decision, so that whoever's key pays for it cannot end it in its place.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

TELL_TRIES: Final = 3
"""An end that the gateway cannot be told now is told again so often; then time acts on the hold."""

TELL_PAUSE_S: Final = 0.3
"""Before the second try, and three times as long before the third: a gateway that restarts is back by then."""

ANSWER_BYTES_MAX: Final = 1024**2
"""Far more than any answer of the gateway's."""

TOKEN_BYTES: Final = 24

HOLD_ID: Final = "Gatekeeper-Hold-Id"
SETTLE_TOKEN: Final = "Gatekeeper-Settle-Token"  # noqa: S105  # a header's name

KEY_HEADERS: Final = (
    "Authorization", "x-api-key", "api-key", "x-goog-api-key", "x-key", "x-freepik-api-key", "x-magnific-api-key",
)  # fmt: skip
"""Where SDKs put a key."""


class GateAway(Exception):
    """The gateway cannot be reached, or failed inside. Nothing may be done: whether it is allowed is not known."""


@dataclass(frozen=True)
class Refusal:
    """The gateway's no, to be handed on as it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The word of the closed list."""
        return self.headers.get("Gatekeeper-Rejection", "")


class GateRefused(Exception):
    """The gateway said no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.status} {refusal.code}")
        self.refusal = refusal


@dataclass(frozen=True)
class Decision:
    """Credits are held: the work may be done. `key_headers` say who pays, `document` is what the gateway answered.

    `replayed`: the same request was decided before, and perhaps done.
    """

    id: str
    token: str = field(repr=False)
    key_headers: Mapping[str, str] = field(repr=False)
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def replayed(self) -> bool:
        return bool(self.document.get("replayed"))

    @classmethod
    def behind_proxy(cls, headers: Mapping[str, str]) -> "Decision | None":
        """What a proxy that asked by forward-auth has put into the request's headers; None if it did not ask."""
        hold_id, token = headers.get(HOLD_ID), headers.get(SETTLE_TOKEN)
        keys = {name: value for name in KEY_HEADERS if (value := headers.get(name))}
        return cls(hold_id, token, keys) if hold_id and token else None


class DecisionsClient:
    """Speaks to a gateway at `url`. `key` pays where a call brings no key of its own."""

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 10) -> None:
        self._url = url.rstrip("/")
        self._key_headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def decide(self, facts: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Decision:
        """Asks for what `facts` say, in the words of `POST /v1/decisions`. `headers` are the caller's: its key, and
        what else the gateway reads. Raises GateRefused, and GateAway: then nothing may be done."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        sent = {**self._key_headers, **(headers or {}), SETTLE_TOKEN: token}
        document = await self._post("/v1/decisions", facts, sent)
        if "id" not in document:
            raise GateAway("the gateway's answer is no decision")
        return Decision(str(document["id"]), token, self._keys_of(sent), document)

    async def settle(self, decision: Decision, made: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Charges what was made: `{"outputs": 3}`, `{"credits": 12.5}`, or as it was asked for. Raises as `decide`;
        after GateAway time acts on the hold by its policy."""
        return await self._tell(decision, "settle", made or {})

    async def release(self, decision: Decision, why: str = "") -> Mapping[str, Any]:
        """Nothing was made. Raises as `settle`."""
        return await self._tell(decision, "release", {"why": why} if why else {})

    async def extend(self, decision: Decision, ttl_s: int) -> Mapping[str, Any]:
        """The work goes on for up to so long from now. Raises as `settle`."""
        return await self._tell(decision, "extend", {"ttl_s": ttl_s})

    async def _tell(self, decision: Decision, act: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {**(decision.key_headers or self._key_headers), SETTLE_TOKEN: decision.token}
        for tried in range(1, TELL_TRIES + 1):
            try:
                return await self._post(f"/v1/decisions/{decision.id}/{act}", body, headers)
            except GateAway:
                if tried == TELL_TRIES:
                    raise
            await asyncio.sleep(TELL_PAUSE_S * 3 ** (tried - 1))
        raise AssertionError("every try returns or raises")

    async def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Mapping[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(
                self._url + path, json=body, headers=headers, allow_redirects=False
            ) as answer:
                return await _read(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise GateAway(f"no answer from the gateway: {type(error).__name__}") from None

    @staticmethod
    def _keys_of(headers: Mapping[str, str]) -> dict[str, str]:
        wanted = {name.lower() for name in KEY_HEADERS}
        return {name: value for name, value in headers.items() if name.lower() in wanted}


async def _read(answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
    body = b""
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise GateAway("the gateway's answer is far too long")
    if answer.status in {500, 502, 503, 504}:
        raise GateAway(f"the gateway answered {answer.status}")
    if answer.status >= 300:
        raise GateRefused(Refusal(answer.status, dict(answer.headers), body))
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise GateAway("the gateway's answer cannot be read")
    return document
