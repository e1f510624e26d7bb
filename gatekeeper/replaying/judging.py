"""One request of a log line, judged by a catalog and a team's rules: the gateway's own admission, then the bank.

The provider that a line names is looked up in the settings; one that is not there is taken for what its line says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gatekeeper.catalog import Catalog
from gatekeeper.core.rejection import Rejected, Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.sizes import Pixels, read_size
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.records import Refusal, RefusalCode, Refused
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.proxy.admission import Admission, admit, names_at
from gatekeeper.proxy.gate import Provider
from gatekeeper.proxy.refusals import codes_of
from gatekeeper.proxy.telling import read_asked
from gatekeeper.replaying.bank import Bank, BankHold
from gatekeeper.settings import ProviderSettings
from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.credential import Credential

NATIVE = "native"
"""The dialect whose requests may go to whichever provider of it offers the model."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a request. `hold` None: it is refused, or nobody keeps the team's credits here."""

    admission: Admission | None
    hold: BankHold | None
    codes: tuple[str, ...] = ()
    about: str = ""


@dataclass(slots=True)
class Judge:
    """The new catalog, and who sells what."""

    catalog: Catalog
    stated: Mapping[str, ProviderSettings]
    _known: dict[tuple[str, str], Provider] = field(default_factory=dict)

    def judge(self, line: Mapping[str, Any], record: TeamRecord, bank: Bank | None) -> Verdict:
        """What would become of the request of this line now. Raises ValueError for a line that does not tell it."""
        candidates = self._candidates(line)
        asked = self._asked(line, candidates)
        try:
            project, phase = _word(line, "project"), _word(line, "phase")
            admission = admit(self.catalog, candidates, record, asked, project=project, phase=phase)
        except Rejected as refused:
            return Verdict(None, None, tuple(refused.rejection.codes), _about(refused.rejection))
        if bank is None:
            return Verdict(admission, None)
        who = {name: _word(line, name) or "" for name in ("project", "member", "key_id")}
        held = bank.hold(admission.quote.credits, **who)
        if isinstance(held, Refused):
            codes = codes_of(held.refusals)
            leading = next(each for each in held.refusals if each.code.value == codes[0].value)
            return Verdict(admission, None, tuple(codes), _limit_of(leading))
        return Verdict(admission, held)

    def _candidates(self, line: Mapping[str, Any]) -> tuple[Provider, ...]:
        name, dialect = line.get("provider"), str(line.get("dialect") or NATIVE)
        if isinstance(name, str) and name:
            return (self._provider(name, dialect),)
        named = [each for each, stated in self.stated.items() if stated.dialect == dialect]
        return tuple(self._provider(each, dialect) for each in named) or (self._provider(dialect, dialect),)

    def _provider(self, name: str, dialect: str) -> Provider:
        if (name, dialect) not in self._known:
            self._known[name, dialect] = _build(name, dialect, self.stated.get(name))
        return self._known[name, dialect]

    def _asked(self, line: Mapping[str, Any], candidates: tuple[Provider, ...]) -> GenerationRequest:
        told = line.get("asked")
        if isinstance(told, dict):
            return read_asked(told)
        return _from_facts(line, self.catalog, candidates)


def _build(name: str, dialect: str, stated: ProviderSettings | None) -> Provider:
    """Enough of a provider to be asked what it sells; it can send nothing."""
    spoken = stated.dialect if stated else dialect
    return Provider(
        name=name,
        dialect_name=spoken,
        dialect=DIALECTS.get(spoken) or DIALECTS[NATIVE],
        bases={"": ""},
        credential=Credential("none"),
        upstream=Upstream(),
        offers_of=(stated.offers_of if stated else None) or name,
        models=stated.models if stated else ("*",),
        default_model=stated.default_model if stated else None,
    )


def _from_facts(line: Mapping[str, Any], catalog: Catalog, candidates: tuple[Provider, ...]) -> GenerationRequest:
    """The request as far as the facts of its line tell it, for lines that have no more. A line of what was admitted
    names model and size in the catalog's own words."""
    told = {name: line.get(name) for name in ("model", "operation", "outputs", "audio")}
    seconds, size = line.get("duration_s"), line.get("size")
    tier, ratio = line.get("resolution"), line.get("aspect_ratio")
    is_said_twice = isinstance(size, str) and isinstance(read_size(size), Pixels) and bool(tier or ratio)
    asked = read_asked(
        {
            **{name: value for name, value in told.items() if value is not None},
            **({} if seconds is None else {"duration_s": str(seconds)}),
            **({} if size is None or is_said_twice else {"size": size}),
            **({} if tier is None else {"resolution": tier}),
            **({} if ratio is None else {"aspect_ratio": ratio}),
            "prompt": True,
        }
    )
    model = catalog.find(asked.model or "")
    if model is None or any(catalog.find_offer(p.offers_of, asked.model or "", p.models) for p in candidates):
        return asked
    names = (names_at(model, provider)[0] for provider in candidates)
    return replace(asked, model=next(names, asked.model))


def _word(line: Mapping[str, Any], name: str) -> str | None:
    found = line.get(name)
    return found if isinstance(found, str) and found else None


def _about(rejection: Rejection) -> str:
    """Which settings a rejection is about."""
    return ", ".join(dict.fromkeys(f"{each.field} {each.requested}" for each in rejection.violations))


def _limit_of(refusal: Refusal) -> str:
    """Which limit or cap it is."""
    return f"{refusal.scope} per {refusal.per}" if refusal.code is RefusalCode.LIMIT_EXCEEDED else refusal.per
