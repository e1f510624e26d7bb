"""A refusal as people read it: what was asked, what is allowed, and whose turn it is. Pure.

Of what a caller wrote only that is shown which its log line has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatekeeper.console.words import credits_shown
from gatekeeper.core.rejection import FACTS, PER_MINUTE, Alternative, Code, Fault, LimitFacts, Violation, number_text
from gatekeeper.events import GenerationShadowed
from gatekeeper.recent import Refusal

WHOSE: Final = {
    Fault.CALLER: "the caller's",
    Fault.TEAM: "the team's",
    Fault.PROVIDER: "the provider's",
    Fault.GATEWAY: "the gateway's",
}
"""Who can mend it."""

NOT_SHOWN: Final = frozenset({"model", "prompt", "provider_model", "operation"})
"""What of the asked has its own place, or is only there or not."""

FILTER_CHARS_MAX: Final = 128
"""As long as any name."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a model takes in place of one setting; `values` empty: it has no such setting."""

    field: str
    requested: str
    values: tuple[str, ...]
    nearest: str | None


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """A line of the page."""

    number: int
    at_ms: int
    request_id: str
    team: str
    who: str
    model: str
    code: str
    title: str
    whose: str
    status: int
    more_codes: tuple[str, ...]
    asked: tuple[str, ...]
    allowed: tuple[Allowed, ...]
    money: str
    limits: tuple[str, ...]
    instead: tuple[str, ...]
    let_by: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which refusals: empty takes all. A team or a model may be a part of its name."""

    code: str = ""
    team: str = ""
    model: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filter":
        """As the address says it."""
        return cls(*(query.get(name, "").strip()[:FILTER_CHARS_MAX] for name in ("code", "team", "model")))

    def takes(self, refusal: Refusal) -> bool:
        """Whether it is one of those."""
        event = refusal.event
        names = (self.team, event.facts.team), (self.model, event.facts.model)
        has = self.code in {"", *event.codes}
        return has and all(wanted.lower() in (name or "").lower() for wanted, name in names)


def line_of(refusal: Refusal) -> RefusalLine:
    """The line of a refusal."""
    event, facts = refusal.event, refusal.event.facts
    code = Code(event.code)
    return RefusalLine(
        number=refusal.number,
        at_ms=refusal.at_ms,
        request_id=facts.request_id,
        team=facts.team or "",
        who=", ".join(dict.fromkeys(filter(None, (facts.project, facts.member, facts.key_id, facts.phase)))),
        model=facts.model or "",
        code=code.value,
        title=FACTS[code].title,
        whose=WHOSE[FACTS[code].fault],
        status=event.status,
        more_codes=tuple(each for each in event.codes if each != code),
        asked=_asked(event.asked or {}),
        allowed=tuple(map(_allowed, refusal.violations)),
        money=_money(event.credits_required, event.credits_available),
        limits=tuple(map(_limit, refusal.limits)),
        instead=tuple(map(_instead, refusal.alternatives)),
        let_by=isinstance(event, GenerationShadowed),
    )


def _asked(asked: Mapping[str, Any]) -> tuple[str, ...]:
    shown = {name: value for name, value in asked.items() if name not in NOT_SHOWN and value is not None}
    return tuple(_setting(*each) for each in shown.items())


def _setting(name: str, value: Any) -> str:
    """A setting in a few words: resolution 2K, duration 5 s, no audio."""
    word, unit = name.removesuffix("_s").replace("_", " "), " s" if name.endswith("_s") else ""
    if isinstance(value, bool):
        return word if value else f"no {word}"
    return f"{word} {value}{unit}"


def _allowed(violation: Violation) -> Allowed:
    field = violation.field.removesuffix("_s").replace("_", " ")
    return Allowed(field, violation.requested, violation.supported, violation.nearest)


def _money(required: int | None, available: int | None) -> str:
    if required is None:
        return ""
    has = "" if available is None else f"; {credits_shown(available)} available"
    return f"{credits_shown(required)} cr needed{has}"


def _limit(limit: LimitFacts) -> str:
    shown = str if limit.per == PER_MINUTE else credits_shown
    held = f" + {shown(limit.held)} held" if limit.held else ""
    return f"{limit.scope} per {limit.per}: {shown(limit.used)}{held} of {shown(limit.limit)}"


def _instead(other: Alternative) -> str:
    """A request that would be accepted, and its price."""
    words = [
        other.resolution, other.aspect_ratio, other.size, other.scale, other.quality,
        None if other.duration_s is None else f"{number_text(other.duration_s)} s",
        None if other.outputs is None else f"{other.outputs} {'output' if other.outputs == 1 else 'outputs'}",
        None if other.audio is None else "with sound" if other.audio else "without sound",
    ]  # fmt: skip
    return f"{', '.join(word for word in words if word)} for {credits_shown(other.credits)}\u202fcr"
