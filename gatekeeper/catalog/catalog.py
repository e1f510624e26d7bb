"""The catalog as the rest of the gateway asks it: which model is this, who offers it, what else could be meant.

Every question of a request is a dictionary read. A catalog never changes; a reload makes another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

from gatekeeper.core.spec import ModelSpec, Offer

SUGGESTIONS_MAX = 3
"""As many as fit into a sentence."""

LIKENESS_MIN = 0.6
"""Of the letters in order: one slip in a short name still passes, another word does not."""

NAME_LENGTH_MAX = 80
"""A longer name is no typing error, and comparing it would take its time."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models, in the order of the files. `digest` is the hash of all that was read."""

    models: tuple[ModelSpec, ...]
    digest: str
    _by_name: Mapping[str, ModelSpec] = field(repr=False, compare=False)
    _by_offer: Mapping[tuple[str, str], tuple[ModelSpec, Offer]] = field(repr=False, compare=False)
    _sold: Mapping[tuple[str, str], ModelSpec] = field(repr=False, compare=False)

    @classmethod
    def of(cls, models: Iterable[ModelSpec], digest: str) -> "Catalog":
        """A catalog of models whose names and offers do not clash."""
        models = tuple(models)
        by_name = {name: model for model in models for name in (model.id, *model.aliases)}
        by_offer = {(offer.provider, offer.upstream_id): (model, offer) for model in models for offer in model.offers}
        sold = {key: model.sold_as(offer) for key, (model, offer) in by_offer.items() if offer.has_defaults}
        return cls(models, digest, by_name, by_offer, sold)

    def find(self, name: str) -> ModelSpec | None:
        """The model with this id or alias."""
        return self._by_name.get(name)

    def find_upstream(self, upstream_id: str) -> ModelSpec | None:
        """The one model that providers sell under this id; None if there is none, or more than one."""
        found = {model.id: model for model in self.models for offer in model.offers if offer.upstream_id == upstream_id}
        return next(iter(found.values())) if len(found) == 1 else None

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
        return _nearest(name, {each: model.id for each, model in self._by_name.items()})

    def suggest_at(self, provider: str, name: str, patterns: Sequence[str] = ()) -> tuple[str, ...]:
        """The nearest names to one that means nothing at this provider, among those that can be used there: its own
        ids for what it still sells, and the catalog's ids if `patterns` allow them."""
        offers = self._by_offer.items()
        known = {own: model.id for (of, own), (model, offer) in offers if of == provider and not offer.is_retired}
        taken = {m.id: m.id for m in self.models if any(fnmatchcase(m.id, pattern) for pattern in patterns)}
        return _nearest(name, taken | known)


def _nearest(name: str, model_ids: Mapping[str, str]) -> tuple[str, ...]:
    """The names most like this one, nearest first, one for each model. `model_ids` are of the models, by name."""
    wanted = name.lower()
    if not wanted or len(wanted) > NAME_LENGTH_MAX:
        return ()
    known = {each.lower(): each for each in model_ids}
    close = get_close_matches(wanted, known, n=max(len(known), 1), cutoff=LIKENESS_MIN)
    of_models: dict[str, str] = {}
    for each in (*close, *(each for each in known if wanted in each)):
        of_models.setdefault(model_ids[known[each]], known[each])
    return tuple(of_models.values())[:SUGGESTIONS_MAX]
