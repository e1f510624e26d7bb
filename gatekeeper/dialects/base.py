"""What a wire format must be able to do, as a protocol that a plain module satisfies.

Here are the shapes that pass between a dialect and the pipeline, nothing else. A dialect reads; it never sends,
never prices, never decides whether a request is allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, Protocol

from gatekeeper.core.outcome import Outcome
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class RouteKind(StrEnum):
    """What a route does to credits.

    `generation` spends and is gated. `free` is passed by, with the provider's credential, at no price. The others are
    about a job that the same team submitted: `poll` asks where it stands, and is where its end is read; `cancel` asks
    the provider to stop, which is no end yet; `download` fetches what was made.
    """

    GENERATION = "generation"
    FREE = "free"
    POLL = "poll"
    CANCEL = "cancel"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the provider that the dialect knows.

    `upstream_path` is what follows the provider's address, rebuilt from the dialect's own table and never from the
    caller's raw path; `base` names which of its addresses (`Traits.bases`), "" the only or usual one. `operation` is
    what the route does when the body does not say. `query` are the parameters that may be in the address, by name or,
    where one value alone may pass, as `name=value`: any other might say again, and differently, what the body says.
    `model` and `job` are what the path names. `takes_body`: a route that is free or about a job, and has a body all
    the same.
    """

    name: str
    kind: RouteKind
    upstream_path: str
    operation: Operation | None = None
    query: frozenset[str] = frozenset()
    model: str | None = None
    job: str | None = None
    base: str = ""
    takes_body: bool = False


@dataclass(frozen=True, slots=True)
class CredentialPlace:
    """Where the provider expects its credential.

    `bearer`: `Authorization`, behind the word `name` (`Bearer` if it is ""). `header` and `query`: a header or
    parameter of that `name`. `signed`: a JSON Web Token behind `Bearer`, minted from an access key and a secret key.
    """

    kind: Literal["bearer", "header", "query", "signed"] = "bearer"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Webhook:
    """How a caller asks to be called back, and what the provider then sends.

    `field` is a query parameter, a top-level field of a JSON body, or one of a form; `secret_field` is where a caller
    may give a secret that the provider is to sign with. `read` takes the body of an event to the job's id and outcome;
    it never raises. `echo` takes the body of a call that only tries the address out to the answer that it waits for,
    and any other body to None.
    """

    place: Literal["query", "json", "form"]
    field: str
    signature: Literal["standard", "fal", "bfl", "none"]
    read: Callable[[bytes], "tuple[str | None, Outcome]"]
    secret_field: str = ""
    echo: Callable[[bytes], bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class BillingRule:
    """What the provider charges for a job that ended without its result, and where that is written.

    `end`: `failed`, `moderated`, `cancelled` or `expired`. `charged`: `nothing`, `in full`, or `as reported`.
    """

    end: Literal["failed", "moderated", "cancelled", "expired"]
    charged: Literal["nothing", "in full", "as reported"]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is true of a format as a whole. docs/providers.md is written from it.

    `address` is the provider's own, as `base_url` has it, "" where everybody has one of their own. `bases` are further
    addresses of the provider, by the first segment below its mount: public address by segment.
    `links` are the places of absolute addresses in answers, such as `urls.get`, which must lead through the gateway.
    `streams`: some answers are server-sent events. `pointed` is how the official SDK is pointed here; `drops_path`: it
    drops a path from its base URL.
    `reads` are the wire fields that a price or a check depends on, `settles_from` where the charge comes from, `sdk`
    how the official SDK tells its user that credits are short, `corners` what is not supported.
    """

    title: str
    address: str = ""
    credential: CredentialPlace = CredentialPlace()
    bases: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    webhook: Webhook | None = None
    billing: tuple[BillingRule, ...] = ()
    streams: bool = False
    pointed: str = ""
    drops_path: bool = False
    reads: tuple[str, ...] = ()
    settles_from: str = ""
    sdk: str = ""
    corners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobLink:
    """What it takes to ask a provider about a job.

    `submit_path` is the upstream path that made it, `poll_url` the address its answer named, if it named one, `ended`
    that it has ended, and that a result which nobody read yet tells how.
    """

    job_id: str
    submit_path: str
    poll_url: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of our own to the provider. `route` reads the answer; with `absolute` the link's `poll_url` is the
    address, if there is one and it is the provider's."""

    method: str
    route: Route
    query: str = ""
    body: bytes = b""
    content_type: str = ""
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer of the gateway's own in the dialect's shape. Headers include the content type."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class OutcomeReader(Protocol):
    """Reads what was made while the answer streams past, in memory that does not grow with the answer."""

    def feed(self, chunk: bytes) -> None:
        """Looks at the next bytes of the answer's body. Never raises."""
        ...

    def finish(self, *, complete: bool) -> Outcome:
        """The outcome. `complete` False: the body was cut. Never raises."""
        ...


class Dialect(Protocol):
    """One wire format. Implemented by a module of functions, or by an object that config describes."""

    @property
    def TRAITS(self) -> Traits:  # noqa: N802  # a module's constant
        """What is true of the format as a whole."""
        ...

    def routes(self) -> tuple[tuple[str, str, Route], ...]:
        """Every open route: method, path with {names} for what varies, and the route it leads to."""
        ...

    def find_route(self, method: str, path: str) -> Route | None:
        """The known route for a path below the provider's prefix (it starts with "/"), or None: not open."""
        ...

    def read_request(self, route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
        """What the body asks. Raises `Rejected`, never anything else, for any bytes.

        Its code is malformed_request, or one of a few (missing_parameter, operation_not_supported) where the form alone
        shows it.
        """
        ...

    def outcome_reader(
        self, route: Route, status: int, content_type: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> OutcomeReader:
        """A reader for the provider's answer, made when its head has come. Names of `headers` are in lower case.

        Of a poll, an answer that does not tell where the job stands (an HTTP error too) is `Unknown`, and no end.
        That a job still runs is read from the body, however the other headers change from poll to poll.
        """
        ...

    def job_named(self, route: Route, query: Mapping[str, str], body: Sequence[bytes]) -> str:
        """The job, or the file of one, that a request is about. Raises `Rejected` (malformed_request) without one."""
        ...

    def ask(self, link: JobLink) -> Ask | None:
        """How to ask the provider about a job when nobody polls it. None: it cannot be asked."""
        ...

    def render_rejection(self, rejection: Rejection, request_id: str) -> Rendered:
        """A refusal as this format's own SDK raises it, with every fact of the rejection in it."""
        ...

    def render_stream_error(self, rejection: Rejection, request_id: str) -> bytes | None:
        """A refusal as an event in the middle of a stream, after which the connection ends. None: no such thing."""
        ...
