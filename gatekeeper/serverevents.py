"""The log events about the process and its store. Part of `events`, which lists them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class CatalogReloaded:
    """`ok` False: the new files were refused and the old catalog stays; `problems` says why."""

    event: Literal["catalog.reloaded"] = "catalog.reloaded"
    ok: bool
    models: int
    digest: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServerStarted:
    """Both planes accept requests, the data plane in so many processes; `pid` is that of the one to send signals to."""

    event: Literal["server.started"] = "server.started"
    url: str
    admin_url: str
    store: str
    durability: str
    pid: int
    version: str
    workers: int = 1


@dataclass(frozen=True, kw_only=True)
class ServerStopped:
    """The process ends. `abandoned`: generations still in flight when the grace was over."""

    event: Literal["server.stopped"] = "server.stopped"
    pid: int
    abandoned: int = 0


@dataclass(frozen=True, kw_only=True)
class WorkerStarted:
    """A worker accepts requests, for the so manieth time under its number: `starts` above 1 took a dead one's place."""

    event: Literal["worker.started"] = "worker.started"
    worker: int
    pid: int
    starts: int


@dataclass(frozen=True, kw_only=True)
class WorkerStopped:
    """A worker has ended because it was told to. `abandoned`: its generations in flight when the grace was over."""

    event: Literal["worker.stopped"] = "worker.stopped"
    worker: int
    pid: int
    abandoned: int = 0


@dataclass(frozen=True, kw_only=True)
class WorkerDied:
    """A worker has ended that nobody had told to. `reason` is its exit code or signal, or what it said itself; another
    takes its place in `again_in_s`. What it had in flight is resolved by time, or followed if it is a job."""

    event: Literal["worker.died"] = "worker.died"
    worker: int
    pid: int
    reason: str
    again_in_s: float


@dataclass(frozen=True, kw_only=True)
class ConsoleEntered:
    """Somebody signed in to the console, or tried to. `refused`: the token was wrong; `waits`: there were too many such
    attempts, and this one was not looked at. `address` is whose `server.trusted_proxies` say, or the connection's."""

    event: Literal["console.entered"] = "console.entered"
    outcome: Literal["opened", "refused", "waits"]
    address: str


@dataclass(frozen=True, kw_only=True)
class BodyNotKept:
    """A large request body could not be put in its file, and the request was refused: the disk is full, or `folder` is
    not to be written in."""

    event: Literal["body.not_kept"] = "body.not_kept"
    folder: str
    error: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class StoreWarning:
    """Something about the store that is allowed and still worth knowing, such as what a crash may lose."""

    event: Literal["store.warning"] = "store.warning"
    warning: str


@dataclass(frozen=True, kw_only=True)
class TracesLost:
    """The collector did not take spans, and they are gone; told once until it takes some again. Nothing else of the
    gateway depends on it."""

    event: Literal["traces.lost"] = "traces.lost"
    spans: int


@dataclass(frozen=True, kw_only=True)
class HistoryLost:
    """The store has lost journal entries of this team that it had acknowledged. `seen` is the last this gateway saw,
    `kept` the last of its own that is there; `told_again` of its entries are there again, `refused` were not taken
    (a limit has no room for them any more), and `missing` are entries it cannot account for."""

    event: Literal["ledger.history_lost"] = "ledger.history_lost"
    team: str
    seen: int
    kept: int
    told_again: int
    refused: int
    missing: int
