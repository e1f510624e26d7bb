"""What a page is given: a visit by somebody who is signed in, the form that was sent, and the ways to answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment

from gatekeeper.catalog import Catalog
from gatekeeper.clock import Clock
from gatekeeper.console.dataport import DataPort
from gatekeeper.console.joblines import OpenJobs
from gatekeeper.console.keeping import Kept
from gatekeeper.console.live import Live
from gatekeeper.console.rendering import rendered
from gatekeeper.console.roster import Roster
from gatekeeper.console.sessions import Session, Sessions
from gatekeeper.console.statics import Statics
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.metrics import Metrics
from gatekeeper.recent import Feed

NAVIGATION: Final = (
    ("/", "Teams"),
    ("/refusals", "Refusals"),
    ("/jobs", "Jobs"),
    ("/catalog", "Catalog"),
)
"""The places of the console: address and name."""


BY_ITSELF: Final = "Gatekeeper-By-Itself"
"""What a script sends with a request that nobody at the desk asked for."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What all pages work with."""

    ledger: Ledger
    metrics: Metrics
    catalog: Callable[[], Catalog]
    clock: Clock
    sessions: Sessions
    recent: Feed
    live: Live
    statics: Statics
    templates: Environment
    data_port: DataPort
    roster: Roster
    jobs: Kept[tuple[str, str], OpenJobs]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in. `form` has the fields of a POST, each once."""

    parts: Parts
    request: web.Request
    session: Session
    form: Mapping[str, str]

    @property
    def ledger(self) -> Ledger:
        return self.parts.ledger

    @property
    def ids(self) -> Mapping[str, str]:
        """What the path names, decoded once."""
        return self.request.match_info

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, for a part of a page."""
        return self.request.headers.get("HX-Request") == "true"

    def page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A page, or a part of one. Templates have `session`, `csrf`, `path`, `navigation`, `messages` besides."""
        common = {
            "session": self.session,
            "csrf": self.session.csrf,
            "path": self.request.path,
            "navigation": NAVIGATION,
            "messages": [] if self.is_partial or is_by_itself(self.request) else self.session.take_messages(),
        }
        return html(rendered(self.parts.templates, template, common | values), status)

    def see(self, path: str, message: str = "") -> web.Response:
        """After something was done: look there, where the message is told."""
        if message:
            self.session.tell(message)
        return web.Response(status=303, headers={"Location": path})


@dataclass(frozen=True, slots=True)
class Route:
    """A page or an action: which requests it takes, and what answers them."""

    method: str
    path: str
    answer: Callable[[Visit], Awaitable[web.StreamResponse]]


def is_by_itself(request: web.Request) -> bool:
    """Whether an open page asks, and no person: it says so, or it is a stream, which a browser opens anew by itself."""
    return request.path.startswith("/live/") or BY_ITSELF in request.headers


def html(text: str, status: int = 200) -> web.Response:
    """A page as it goes out."""
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def path_of(*parts: str) -> str:
    """A path of the console, each part of it escaped: `path_of("teams", "a b")` is `/teams/a%20b`."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
