"""Who says so: the signatures that providers put on their events, and the ones the gateway puts on its own.

Pure: the time and the keys are given. Verifying says True or False and never raises, whatever the headers are.
Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`. fal: ED25519 over four lines. BFL: HMAC-SHA256 over the body.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_S: Final = 300
"""How old, or how far ahead, the time of a signature may be: Standard Webhooks' own figure, and fal's."""

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what stands before one

KEY_BYTES_MIN: Final = 16
"""Standard Webhooks has 24 and more; what is shorter than this is a word that happens to be base64."""

Headers = Mapping[str, str]
"""Names in lower case."""


def standard_key(secret: str) -> bytes | None:
    """The key behind a secret of Standard Webhooks, or None if it is none: `whsec_` and base64, nothing else."""
    if not secret.startswith(_SECRET_PREFIX):
        return None
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        return None
    return key if len(key) >= KEY_BYTES_MIN else None


def standard_headers(secret: str, message_id: str, body: bytes, now_s: int) -> dict[str, str]:
    """The headers of an event of our own."""
    signature = base64.b64encode(_standard_digest(standard_key(secret) or b"", message_id, str(now_s), body)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(now_s), "webhook-signature": f"v1,{signature}"}


def is_standard(secret: str, headers: Headers, body: bytes, now_s: float) -> bool:
    """Whether the event is signed with this secret, now."""
    key, stamp, message_id = standard_key(secret), headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    if key is None or not message_id or not _is_recent(stamp, now_s):
        return False
    expected = base64.b64encode(_standard_digest(key, message_id, stamp, body))
    given = (word.partition(",") for word in headers.get("webhook-signature", "").split(" "))
    return any(version == "v1" and hmac.compare_digest(_bytes(text), expected) for version, _, text in given)


def is_fal(keys: Sequence[Ed25519PublicKey], headers: Headers, body: bytes, now_s: float) -> bool:
    """Whether fal signed the event, now."""
    facts = [headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp")]
    if not all(facts) or not _is_recent(facts[-1], now_s):
        return False
    message = _bytes("\n".join([*facts, hashlib.sha256(body).hexdigest()]))
    try:
        signature = bytes.fromhex(headers.get("x-fal-webhook-signature", ""))
    except ValueError:
        return False
    return any(_signed_with(key, signature, message) for key in keys)


def is_bfl(secret: str, headers: Headers, body: bytes) -> bool:
    """Whether the event is signed with the secret that went out with its request."""
    return hmac.compare_digest(_bytes(headers.get("x-bfl-signature", "")), bfl_signature(secret, body).encode())


def bfl_signature(secret: str, body: bytes) -> str:
    """The value of `X-BFL-Signature`."""
    return f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def read_jwks(document: object) -> tuple[Ed25519PublicKey, ...]:
    """The ED25519 keys of a set of JSON Web Keys; what else is in it is left aside."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = (_read_key(each) for each in listed) if isinstance(listed, list) else ()
    return tuple(key for key in found if key is not None)


def _read_key(entry: object) -> Ed25519PublicKey | None:
    if not isinstance(entry, dict) or (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519"):
        return None
    x = entry.get("x")
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{x}==")) if isinstance(x, str) else None
    except ValueError:
        return None


def _signed_with(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _standard_digest(key: bytes, message_id: str, stamp: str, body: bytes) -> bytes:
    return hmac.digest(key, _bytes(f"{message_id}.{stamp}.") + body, "sha256")


def _is_recent(stamp: str, now_s: float) -> bool:
    return _SECONDS.fullmatch(stamp) is not None and abs(now_s - int(stamp)) <= TOLERANCE_S


def _bytes(text: str) -> bytes:
    """A header's bytes again: it may hold any."""
    return text.encode("utf-8", "surrogateescape")
