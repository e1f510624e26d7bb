"""What is known of a job from its submission on: enough to ask for its end, to price it, to book it and to tell of it.

It lies with the hold in the store as one small JSON text, so any process can end what another began. Prices are not in
it, only the request and the name of the price list they came from.
"""

from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from sys import intern
from typing import Any, Final

import orjson

from gatekeeper.core.outcome import Cost
from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.base import JobLink
from gatekeeper.events import GenerationFacts
from gatekeeper.ledger.records import HoldContext

RECORD_BYTES_MAX: Final = 16 * 1024
"""As much as the store keeps of a job; with the longest names and addresses a record still fits."""

DECISIONS: Final = "decisions"
"""In the provider's place: the caller does the work itself, and says how it ended. No provider can have this name."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Where the caller wants to be told, and the secret it gave to sign that with, if it gave one."""

    url: str = field(repr=False)  # whoever has it may call there, as often
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A submitted job. `facts` are those of its request, with its hold's id; amounts are micro-credits. `cost` is what
    the provider said at its submission, if it said so then. `token_sha256`: only who has this token may end it.
    `traceparent` names the span of its request, where that was traced (W3C Trace Context)."""

    provider: str
    link: JobLink
    valid: ValidRequest
    price_list: str
    held: int
    facts: GenerationFacts
    context: HoldContext
    submitted_at_ms: int
    deadline_s: int
    hook: Hook | None = None
    cost: Cost | None = None
    token_sha256: str = ""
    traceparent: str = ""

    @property
    def team(self) -> str:
        return self.facts.team or ""

    @property
    def is_decision(self) -> bool:
        """Nobody can be asked how it ended."""
        return self.provider == DECISIONS

    @property
    def hold_id(self) -> str:
        return self.facts.hold_id or ""


def record_text(record: JobRecord) -> str:
    """The record as the store keeps it: what is empty is left out, exact numbers are texts.

    One that would be too long goes without the addresses in it: a caller who is not called back can poll, but a job
    that the store refuses may be nobody's.
    """
    text = _text(record)
    if len(text.encode()) <= RECORD_BYTES_MAX:
        return text
    return _text(replace(record, hook=None, link=replace(record.link, poll_url=None)))


def _text(record: JobRecord) -> str:
    document = {
        "provider": record.provider,
        "link": _filled(asdict(record.link)),
        "valid": _filled(asdict(record.valid)),
        "price_list": record.price_list,
        "held": record.held,
        "facts": _filled(asdict(record.facts)),
        "context": _filled(asdict(record.context)),
        "submitted_at_ms": record.submitted_at_ms,
        "deadline_s": record.deadline_s,
        "hook": None if record.hook is None else asdict(record.hook),
        "cost": None if record.cost is None else asdict(record.cost),
        **({"token_sha256": record.token_sha256} if record.token_sha256 else {}),
        **({"traceparent": record.traceparent} if record.traceparent else {}),
    }
    return orjson.dumps(document, default=_plain).decode()


def read_record(text: str) -> JobRecord:
    """The record behind a text that `record_text` wrote. Raises ValueError for any other."""
    try:
        return _read(orjson.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no record of a job: {type(error).__name__}") from None


def _read(document: dict[str, Any]) -> JobRecord:
    hook, cost = document["hook"], document["cost"]
    return JobRecord(
        provider=intern(document["provider"]),
        link=JobLink(**document["link"]),
        valid=_read_valid(document["valid"]),
        price_list=intern(document["price_list"]),
        held=document["held"],
        facts=GenerationFacts(**_shared(document["facts"])),
        context=HoldContext(**_shared(document["context"])),
        submitted_at_ms=document["submitted_at_ms"],
        deadline_s=document["deadline_s"],
        hook=None if hook is None else Hook(**hook),
        cost=None if cost is None else Cost(Fraction(cost["amount"]), cost["unit"]),
        token_sha256=document.get("token_sha256", ""),
        traceparent=document.get("traceparent", ""),
    )


def _read_valid(values: dict[str, Any]) -> ValidRequest:
    read: dict[str, Any] = {**_shared(values), "operation": Operation(values["operation"])}
    for name in ("size", "input_pixels"):
        if name in read:
            read[name] = Pixels(**read[name])
    for name in ("duration_s", "scale"):
        if name in read:
            read[name] = Fraction(read[name])
    read["resolutions_possible"] = tuple(read.get("resolutions_possible", ()))
    read["durations_possible"] = tuple(Fraction(text) for text in read.get("durations_possible", ()))
    read["defaulted"] = frozenset(read.get("defaulted", ()))
    return ValidRequest(**read)


def _shared(values: dict[str, Any]) -> dict[str, Any]:
    """With each short text as the one that other records have too: most say the same of team, model and size."""
    return {name: intern(value) if type(value) is str else value for name, value in values.items()}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is at its default in every record: nothing, or an empty list of it."""
    return {name: value for name, value in values.items() if value not in (None, (), frozenset())}


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError
