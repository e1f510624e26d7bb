"""What both middlewares do: find out what an endpoint is asked for, ask the gateway, and tell it what came of it.

2xx is settled: by the number of outputs in a JSON answer, else as it was asked for. Any other answer, and an exception
before one, is released. Where nobody can tell (the server is stopped in the middle), the hold is left to time and its
policy.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatekeeper.middleware.client import KEY_HEADERS, Decision, DecisionsClient, GateAway, GateRefused, Refusal

BODY_BYTES_MAX: Final = 64 * 1024**2
"""As large as the gateway takes one by default; a request that is larger is refused."""

ANSWER_BYTES_MAX: Final = 1024**2
"""An answer is looked at up to this length: with URLs in it, it is far shorter."""

FACTS: Final = (
    "model", "operation", "resolution", "aspect_ratio", "size", "outputs", "duration_s", "audio", "scale", "quality",
    "enhance_prompt", "reference_images", "input_video", "input",
)  # fmt: skip
"""What of a JSON body the gateway is asked about, where nothing else is said. No prompt is among it."""

PASSED_ON: Final = frozenset(
    name.lower()
    for name in (*KEY_HEADERS, "Gatekeeper-Project", "Gatekeeper-Member", "Gatekeeper-Phase", "Idempotency-Key")
)
"""Headers of the request that the gateway gets to see."""

HANDED_ON: Final = ("content-type", "retry-after", "www-authenticate")
"""Headers of a refusal that its caller gets to see, beside those that begin with Gatekeeper-."""

FREE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""They make nothing."""

_log = logging.getLogger(__name__)

Ask = Callable[[Any], Mapping[str, Any]]
Made = Callable[[Any], Mapping[str, Any]]


def asked(body: Any) -> Mapping[str, Any]:
    """What a JSON body in the gateway's own words asks for."""
    return {name: body[name] for name in FACTS if name in body} if isinstance(body, dict) else {}


def made(answer: Any) -> Mapping[str, Any]:
    """The number of outputs in a JSON answer, or nothing, which stands for all that was asked."""
    for name in ("outputs", "data", "images", "videos") if isinstance(answer, dict) else ():
        if isinstance(answer.get(name), list):
            return {"outputs": len(answer[name])}
    return {}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which endpoints are gated, and how. `paths` has what is fixed for each, which stands above what `ask` finds in
    the body; a path that ends in `*` stands for all that begin so. `key` pays for everybody, in place of the caller's.
    `on_unknown` is what becomes of a hold that nobody ends: release, charge or keep."""

    paths: Mapping[str, Mapping[str, Any]]
    key: str | None = None
    ask: Ask = asked
    made: Made = made
    ttl_s: int = 900
    on_unknown: str = "release"

    def fixed_for(self, method: str, path: str, root: str = "") -> Mapping[str, Any] | None:
        """What is fixed for this endpoint; None: it is not gated. `root` is where the application is mounted: its
        router finds an endpoint with that before its path and without."""
        if method in FREE_METHODS:
            return None
        # A line break in the end is none to a router that matches by `$`, which it would be got around by.
        spelled = path.removesuffix("\n")
        below = spelled.removeprefix(root)
        found = (self._fixed_at(each) for each in (spelled, below if below.startswith("/") else spelled))
        return next((fixed for fixed in found if fixed is not None), None)

    def _fixed_at(self, path: str) -> Mapping[str, Any] | None:
        whole = self.paths.get(path)
        if whole is not None:
            return whole
        return next(
            (each for begin, each in self.paths.items() if begin[-1:] == "*" and path.startswith(begin[:-1])), None
        )


class Gating:
    """Asks and tells for one service. Close it when the service ends."""

    def __init__(self, gateway: str, rules: Rules) -> None:
        self.rules = rules
        self._client = DecisionsClient(gateway, rules.key)

    async def close(self) -> None:
        await self._client.close()

    async def admit(
        self, fixed: Mapping[str, Any], headers: Iterable[tuple[str, str]], body: bytes
    ) -> Decision | Refusal:
        """May this request be served? Its credits are held if so."""
        try:
            found = self.rules.ask(json.loads(body)) if body else {}
        except (ValueError, LookupError, TypeError, RecursionError):
            return refusal(400, "malformed_request", "The body cannot be read.")
        facts = {**found, **fixed, "ttl_s": self.rules.ttl_s, "on_unknown": self.rules.on_unknown}
        try:
            decision = await self._client.decide(facts, self._passed_on(headers))
        except GateRefused as refused:
            return _handed_on(refused.refusal)
        except GateAway as away:
            _log.warning("gatekeeper: %s", away)
            return refusal(503, "ledger_unavailable", "The gate cannot be reached; nothing was made.", retry_after_s=2)
        if decision.replayed:
            detail = "The same request is being served, or was; it is not served twice."
            return refusal(409, "generation_in_progress", detail, retry_after_s=5)
        return decision

    async def ended(self, decision: Decision, status: int, answer: bytes | None) -> None:
        """The endpoint has answered. `answer` None: its body was too long to be looked at, or is no JSON."""
        if 200 <= status < 300:
            await self._told(self._client.settle(decision, self._made_of(answer)), decision)
        else:
            await self.released(decision, f"status_{status}")

    async def released(self, decision: Decision, why: str) -> None:
        """The endpoint has made nothing."""
        await self._told(self._client.release(decision, why), decision)

    def _made_of(self, answer: bytes | None) -> Mapping[str, Any]:
        try:
            return {} if answer is None else self.rules.made(json.loads(answer))
        except (ValueError, LookupError, TypeError, RecursionError):
            return {}

    def _passed_on(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """A key that pays for everybody is the only one."""
        own = {name.lower() for name in KEY_HEADERS} if self.rules.key else set()
        return {name: value for name, value in headers if name.lower() in PASSED_ON and name.lower() not in own}

    async def _told(self, telling: Any, decision: Decision) -> None:
        """What cannot be told is logged; time ends the hold then. The answer of the endpoint goes out all the same."""
        try:
            await telling
        except (GateAway, GateRefused) as error:
            _log.warning("gatekeeper: hold %s was not ended: %s", decision.id, error)


def _handed_on(refused: Refusal) -> Refusal:
    kept = {
        name: value
        for name, value in refused.headers.items()
        if name.lower() in HANDED_ON or name.lower().startswith("gatekeeper-")
    }
    return Refusal(refused.status, kept, refused.body)


def refusal(status: int, code: str, detail: str, *, retry_after_s: int | None = None) -> Refusal:
    """A refusal of the middleware's own, in the gateway's words."""
    document = {"type": f"urn:gatekeeper:rejection:{code}", "status": status, "code": code, "detail": detail}
    headers = {"Content-Type": "application/problem+json", "Gatekeeper-Rejection": code}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return Refusal(status, headers, json.dumps(document).encode())
