"""The catalog as the rest of the gateway asks it: which model is this, who offers it, what else could be meant.

Every question of a request is a dictionary read. A catalog never changes; a reload makes another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from gatekeeper.catalog.naming import NAME_LENGTH_MAX, ModelNames
from gatekeeper.core.memo import Memo
from gatekeeper.core.spec import ModelSpec, Offer

SUGGESTIONS_REMEMBERED: Final = 512
"""Whoever writes a wrong name writes it in every request, and a name is short."""

NAMES_KEPT: Final = 64
"""The names of each provider at which somebody has written a wrong one: a few megabytes, of ten thousand."""


_Where = tuple[str, tuple[str, ...]]
"""A provider, and the patterns of the catalog's ids that it takes."""

_EVERYWHERE: Final[_Where] = ("", ())
"""No provider in particular: all ids and aliases."""


def _names_memo() -> Memo[_Where, ModelNames]:
    return Memo(NAMES_KEPT)


def _suggestions_memo() -> Memo[tuple[_Where, str], tuple[str, ...]]:
    return Memo(SUGGESTIONS_REMEMBERED)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models, in the order of the files. `digest` is the hash of all that was read."""

    models: tuple[ModelSpec, ...]
    digest: str
    _by_name: Mapping[str, ModelSpec] = field(repr=False, compare=False)
    _by_offer: Mapping[tuple[str, str], tuple[ModelSpec, Offer]] = field(repr=False, compare=False)
    _sold: Mapping[tuple[str, str], ModelSpec] = field(repr=False, compare=False)
    _by_upstream_id: Mapping[str, ModelSpec | None] = field(repr=False, compare=False)
    _names: Memo[_Where, ModelNames] = field(init=False, repr=False, compare=False, default_factory=_names_memo)
    _suggested: Memo[tuple[_Where, str], tuple[str, ...]] = field(
        init=False, repr=False, compare=False, default_factory=_suggestions_memo
    )

    @classmethod
    def of(cls, models: Iterable[ModelSpec], digest: str) -> "Catalog":
        """A catalog of models whose names and offers do not clash."""
        models = tuple(models)
        by_name = {name: model for model in models for name in (model.id, *model.aliases)}
        by_offer = {(offer.provider, offer.upstream_id): (model, offer) for model in models for offer in model.offers}
        sold = {key: model.sold_as(offer) for key, (model, offer) in by_offer.items() if offer.has_defaults}
        by_upstream_id: dict[str, ModelSpec | None] = {}
        for model, offer in by_offer.values():
            known = by_upstream_id.setdefault(offer.upstream_id, model)
            if known is not model:
                by_upstream_id[offer.upstream_id] = None
        return cls(models, digest, by_name, by_offer, sold, by_upstream_id)

    def find(self, name: str) -> ModelSpec | None:
        """The model with this id or alias."""
        return self._by_name.get(name)

    def find_upstream(self, upstream_id: str) -> ModelSpec | None:
        """The one model that providers sell under this id; None if there is none, or more than one."""
        return self._by_upstream_id.get(upstream_id)

    def offered(self, provider: str, upstream_id: str) -> tuple[ModelSpec, Offer] | None:
        """What a provider sells under its own id. The offer may be retired: that is for the caller to refuse."""
        return self._by_offer.get((provider, upstream_id))

    def find_offer(self, provider: str, name: str, patterns: Sequence[str] = ()) -> tuple[ModelSpec, Offer] | None:
        """What `name` means at a provider: its own id for a model, or the catalog's, if `patterns` allow that.

        `patterns` are shell patterns on model ids, as a provider that takes the catalog's ids has in its settings.
        """
        explicit = self.offered(provider, name)
        if explicit is not None:
            return explicit
        model = self.find(name)
        if model is None or not any(fnmatchcase(model.id, pattern) for pattern in patterns):
            return None
        return model, Offer(provider, name)

    def sold_as(self, model: ModelSpec, offer: Offer) -> ModelSpec:
        """The model with the defaults of one of its offers: the same value every time."""
        return self._sold[offer.provider, offer.upstream_id] if offer.has_defaults else model

    def suggest(self, name: str) -> tuple[str, ...]:
        """The nearest ids and aliases to a name that is none, nearest first, one for each model."""
        return self._suggest(_EVERYWHERE, name)

    def suggest_at(self, provider: str, name: str, patterns: Sequence[str] = ()) -> tuple[str, ...]:
        """The nearest names to one that means nothing at this provider, among those that can be used there: its own
        ids for what it still sells, and the catalog's ids if `patterns` allow them."""
        return self._suggest((provider, tuple(patterns)), name)

    def _suggest(self, where: _Where, name: str) -> tuple[str, ...]:
        if len(name) > NAME_LENGTH_MAX:
            return ()
        found = self._suggested.get((where, name))
        if found is None:
            names = self._names.get(where) or self._names.put(where, ModelNames(self._known_at(where)))
            found = self._suggested.put((where, name), names.nearest(name))
        return found

    def _known_at(self, where: _Where) -> Mapping[str, str]:
        """The names that can be used there, with the ids of their models."""
        if where == _EVERYWHERE:
            return {name: model.id for name, model in self._by_name.items()}
        provider, patterns = where
        offers = self._by_offer.items()
        known = {own: model.id for (of, own), (model, offer) in offers if of == provider and not offer.is_retired}
        return {m.id: m.id for m in self.models if any(fnmatchcase(m.id, pattern) for pattern in patterns)} | known
