"""What the data plane works with, wired once by `app`: providers, catalog, ledger, upstream, and its limits."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol

from aiohttp import web

from gatekeeper.catalog import Catalog
from gatekeeper.clock import Clock, SystemClock
from gatekeeper.core.rejection import Code
from gatekeeper.core.spec import ModelSpec
from gatekeeper.dialects.base import Dialect, Route
from gatekeeper.events import GenerationFacts
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.outbox import Outbox
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.crowd import Crowd, Places, open_places
from gatekeeper.proxy.entropy import Entropy
from gatekeeper.proxy.jobs.desk import JobDesk
from gatekeeper.proxy.jobs.record import Hook, JobRecord
from gatekeeper.proxy.keeping import Body, Room
from gatekeeper.proxy.past import ENFORCED, Past, Shadow
from gatekeeper.proxy.remembering import NONE, Habit, Habits
from gatekeeper.proxy.webhooks.parts import Webhooks
from gatekeeper.recent import Recent
from gatekeeper.settings import JobSettings
from gatekeeper.upstream.credential import Credential, with_credential
from gatekeeper.upstream.messages import Headers, Sender, Timeouts
from gatekeeper.web.auth import Authenticator, Caller
from gatekeeper.web.tls import Certificate


@dataclass(frozen=True, slots=True)
class Provider:
    """An upstream as the data plane sees it.

    `bases` are its addresses by the names that routes have for them, "" the usual one; `host` is the host name that it
    has to itself. `offers_of` is the provider's name in the catalog's offers; `models` are patterns of catalog ids that
    it takes under the catalog's own names; `passthrough` are exact (method, path) pairs that are let by for free.
    `shadow`: nothing that goes there is refused.
    """

    name: str
    dialect_name: str
    dialect: Dialect
    bases: Mapping[str, str]
    credential: Credential
    upstream: Sender
    offers_of: str
    models: tuple[str, ...] = ()
    default_model: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    passthrough: frozenset[tuple[str, str]] = frozenset()
    on_unknown: OnUnknown = OnUnknown.RELEASE
    unknown_grace_s: float = 60
    host: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    shadow: bool = False
    places: Places = field(default_factory=open_places)

    def with_credential(self, headers: Headers, raw_query: str) -> tuple[Headers, str]:
        """Headers and query with the provider's credential added, signed at this moment if it is signed."""
        now_s = self.clock.now().timestamp() if self.credential.kind == "signed" else 0.0
        return with_credential(self.credential, headers, raw_query, now_s)

    @property
    def base_url(self) -> str:
        """Its usual address."""
        return self.bases[""]


CATALOGS_KEPT_MAX = 8
"""A job is priced from the list that it was held by: so many reloads may come before its end."""


class Shelf:
    """Holds the catalog in use. A reload replaces it whole; a request keeps the one it began with."""

    def __init__(self, catalog: Catalog) -> None:
        self._kept: dict[str, Catalog] = {}
        self.catalog = catalog

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept.pop(catalog.digest, None)
        self._kept[catalog.digest] = catalog
        while len(self._kept) > CATALOGS_KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    def find_model(self, model_id: str, price_list: str) -> ModelSpec | None:
        """The model with the prices of this list, from the catalogs that this process has had; None if it had none."""
        found = (catalog.find(model_id) for catalog in reversed(self._kept.values()))
        return next((model for model in found if model is not None and model.price_list.id == price_list), None)


P = ParamSpec("P")


