"""What webhooks work with, wired once from the settings: whom to call, whom to believe, and what is on its way."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gatekeeper.clock import Clock
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.webhooks.addresses import Allowed
from gatekeeper.proxy.webhooks.calling import Caller
from gatekeeper.proxy.webhooks.deliveries import Deliveries, OnAlert, Patience
from gatekeeper.proxy.webhooks.jwks import FAL_JWKS_URL, KeyRing
from gatekeeper.proxy.webhooks.letters import LetterBox
from gatekeeper.sections import read_secret
from gatekeeper.settings import ProviderSettings, Settings, WebhookSettings

DIRECTORY: Final = "webhooks"
"""In the data directory."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`secret` is the store's own; `standard_secrets` and `key_rings` tell whether a provider says what it seems to."""

    secret: str = field(repr=False)
    allowed: Allowed
    deliveries: Deliveries
    standard_secrets: Mapping[str, str] = field(repr=False)
    key_rings: Mapping[str, KeyRing]


@asynccontextmanager
async def open_webhooks(
    settings: Settings,
    directory: Path,
    secret: str,
    clock: Clock,
    metrics: Metrics,
    on_error: Callable[[Exception], None],
    on_alert: OnAlert | None = None,
) -> AsyncIterator[Webhooks]:
    """Webhooks whose deliveries run inside the block. Raises OSError if their directory cannot be used."""
    stated = settings.webhooks
    allowed = Allowed(frozenset(stated.allow_hosts), frozenset(stated.ports), stated.allow_private)
    box = LetterBox(directory / DIRECTORY, letters_max=stated.waiting_max, bytes_max=stated.waiting_max_mb * 1024**2)
    async with Caller(allowed, stated.timeout_s) as caller:
        deliveries = Deliveries(box, caller, _patience(stated), secret, clock, metrics, on_error)
        deliveries.on_alert = on_alert or deliveries.on_alert
        await deliveries.start()
        try:
            yield Webhooks(
                secret=secret,
                allowed=allowed,
                deliveries=deliveries,
                standard_secrets=_standard_secrets(settings),
                key_rings={name: _key_ring(each, clock) for name, each in settings.providers.items()},
            )
        finally:
            await deliveries.stop()


def _patience(stated: WebhookSettings) -> Patience:
    return Patience(stated.retry_min_s, stated.retry_max_s, stated.give_up_after_s, stated.at_once)


def _standard_secrets(settings: Settings) -> dict[str, str]:
    stated = {name: each.webhook_secret for name, each in settings.providers.items()}
    return {name: read_secret(source, settings.base_dir) for name, source in stated.items() if source is not None}


def _key_ring(stated: ProviderSettings, clock: Clock) -> KeyRing:
    return KeyRing(stated.webhook_jwks_url or FAL_JWKS_URL, clock)
