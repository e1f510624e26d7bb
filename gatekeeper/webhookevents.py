"""The log events about webhooks: what providers call, and what goes on to callers. Part of `events`, which lists them.

Of an address they tell the host alone: path and query may be a secret between the caller and its receiver.
"""

from dataclasses import dataclass
from typing import Literal

WebhookResult = Literal["settled", "pending", "repeated", "unconfirmed"]
"""What became of a provider's call about a job: a closed list, for it is a metric's label too."""

WebhookRefusal = Literal["address", "signature", "job", "keys", "store", "full", "size"]
"""Why such a call was turned away; a metric's label as well."""


@dataclass(frozen=True, kw_only=True)
class WebhookReceived:
    """A provider called about a job. `outcome` is what became of that: `settled` (the job has its end), `pending` (it
    told of something else), `repeated` (it had been heard before), or `unconfirmed` (nobody signed it, and the
    provider, when it was asked, said otherwise)."""

    event: Literal["webhook.received"] = "webhook.received"
    provider: str
    team: str
    hold_id: str
    outcome: WebhookResult


@dataclass(frozen=True, kw_only=True)
class WebhookRejected:
    """Somebody called, and was not believed, or could not be heard just now (then it is asked to call again)."""

    event: Literal["webhook.rejected"] = "webhook.rejected"
    provider: str | None
    reason: WebhookRefusal
    hold_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class WebhookDelivered:
    """The caller's webhook has an event. `webhook` is its id, the same at every attempt."""

    event: Literal["webhook.delivered"] = "webhook.delivered"
    team: str
    provider: str
    hold_id: str
    webhook: str
    host: str
    status: int
    age_s: int


@dataclass(frozen=True, kw_only=True)
class WebhookFailed:
    """The caller's webhook did not take an event. `final` False: it is tried again."""

    event: Literal["webhook.failed"] = "webhook.failed"
    team: str
    provider: str
    hold_id: str
    webhook: str
    host: str
    status: int
    reason: str
    final: bool
