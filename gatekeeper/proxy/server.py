"""The data plane's front door: what is this request, who sends it, and what it gets when something says no.

One low-level handler instead of a router: the first path segment names the provider, whose dialect knows its own
routes; `v1` is the gateway's own. A path nobody knows is refused, so there is no back door to spend through.
Every refusal, from a missing key to a ledger that is away, leaves through `_refused`: one answer, one log line, one
metric, with the same code in all three.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from aiohttp import web

from gatekeeper.core.memo import Memo
from gatekeeper.core.rejection import Code, Rejected, Rejection, quoted, refuse
from gatekeeper.dialects.base import Dialect, Route, RouteKind
from gatekeeper.events import InternalError, LedgerFailed
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.logs import emit, place_of
from gatekeeper.proxy.decisions.deciding import answer_decision, decisions_provider
from gatekeeper.proxy.decisions.forwardauth import auth_shape
from gatekeeper.proxy.decisions.routes import OF_ONE, find_decision_route, is_forward_auth
from gatekeeper.proxy.gate import Call, Gate, Provider, Trace
from gatekeeper.proxy.identity import identify
from gatekeeper.proxy.jobs.desk import NAMES_MAX
from gatekeeper.proxy.jobs.following import follow
from gatekeeper.proxy.mounts import host_names
from gatekeeper.proxy.native_routes import (
    answer_balance,
    answer_holds,
    answer_model,
    answer_models,
    answer_quote,
    answer_usage,
)
from gatekeeper.proxy.pipeline import generate, pass_free
from gatekeeper.proxy.refusallines import tell_rejection
from gatekeeper.proxy.refusals import ledger_away
from gatekeeper.proxy.scopes import TO_CHOOSE, TO_GENERATE, TO_PASS, TO_PRICE, TO_READ, Scopes, check_scope
from gatekeeper.proxy.shadow import shadow_for
from gatekeeper.proxy.webhooks.inbound import receive
from gatekeeper.proxy.webhooks.keys import CALLBACKS
from gatekeeper.proxy.webhooks.secret import SECRET_PATH, answer_secret, asks_for_secret
from gatekeeper.web.answers import RendersRejections, failure_answer, rejection_answer
from gatekeeper.web.auth import Caller

Answering = Callable[[Gate, Call], Awaitable[web.StreamResponse]]

OWN_ROUTES: dict[tuple[str, str], Answering] = {
    ("POST", "/v1/quotes"): answer_quote,
    ("GET", "/v1/models"): answer_models,
    ("GET", "/v1/balance"): answer_balance,
    ("GET", "/v1/usage"): answer_usage,
    ("GET", "/v1/holds"): answer_holds,
    ("GET", SECRET_PATH): answer_secret,
}
"""The gateway's own routes, besides `GET /v1/models/{id}`, `POST /v1/generations` and those of decisions."""

ANSWERING: dict[RouteKind, Answering] = {
    RouteKind.GENERATION: generate,
    RouteKind.FREE: pass_free,
    RouteKind.POLL: follow,
    RouteKind.CANCEL: follow,
    RouteKind.DOWNLOAD: follow,
}
"""What is done for each kind of route."""

SCOPES: dict[Answering, Scopes] = {
    answer_quote: TO_PRICE,
    answer_models: TO_CHOOSE,
    answer_model: TO_CHOOSE,
    answer_balance: TO_READ,
    answer_usage: TO_READ,
    answer_holds: TO_READ,
    pass_free: TO_PASS,
}
"""What a key needs for it; everything else, and what is added without a thought of it, needs to generate."""

ENDINGS: frozenset[Answering] = frozenset(OF_ONE.values())
"""What tells of the end of a decision, or asks for it."""

UNHELD: frozenset[Answering] = frozenset({follow, pass_free, answer_models, answer_model})
"""What asks for no hold, and mostly for nothing that is in the store."""

OWN_MODEL_PREFIX = "/v1/models/"

NATIVE = "native"
"""The dialect of the gateway's own routes, and of refusals on paths that lead nowhere."""

MOST_COPIED = "openai"
"""The dialect that a path without its provider most likely means."""

PATH_LENGTH_MAX = 2048
"""Longer than any route of any provider."""

