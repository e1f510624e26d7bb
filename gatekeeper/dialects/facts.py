"""The facts of a rejection as JSON, the same in every dialect, and as a sentence for SDKs that show nothing else.

Names are the published ones. Credits are written as exact decimals: a binary float never touches them.
"""

from collections.abc import Mapping

import orjson

from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import (
    PER_MINUTE,
    Alternative,
    CreditFacts,
    EarlierFacts,
    LimitFacts,
    Rejection,
    Violation,
    number_text,
)

ALLOWED_SHOWN_MAX = 100
"""So many allowed values are put into a sentence; the list beside it is whole."""

Facts = dict[str, object]


def credits_number(amount_microcredits: int) -> orjson.Fragment:
    """An amount as a JSON number, exact to the last of its six decimals."""
    return orjson.Fragment(credits_text(amount_microcredits))


def rejection_facts(rejection: Rejection, request_id: str) -> Facts:
    """Everything there is to know about a refusal, ready for `orjson.dumps`.

    `codes` is there only when several limits refused at once; those of violations stand in the violations.
    """
    facts: Facts = {
        "code": rejection.code.value,
        "request_id": request_id,
        "retryable": rejection.retryable,
        "violations": [violation_facts(each) for each in rejection.violations],
        "alternatives": [alternative_facts(each) for each in rejection.alternatives],
    }
    if rejection.other_codes:
        facts["codes"] = [code.value for code in rejection.codes]
    if rejection.credits is not None:
        facts["credits"] = credit_facts(rejection.credits)
    if rejection.earlier is not None:
        facts["earlier"] = earlier_facts(rejection.earlier)
    return facts


def violation_facts(violation: Violation) -> Facts:
    return {
        "code": violation.code.value,
        "field": writable(violation.field),
        "requested": writable(violation.requested),
        "supported": [writable(value) for value in violation.supported],
        "nearest": None if violation.nearest is None else writable(violation.nearest),
    }


def alternative_facts(alternative: Alternative) -> Facts:
    """Only what the alternative settles; its price always."""
    settled: Facts = {
        "resolution": alternative.resolution,
        "aspect_ratio": alternative.aspect_ratio,
        "size": alternative.size,
        "scale": alternative.scale,
        "outputs": alternative.outputs,
        "duration_s": None if alternative.duration_s is None else orjson.Fragment(number_text(alternative.duration_s)),
        "audio": alternative.audio,
        "quality": alternative.quality,
    }
    found: Facts = {name: value for name, value in settled.items() if value is not None}
    return found | {"credits": credits_number(alternative.credits)}


def credit_facts(credit: CreditFacts) -> Facts:
    return {
        "required": credits_number(credit.required),
        "available": credits_number(credit.available),
        "held": credits_number(credit.held),
        "limits": [limit_facts(limit) for limit in credit.limits],
        "fits_after_release": credit.fits_after_release,
    }


def limit_facts(limit: LimitFacts) -> Facts:
    """Credits, or whole requests where it is requests that are counted."""
    number = int if limit.per == PER_MINUTE else credits_number
    return {
        "scope": limit.scope,
        "per": limit.per,
        "limit": number(limit.limit),
        "used": number(limit.used),
        "held": number(limit.held),
        "resets_at": limit.resets_at,
    }


def earlier_facts(earlier: EarlierFacts) -> Facts:
    charged = None if earlier.charged is None else credits_number(earlier.charged)
    return {"hold_id": earlier.hold_id, "credits_charged": charged}


def explain(rejection: Rejection, names: Mapping[str, str] | None = None) -> str:
    """The detail and, for every violation whose allowed set it does not spell out, a sentence that does.

    Most SDKs show their user the message and nothing else, so what is allowed must be in it. `names` maps our field
    names to the dialect's own.
    """
    detail = writable(rejection.detail)
    unsaid = (each for each in rejection.violations if not _is_said(each, detail))
    return " ".join(filter(None, (detail, *(_sentence(violation, names or {}) for violation in unsaid))))


def _is_said(violation: Violation, detail: str) -> bool:
    """Whether the detail spells out the allowed set, or for a setting with none names the field."""
    words = ", ".join(violation.supported) or violation.field
    at = detail.find(words)
    while at >= 0:
        end = at + len(words)
        begins = at == 0 or not _goes_on(detail[at - 1], ":.")
        if begins and not _goes_on(detail[end : end + 1], ":") and not _is_decimal(detail, end):
            return True
        at = detail.find(words, at + 1)
    return False


def _goes_on(character: str, beside: str) -> bool:
    """Whether a word goes on with this character, so that what stands beside it is a part of that word only."""
    return character.isalnum() or character == "_" or (character != "" and character in beside)


def _is_decimal(text: str, at: int) -> bool:
    """Whether a point with a digit stands there."""
    return text[at : at + 1] == "." and text[at + 1 : at + 2].isdecimal()


def _sentence(violation: Violation, names: Mapping[str, str]) -> str:
    said = f"{names.get(violation.field, violation.field)} {violation.requested} is not supported"
    if not violation.supported:
        return writable(f"{said}.")
    allowed = ", ".join(violation.supported[:ALLOWED_SHOWN_MAX])
    more = len(violation.supported) - ALLOWED_SHOWN_MAX
    rest = f" and {more} more" if more > 0 else ""
    nearest = f" Nearest: {violation.nearest}." if violation.nearest else ""
    return writable(f"{said}; allowed: {allowed}{rest}.{nearest}")


def rejection_headers(rejection: Rejection, content_type: str) -> tuple[tuple[str, str], ...]:
    """The headers of every refusal, whatever its dialect."""
    headers = [("Content-Type", content_type), ("Gatekeeper-Rejection", rejection.code.value)]
    if rejection.retry_after_s is not None:
        headers.append(("Retry-After", str(rejection.retry_after_s)))
    return tuple(headers)


def sdk_headers(rejection: Rejection, request_id: str) -> tuple[tuple[str, str], ...]:
    """Those of a JSON refusal for SDKs of OpenAI's make: whether to send again by itself, and the request's name."""
    return (
        *rejection_headers(rejection, "application/json"),
        ("x-should-retry", "true" if rejection.retryable else "false"),
        ("x-request-id", request_id),
    )


def writable(text: str) -> str:
    """The text without lone surrogates, which JSON escapes can smuggle in and UTF-8 cannot write."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
