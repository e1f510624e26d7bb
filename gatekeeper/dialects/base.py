"""What a wire format must be able to do, as a protocol that a plain module satisfies.

Here are the shapes that pass between a dialect and the pipeline, nothing else. A dialect reads; it never sends,
never prices, never decides whether a request is allowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gatekeeper.core.outcome import Outcome
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation


class RouteKind(StrEnum):
    """`GENERATION` spends and is gated; `FREE` is passed by, with the provider's credential, at no price."""

    GENERATION = "generation"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the provider that the dialect knows.

    `upstream_path` is what follows the provider's base URL, rebuilt from the dialect's own table and never from the
    caller's raw path. `operation` is what the route does when the body does not say. `query` are the parameters that
    may be in the address: any other might say again, and differently, what the body says.
    """

    name: str
    kind: RouteKind
    upstream_path: str
    operation: Operation | None = None
    query: frozenset[str] = frozenset()


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
    """One wire format. Implemented by a module of functions."""

    def find_route(self, method: str, path: str) -> Route | None:
        """The known route for a path below the provider's prefix (it starts with "/"), or None: not open."""
        ...

    def read_request(self, route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
        """What the body asks. Raises `Rejected`, never anything else, for any bytes.

        Its code is malformed_request, or one of a few (missing_parameter, operation_not_supported) where the form alone
        shows it.
        """
        ...

    def outcome_reader(self, route: Route, status: int, content_type: str) -> OutcomeReader:
        """A reader for the provider's answer, made when its head has come."""
        ...

    def render_rejection(self, rejection: Rejection, request_id: str) -> Rendered:
        """A refusal as this format's own SDK raises it, with every fact of the rejection in it."""
        ...

    def render_stream_error(self, rejection: Rejection, request_id: str) -> bytes | None:
        """A refusal as an event in the middle of a stream, after which the connection ends. None: no such thing."""
        ...
