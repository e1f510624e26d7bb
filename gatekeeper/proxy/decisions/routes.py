"""The routes of decisions on the data port."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.proxy.decisions.authplan import FORWARD_AUTH
from gatekeeper.proxy.decisions.deciding import answer_decision
from gatekeeper.proxy.decisions.ending import answer_extend, answer_release, answer_settle, answer_where
from gatekeeper.proxy.decisions.forwardauth import answer_forward_auth
from gatekeeper.proxy.gate import Call, Gate

Answering = Callable[[Gate, Call], Awaitable[web.StreamResponse]]

DECISIONS_PATH: Final = "/v1/decisions"

OF_ONE: Final[dict[tuple[str, str], Answering]] = {
    ("POST", "settle"): answer_settle,
    ("POST", "release"): answer_release,
    ("POST", "extend"): answer_extend,
    ("GET", ""): answer_where,
}
"""What is done with a decision, by method and what stands behind its id."""


def is_forward_auth(path: str) -> bool:
    """Whether a reverse proxy asks here, with whatever behind it."""
    return path == FORWARD_AUTH or path.startswith(f"{FORWARD_AUTH}/")


def find_decision_route(method: str, path: str) -> tuple[Route, Answering] | None:
    """Where a path leads, or None: to nothing of decisions."""
    if is_forward_auth(path):
        return Route("forward-auth", RouteKind.GENERATION, FORWARD_AUTH), answer_forward_auth
    if (method, path) == ("POST", DECISIONS_PATH):
        return Route("decisions", RouteKind.GENERATION, path), answer_decision
    above, slash, rest = path.partition(f"{DECISIONS_PATH}/")
    hold_id, _, act = rest.partition("/")
    answering = OF_ONE.get((method, act))
    if above or not slash or not hold_id or answering is None:
        return None
    return Route(act or "decision", RouteKind.FREE, path, job=hold_id, takes_body=True), answering
