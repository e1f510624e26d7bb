"""The log events about the process and its store. Part of `events`, which lists them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReloaded:
    """`ok` False: the new files were refused and the old catalog stays; `problems` says why."""

    event: Literal["catalog.reloaded"] = "catalog.reloaded"
    ok: bool
    models: int
    digest: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted:
    """Both planes accept requests."""

    event: Literal["server.started"] = "server.started"
    url: str
    admin_url: str
    store: str
    durability: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped:
    """The process ends. `abandoned`: generations still in flight when the grace was over."""

    event: Literal["server.stopped"] = "server.stopped"
    pid: int
    abandoned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWarning:
    """Something about the store that is allowed and still worth knowing, such as what a crash may lose."""

    event: Literal["store.warning"] = "store.warning"
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
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
