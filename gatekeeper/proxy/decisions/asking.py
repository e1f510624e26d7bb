"""What a caller asks a decision for: the body of `POST /v1/decisions`, and the secret that it may end it by.

The body is that of a generation in the gateway's own format, without a need for its prompt, and a few fields beside.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from typing import Final

from aiohttp import web

from gatekeeper.catalog import Catalog
from gatekeeper.core.rejection import Code, refuse
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.contenttype import is_json
from gatekeeper.dialects.fields import JsonFields, read_json
from gatekeeper.dialects.native import read_body
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.logs import one_word
from gatekeeper.proxy.jobs.record import DECISIONS, JobRecord

SETTLE_TOKEN: Final = "Gatekeeper-Settle-Token"  # noqa: S105  # the header's name
"""Of a request for a decision: from now on only who sends the same may end it."""

TTL_DEFAULT_S: Final = 900
"""Longer than any picture takes, and most films."""

TTL_MAX_S: Final = 24 * 3600
"""What works for longer says so in between, by an extend."""

BESIDE: Final = ("ttl_s", "on_unknown", "provider")
"""The fields of a decision beside those of a generation."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a decision is asked for. `provider` is the caller's word for who does the work, for logs and reports."""

    asked: GenerationRequest
    ttl_s: int = TTL_DEFAULT_S
    on_unknown: OnUnknown = OnUnknown.RELEASE
    provider: str = DECISIONS


def read_wanted(content_type: str, body: Sequence[bytes]) -> Wanted:
    """The body of `POST /v1/decisions`. Raises `Rejected` (malformed_request, operation_not_supported)."""
    check_json(content_type)
    asked = read_body(body, BESIDE)
    fields = read_json(body)
    ttl_s = read_ttl_s(fields)
    on_unknown = fields.text("on_unknown")
    if on_unknown is not None and on_unknown not in set(OnUnknown):
        fields.wrong("on_unknown", f"one of {', '.join(OnUnknown)}")
    provider = fields.text("provider")
    if provider is not None and one_word(provider) != provider:
        fields.wrong("provider", "one short word")
    fields.finish()
    return Wanted(asked, ttl_s or TTL_DEFAULT_S, OnUnknown(on_unknown or "release"), provider or DECISIONS)


def read_ttl_s(fields: JsonFields) -> int | None:
    """Whole seconds, rounded up; None where they are not given, or wrong, which is noted."""
    given = fields.quantity("ttl_s", "s")
    if given is not None and not is_ttl(given):
        fields.wrong("ttl_s", f"1 to {TTL_MAX_S} seconds")
        return None
    return None if given is None else -(-given.numerator // given.denominator)


def is_ttl(seconds: Fraction) -> bool:
    """Whether a hold may be made, or extended, for so long."""
    return 1 <= seconds <= TTL_MAX_S


def check_json(content_type: str) -> None:
    """Raises `Rejected` (malformed_request) for any other kind of body."""
    if not is_json(content_type):
        raise refuse(Code.MALFORMED_REQUEST, "Content-Type must be application/json.")


def usual_names(catalog: Catalog, asked: GenerationRequest) -> GenerationRequest:
    """The model by its name in the catalog, also where it was asked for by the one id that providers sell it under. No
    price and no check depends on a prompt here: none is needed."""
    model = None
    if asked.model is not None and catalog.find(asked.model) is None:
        model = catalog.find_upstream(asked.model)
    return replace(asked, model=model.id if model else asked.model, prompt_length=asked.prompt_length or 1)


def read_token(request: web.BaseRequest) -> str | None:
    """The settle token of a request. Raises `Rejected` (malformed_request) for what is none."""
    values = request.headers.getall(SETTLE_TOKEN, ())
    if not values:
        return None
    if len(values) > 1 or not _TOKEN.fullmatch(values[0]):
        detail = f"{SETTLE_TOKEN} takes 16 to 128 letters, digits, - and _, once."
        raise refuse(Code.MALFORMED_REQUEST, detail)
    return values[0]


def token_sha256(token: str | None) -> str:
    """As it is kept; "" for none."""
    return "" if token is None else sha256(token.encode()).hexdigest()


def has_token(request: web.BaseRequest, record: JobRecord) -> bool:
    """Whether the decision has a token, and the request the same. Raises `Rejected` (malformed_request)."""
    sent = token_sha256(read_token(request))
    return bool(record.token_sha256) and hmac.compare_digest(record.token_sha256, sent)


def check_token(request: web.BaseRequest, record: JobRecord) -> None:
    """Raises `Rejected` (hold_not_found) for whoever may not end this decision: the caller whose key pays for it need
    not be the one who does the work, and could say that nothing came of it."""
    if record.token_sha256 and not has_token(request, record):
        detail = (
            f"This decision was made with a {SETTLE_TOKEN}; only with the same can it be settled, or anything else."
        )
        raise refuse(Code.HOLD_NOT_FOUND, detail)
