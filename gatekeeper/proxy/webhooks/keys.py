"""Secrets and signatures of our own, all derived from one secret that the gateways of a store share.

So nothing has to be kept or handed round: whichever process hears a provider can tell its own address from a made-up
one, and whichever process delivers signs alike. Pure: bytes in, bytes out.
"""

import base64
import hmac
from typing import Final
from urllib.parse import quote

CALLBACKS: Final = "/v1/callbacks/"
"""Below it providers call the gateway."""

MAC_CHARS: Final = 40
"""160 bits in hexadecimal digits."""


def _derived(secret: str, *names: str) -> bytes:
    """Names hold no zero byte, so no two lists of them are the same text."""
    return hmac.digest(secret.encode(), "\0".join(names).encode(), "sha256")


def callback_mac(secret: str, provider: str, team: str, hold_id: str) -> str:
    """What nobody can know about a hold but those whom the gateway told: the provider, and who sees its requests."""
    return _derived(secret, "callback", provider, team, hold_id).hex()[:MAC_CHARS]


def callback_path(secret: str, provider: str, team: str, hold_id: str) -> str:
    """Where the provider is to call, below the gateway's own address."""
    mac = callback_mac(secret, provider, team, hold_id)
    return CALLBACKS + "/".join(quote(each, safe="") for each in (provider, team, hold_id, mac))


def is_callback_mac(mac: str, secret: str, provider: str, team: str, hold_id: str) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(mac.encode(), callback_mac(secret, provider, team, hold_id).encode())


def provider_secret(secret: str, hold_id: str) -> str:
    """What a provider is to sign with that takes a secret with the request: one for each, which no caller knows."""
    return _derived(secret, "provider", hold_id).hex()


def settle_token(secret: str, team: str, once: str) -> str:
    """Who is told this may end what a reverse proxy's request of this name was held for, whichever gateway held it."""
    return _derived(secret, "settle", team, once).hex()[:MAC_CHARS]


def team_secret(secret: str, team: str) -> str:
    """What the team's webhooks are signed with, as Standard Webhooks spells it."""
    return "whsec_" + base64.b64encode(_derived(secret, "team", team)).decode()


def message_id(provider: str, hold_id: str, event: bytes) -> str:
    """A name for an event that every gateway gives it, so that a receiver knows it again."""
    return "msg_" + hmac.digest(event, f"{provider}\0{hold_id}".encode(), "sha256").hex()[:MAC_CHARS]
