"""A real store for what watches it, and words for what was told."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.metrics import Metrics
from gatekeeper.sections import SignalSettings
from gatekeeper.signals import watcher as module
from gatekeeper.signals.watcher import Alert, Watcher
from tests.ledger.conftest import client, ledger, real_redis, server_socket, team_id  # noqa: F401
from tests.signals.scene import CATALOG

MakeWatcher = Callable[..., Watcher]


@pytest.fixture(name="redis")
def _redis(real_redis: Any) -> Any:  # noqa: F811
    """A real server: what several gateways do at once is its business."""
    return real_redis


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The events that would be logged."""
    events: list[Any] = []
    monkeypatch.setattr(module, "emit", events.append)
    return events


@pytest.fixture
def sent() -> list[Alert]:
    """The alerts that would be delivered."""
    return []


@pytest.fixture
def failures() -> list[Exception]:
    """What went wrong in the background."""
    return []


@pytest.fixture
def make_watcher(ledger: Ledger, sent: list[Alert], failures: list[Exception]) -> MakeWatcher:  # noqa: F811
    """Makes watchers of one store, each as of a gateway of its own; diagnoses are made at every look."""

    def make(owner: str = "a", kept: Callable[[], bool] = lambda: True, **parts: Any) -> Watcher:
        async def send(alert: Alert) -> bool:
            if kept():
                sent.append(alert)
                return True
            return False

        metrics = parts.pop("metrics", Metrics())
        settings = SignalSettings(**{"diagnose_every_s": 1e-9} | parts)
        return Watcher(ledger, lambda: CATALOG, settings, metrics, owner, send, failures.append)

    return make


@pytest.fixture
async def team(ledger: Ledger, team_id: str) -> TeamRecord:  # noqa: F811
    """A team with 10,000 credits."""
    record = await ledger.put_team(TeamRecord(team_id))
    await ledger.grant(team_id, "opening", 10_000_000_000)
    return record
