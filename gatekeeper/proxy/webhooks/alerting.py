"""Calls a team's alert address about its limits and budgets: by the same rules and as often as callers' webhooks, with
a log that the team can read.

What is to be told, and that it is told once, is for `gatekeeper/signals/`. An address that may not be called is not
tried again: only a person can mend it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from gatekeeper.clock import Clock
from gatekeeper.ledger.alerts import Delivery
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.logs import emit, event_json
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.webhooks.addresses import NotCallable, check_url
from gatekeeper.proxy.webhooks.calling import Called
from gatekeeper.proxy.webhooks.letters import BoxFull, Letter
from gatekeeper.proxy.webhooks.parts import Webhooks
from gatekeeper.signals.watcher import Alert
from gatekeeper.teamevents import AlertDelivered, AlertFailed


@dataclass(frozen=True, slots=True)
class AlertLog:
    """Where attempts are told: a log line, a metric, and the team's delivery log in the store."""

    ledger: Ledger
    clock: Clock
    metrics: Metrics
    on_error: Callable[[Exception], None]

    async def tried(self, letter: Letter, called: Called, outcome: str, age_s: float) -> None:
        """An attempt has ended: `delivered`, `retried` later, or `failed` for good. Never raises for the store."""
        host = urlsplit(letter.url).hostname or ""
        reason = "" if called.taken else called.reason or f"status {called.status}"
        about: dict[str, Any] = {"team": letter.team, "alert": letter.id, "host": host, "status": called.status}
        self.metrics.alert_delivery(outcome)
        if called.taken:
            emit(AlertDelivered(**about, age_s=round(age_s)))
        else:
            emit(AlertFailed(**about, reason=reason, final=outcome == "failed"))
        at_ms = int(self.clock.now().timestamp() * 1000)
        event = str(orjson.loads(letter.body)["type"])
        try:
            attempt = Delivery(at_ms, letter.id, event, host, called.status, outcome, reason)
            await self.ledger.alerts.note(letter.team, attempt)
        except LedgerError as error:
            self.on_error(error)


async def send_alert(webhooks: Webhooks, log: AlertLog, alert: Alert) -> bool:
    """Puts an alert on disk for its delivery. False: there is no room for it now."""
    letter = _letter(alert)
    try:
        check_url(alert.url, webhooks.allowed)
    except NotCallable as refused:
        await log.tried(letter, Called(0, f"address not allowed: {refused}"), "failed", 0)
        return True
    try:
        await webhooks.deliveries.put(letter)
    except (BoxFull, OSError):
        await log.tried(letter, Called(0, "no room on disk"), "retried", 0)
        return False
    return True


def _letter(alert: Alert) -> Letter:
    return Letter(
        id=alert.id,
        url=alert.url,
        body=event_json(alert.event, alert.at_ms),
        headers={"Content-Type": "application/json"},
        team=alert.team,
        provider="",
        hold_id="",
        written_at_ms=alert.at_ms,
    )