FOUND_MAX: Final = 2 * (NAMES_MAX + 512)
"""Paths remembered with where they lead: those of all routes, and of all jobs that a process knows by name, should they
be asked about in turn. Whoever asks for ever new ones pushes out none that is asked for meanwhile."""

FOUND_LENGTH_MAX: Final = 128
"""Longer ones are looked for each time, so that all together take 17 megabytes at most."""

LEDGER_DETAIL_LENGTH_MAX = 200
"""Enough for the store's own words and where it was looked for."""


async def answer_nothing(gate: Gate, call: Call) -> web.StreamResponse:  # noqa: ARG001  # every answering takes both
    """What is done where a path leads nowhere: that is refused before."""
    raise LookupError(call.route.name)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path leads. `route` None: nowhere; `dialect` is then only the shape of the refusal, unless that has a
    `shape` of its own.

    `ends`: it tells of the end of a decision, or asks for it; `holds`: it may ask for a hold; `may_be_dry`: it can be
    asked for a price alone.
    """

    dialect_name: str
    dialect: Dialect
    candidates: tuple[Provider, ...] = ()
    route: Route | None = None
    answering: Answering = answer_nothing
    shape: RendersRejections | None = None
    scopes: Scopes = field(init=False)
    ends: bool = field(init=False)
    holds: bool = field(init=False)
    may_be_dry: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", SCOPES.get(self.answering, TO_GENERATE))
        object.__setattr__(self, "ends", self.answering in ENDINGS)
        object.__setattr__(self, "holds", self.answering not in UNHELD)
        object.__setattr__(self, "may_be_dry", self.answering in {generate, answer_decision})


class DataPlane:
    """Handles every request on the data port."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._natives = tuple(p for p in gate.providers.values() if p.dialect_name == NATIVE)
        self._native = gate.native_dialect
        self._decisions = decisions_provider(self._native)
        self._hosts = {p.host: p for p in gate.providers.values() if p.host is not None}
        self._found = Memo[tuple[str, str, str | None], Target](FOUND_MAX)
        self._lost = Target(NATIVE, self._native)
        traffic, vitals = gate.metrics.traffic, gate.metrics.vitals
        traffic.providers = gate.providers
        traffic.knows_model = lambda model: gate.shelf.catalog.find(model) is not None
        vitals.in_hand(lambda: gate.crowd.present)
        gate.crowd.turns.on_turn = vitals.loop_lag.observe

    async def handle(self, request: web.BaseRequest, trace: Trace | None = None) -> web.StreamResponse:
        """Answers one request, whatever happens. `trace`: it has begun already."""
        gate, target, is_in = self._gate, self._lost, False
        trace = trace or Trace.begin(gate)
        try:
            target = self._find_target(request)
            trace.facts.dialect = target.dialect_name
            if request.raw_path.startswith(CALLBACKS):
                return await receive(gate, request)
            turn = gate.crowd.enter(ends=target.ends, holds=target.holds)
            if turn is not None:
                await gate.crowd.wait(turn)
            is_in = True
            # An end is told also while the store is away, and with a key that was good when the work was asked for.
            caller = gate.authenticator.caller(request.raw_headers, to_end=target.ends, sender=request)
            if not isinstance(caller, Caller):
                caller = await caller
            call = self._call(request, target, trace, caller)
            return self._answered(trace, await target.answering(gate, call))
        except Rejected as refused:
            return self._refused(target, refused.rejection, trace, request)
        except LedgerError as error:
            self._tell_ledger_failure(error, trace)
            return self._refused(target, ledger_away(error), trace, request)
        except Exception as error:  # noqa: BLE001  # the outermost edge: a bug must not take the connection's peers down
            return self._failed(request, error, trace)
        except asyncio.CancelledError:
            self._count(trace, "client_left", 0)
            raise
        finally:
            if is_in:
                gate.crowd.leave()
            if trace.body is not None:
                trace.body.release()

    def _answered(self, trace: Trace, answer: web.StreamResponse) -> web.StreamResponse:
        self._count(trace, trace.ended, answer.status)
        return answer

    def _count(self, trace: Trace, end: str | None, status: int) -> None:
        took_s = self._gate.clock.monotonic_s() - trace.started_s
        self._gate.metrics.traffic.answered(trace.facts, end, status, took_s)

    def _call(self, request: web.BaseRequest, target: Target, trace: Trace, caller: Caller) -> Call:
        """What is asked, by whom. Raises `Rejected` where nothing is open, or not for this key."""
        facts = trace.facts
        facts.team, facts.key_id = caller.team.id, caller.record.key_id
        facts.project, facts.member, facts.phase, dry_run = identify(request, caller)
        if target.route is None:
            raise refuse(Code.ROUTE_NOT_GATED, self._not_open(request, target))
        if caller.record.scopes:
            check_scope(caller.record, TO_PRICE if dry_run and target.may_be_dry else target.scopes)
        return Call(
            request=request,
            trace=trace,
            catalog=self._gate.shelf.catalog,
            caller=caller,
            dialect=target.dialect,
            route=target.route,
            candidates=target.candidates,
            dry_run=dry_run,
            shadow=shadow_for(caller.team, target.candidates, dry_run=dry_run),
        )

    def _not_open(self, request: web.BaseRequest, target: Target) -> str:
        """What is open at the provider, or where it would have been right: a path without its provider is the likeliest
        mistake."""
        path = request.raw_path.partition("?")[0]
        asked = f"{request.method} {quoted(path)} is not open"
        if target.candidates:
            return (
                f"{asked} at {target.candidates[0].name}; docs/providers.md lists what is, and `passthrough` of its "
                "settings lets free routes by."
            )
        knowing = self._knowing(request.method, path)
        ends = [f"/{p.name}{_version(p, request.method, path)}" for p in knowing]
        hosted = [p.name for p in knowing if p.dialect.TRAITS.drops_path]
        here = ", ".join(f"/{name}" for name in self._gate.providers)
        hint = f" Set the base URL to end in {' or '.join(ends)}" if ends else f" Providers here: {here}"
        host = f", or give {' or '.join(hosted)} a `host`, for an SDK of it drops that path" if hosted else ""
        return f"{asked}.{hint}{host}. The gateway's own routes begin with /v1/."

    def _knowing(self, method: str, path: str) -> list[Provider]:
        """The providers whose dialects know this path below their prefix, those first whose format others copy."""
        known = [p for p in self._gate.providers.values() if p.dialect.find_route(method, path)]
        return sorted(known, key=lambda each: each.dialect_name != MOST_COPIED)

    def _find_target(self, request: web.BaseRequest) -> Target:
        path = request.raw_path
        if "?" in path:
            path = path.partition("?")[0]
        mounted = self._mounted_at(request.headers.get("Host", "")) if self._hosts else None
        asked = request.method, path, None if mounted is None else mounted.name
        target = self._found.get(asked)
        if target is None:
            target = self._look_for_target(request.method, request.raw_path, mounted)
            # Where a path has a shape of its own, that is read from the query; which else says nothing here.
            if target.route is not None and target.shape is None and len(path) <= FOUND_LENGTH_MAX:
                self._found.put(asked, target)
        return target

    def _look_for_target(self, method: str, raw_path: str, mounted: Provider | None) -> Target:
        path = raw_path.partition("?")[0].partition("#")[0]
        if not path.startswith("/") or len(path) > PATH_LENGTH_MAX:
            return Target(NATIVE, self._native)
        if mounted is not None:
            return _provider_target(mounted, method, path)
        name, slash, rest = path[1:].partition("/")
        if name == "v1":
            own = self._own_target(method, path)
            return replace(own, shape=auth_shape(self._native, raw_path)) if is_forward_auth(path) else own
        provider = self._gate.providers.get(name)
        if provider is None or not slash:
            return self._nowhere(method, path)
        return _provider_target(provider, method, f"/{rest}")

    def _mounted_at(self, host: str) -> Provider | None:
        """The provider that has this `Host` to itself."""
        return next((self._hosts[name] for name in host_names(host) if name in self._hosts), None)

    def _nowhere(self, method: str, path: str) -> Target:
        """Refused in the shape of whoever would have known the path, so that its SDK shows the reason."""
        known = self._knowing(method, path)
        return Target(known[0].dialect_name, known[0].dialect) if known else Target(NATIVE, self._native)

    def _own_target(self, method: str, path: str) -> Target:
        route = self._native.find_route(method, path)
        if route is not None:
            return Target(NATIVE, self._native, self._natives, route, ANSWERING[route.kind])
        decision = find_decision_route(method, path)
        if decision is not None:
            return Target(NATIVE, self._native, (self._decisions,), *decision)
        answering = OWN_ROUTES.get((method, path))
        if method == "GET" and path.startswith(OWN_MODEL_PREFIX):
            answering = answer_model
        if answering is None:
            return self._nowhere(method, path)
        own = Route(path, RouteKind.FREE, path)
        return Target(NATIVE, self._native, (), own, answering)

    def refuse_unparsable(self) -> web.StreamResponse:
        """The answer to bytes that are no HTTP request."""
        trace = Trace.begin(self._gate)
        detail = "This is no well-formed HTTP request, or one of its lines is too long."
        return self._refused(Target(NATIVE, self._native), Rejection(Code.MALFORMED_REQUEST, detail), trace)

    def refuse_connection(self) -> web.Response:
        """The answer to whoever there is no connection for: what was asked nobody has read."""
        answer = self._refused(Target(NATIVE, self._native), self._gate.crowd.unconnected, Trace.begin(self._gate))
        assert isinstance(answer, web.Response)
        return answer

    def _refused(
        self, target: Target, rejection: Rejection, trace: Trace, request: web.BaseRequest | None = None
    ) -> web.StreamResponse:
        metrics, facts, money = self._gate.metrics, trace.facts, rejection.credits
        metrics.rejected(rejection.code)
        if trace.noted is not None:
            trace.noted.code = rejection.code
        metrics.traffic.refused(facts, rejection.code)
        if money is not None:
            metrics.traffic.credits_refused(rejection.code, money.required)
        self._gate.recent.refused(tell_rejection(rejection, facts, trace.asked), rejection)
        return rejection_answer(target.shape or target.dialect, rejection, facts.request_id, request)

    def _tell_ledger_failure(self, error: LedgerError, trace: Trace) -> None:
        detail = str(error)[:LEDGER_DETAIL_LENGTH_MAX]
        kind = type(error).__name__
        emit(LedgerFailed(request_id=trace.facts.request_id, error=kind, detail=detail, retryable=error.retryable))

    def _failed(self, request: web.BaseRequest, error: Exception, trace: Trace) -> web.Response:
        """A bug. Its kind and place are logged, never its data; an answer that may have begun is cut."""
        self._gate.metrics.internal_error()
        self._count(trace, "internal_error", 0)
        emit(InternalError(request_id=trace.facts.request_id, where=place_of(error), error=type(error).__name__))
        if trace.answering and request.transport is not None:
            request.transport.abort()
        return failure_answer(trace.facts.request_id)


def _version(provider: Provider, method: str, path: str) -> str:
    """`/v1` where a base URL of this provider may end in it."""
    with_version = provider.dialect.find_route(method, f"/v1{path.removeprefix('/v1')}")
    return "/v1" if with_version and not provider.dialect.TRAITS.drops_path else ""


def _provider_target(provider: Provider, method: str, path: str) -> Target:
    if asks_for_secret(provider.dialect, method, path):
        own = Route(path, RouteKind.FREE, path)
        return Target(provider.dialect_name, provider.dialect, (provider,), own, answer_secret)
    route = provider.dialect.find_route(method, path)
    if route is None and (method, path) in provider.passthrough:
        route = Route(path, RouteKind.FREE, _below_base(provider.base_url, path))
    if route is None:
        return Target(provider.dialect_name, provider.dialect, (provider,))
    return Target(provider.dialect_name, provider.dialect, (provider,), route, ANSWERING[route.kind])


def _below_base(base_url: str, path: str) -> str:
    """`/v1/x` below a base that already ends in `/v1` is `/x`."""
    base_path = "/" + base_url.partition("://")[2].partition("/")[2]
    return path.removeprefix(base_path) if base_path != "/" and path.startswith(f"{base_path}/") else path