class InFlight:
    """Counts generations between hold and resolution, so that a shutdown can wait for the last to be booked.

    `abandoned`: how many there were when the time for them was over, or that could not be booked since.
    """

    def __init__(self) -> None:
        self.abandoned = 0
        self._count = 0
        self._booking = 0
        self._bookings: set[asyncio.Task[None]] = set()
        self._none: asyncio.Event | None = None  # made by the first who waits for it: only a shutdown does

    @property
    def count(self) -> int:
        return self._count

    def began(self) -> None:
        self._count += 1

    def ended(self) -> None:
        self._count -= 1
        if self._none is not None:
            self._look_if_none()

    async def book(self, booking: Coroutine[None, None, None]) -> None:
        """Runs a booking to its end, whatever becomes of the request that waits for it."""
        await asyncio.shield(self._start(booking))

    async def book_here(self, booking: Callable[P, Coroutine[None, None, None]], *args: P.args, **kw: P.kwargs) -> None:
        """The same without a task, for what may be told twice: nearly every request waits for its booking.

        One that is cancelled meanwhile leaves an answer of the store's unheard, so its booking begins anew in a task of
        its own. The ledger and the outbox know what they were told before, and nobody else is told anything before
        they have answered.
        """
        self._booking += 1
        try:
            await booking(*args, **kw)
        except asyncio.CancelledError:
            self._start(booking(*args, **kw))
            raise
        finally:
            self._booking -= 1
            if self._none is not None:
                self._look_if_none()

    def _start(self, booking: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(booking)
        self._bookings.add(task)
        task.add_done_callback(self._bookings.discard)
        return task

    def _look_if_none(self) -> None:
        if self._none is not None and self._count == 0 and self._booking == 0:
            self._none.set()
            self._none = None

    def cut_off(self) -> None:
        """Whoever is not done by now is not waited for: what became of his generation is unknown."""
        self.abandoned = self._count

    async def until_none(self, timeout_s: float) -> int:
        """Waits until every hold is resolved and every booking has ended, at most this long. How many are not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._count or self._booking:
                    self._none = self._none or asyncio.Event()
                    await self._none.wait()
                while self._bookings:
                    await asyncio.wait(self._bookings)
        left = max(self._count, self._booking + len(self._bookings))
        self.abandoned = max(self.abandoned, left)
        return left


class Spans(Protocol):
    """Tells in spans what becomes of requests. Calls of the ledger and of providers have their own already."""

    def around(self, gate: "Gate", handle: "Handle") -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        """The same handler with a span around each request."""
        ...

    def booking(self, record: JobRecord, via: str, outcome: str) -> AbstractContextManager[None]:
        """A span around the booking of a job's end, linked to that of its submission."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """Everything the pipeline needs. `public_url` is how callers reach the gateway, None: as their `Host` says.
    `certificate` is the data port's, None: it speaks plain HTTP. `spans` is there only where requests are traced."""

    providers: Mapping[str, Provider]
    native_dialect: Dialect
    shelf: Shelf
    ledger: Ledger
    outbox: Outbox
    authenticator: Authenticator
    clock: Clock
    metrics: Metrics
    in_flight: InFlight
    new_id: Callable[[], str]
    max_body_bytes: int
    body_timeout_s: float
    client_write_timeout_s: float
    client_total_s: float
    retry_guard_window_s: float
    jobs: JobSettings
    desk: JobDesk
    webhooks: Webhooks
    crowd: Crowd
    room: Room
    public_url: str | None = None
    certificate: Certificate | None = None
    habits: Habits = field(default_factory=Habits)
    entropy: Entropy = field(default_factory=Entropy)
    recent: Recent = field(default_factory=Recent)
    spans: Spans | None = None


@dataclass(slots=True)
class Noted:
    """What is noted for the span of a request: `traceparent` is the span's name elsewhere (W3C Trace Context), `code`
    what it was refused with."""

    traceparent: str = ""
    code: Code | None = None


@dataclass(slots=True)
class Trace:
    """What is known of one request so far. Every log line about it is made of `facts`, which are its own and only grow.

    `started_s` is when our own work on it began: when its body was there. `answering`: its answer's head may be out.
    `ended` is how its generation ended, once that is known, and `hook` where the caller wants to hear how its job did.
    `asked` is the request in words, once it is read. `shadowed` is the code with which it would have been refused, were
    it not let by. `body` is its body, if that is not small: it is released when it is sent, at the latest when the
    request ends. `noted` is there only where requests are traced.
    """

    facts: GenerationFacts
    started_s: float
    answering: bool = False
    ended: str | None = None
    hook: Hook | None = None
    asked: dict[str, Any] | None = None
    shadowed: Code | None = None
    habit: Habit = NONE
    body: Body | None = None
    noted: Noted | None = None

    @classmethod
    def begin(cls, gate: Gate) -> "Trace":
        return cls(GenerationFacts(request_id=gate.new_id()), gate.clock.monotonic_s())

    def learn(self, **known: object) -> None:
        """Adds to the facts; the names are theirs. Raises AttributeError for another: it would stand in every line."""
        facts = self.facts
        for name, value in known.items():
            getattr(facts, name)
            setattr(facts, name, value)


Handle = Callable[[web.BaseRequest, Trace], Awaitable[web.StreamResponse]]
"""Answers a request whose trace has begun."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request whose sender and route are known. It does not change; to make a frozen one would cost more.

    `candidates` are the providers that may serve it: one when the path names it, every native one otherwise.
    `shadow` is there for those that nothing may refuse, and remembers what would have.
    """

    request: web.BaseRequest
    trace: Trace
    catalog: Catalog
    caller: Caller
    dialect: Dialect
    route: Route
    candidates: tuple[Provider, ...]
    dry_run: bool = False
    shadow: Shadow | None = None

    @property
    def past(self) -> Past:
        """What becomes of a refusal that can be gone past: it leaves as it is raised, but in shadow."""
        return ENFORCED if self.shadow is None else self.shadow

    @property
    def facts(self) -> GenerationFacts:
        return self.trace.facts

    @property
    def request_id(self) -> str:
        return self.trace.facts.request_id
