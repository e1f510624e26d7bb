"""What can only be seen across models and files: names that clash, offers made twice, replacements that lead nowhere.

Works on the names as they stand in the files, so that a model with a mistake elsewhere still counts for the others,
and every problem of every file comes out in one run. Values that are no names are the schema's to refuse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gatekeeper.core.spec import Status
from gatekeeper.yamlfile import DataPath, Problem, YamlFile


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in a file, with its place."""

    text: str
    file: YamlFile
    path: DataPath

    @property
    def place(self) -> str:
        return f"{self.file.path}:{self.file.line_of(self.path)}"

    def problem(self, what: str, mend: str) -> Problem:
        return self.file.problem(self.path, what, mend)


@dataclass(frozen=True, slots=True)
class _Offer:
    upstream_id: _Word
    provider: str
    status: object
    replacement: _Word | None
    operations: tuple[_Word, ...]


@dataclass(frozen=True, slots=True)
class _Model:
    id: _Word
    aliases: tuple[_Word, ...]
    offers: tuple[_Offer, ...]
    operations: tuple[_Word, ...]

    @property
    def retired(self) -> bool:
        """Nobody sells it any more. A model without offers is served by a native backend and lives."""
        return bool(self.offers) and all(offer.status == Status.RETIRED for offer in self.offers)

    @property
    def active(self) -> bool:
        """Somebody sells it, and will go on."""
        return any(offer.status == Status.ACTIVE for offer in self.offers)


def problems_across(files: Sequence[YamlFile]) -> list[Problem]:
    """Every problem between the models of these files."""
    models = [model for file in files for model in _models(file)]
    by_id = {model.id.text: model for model in models}
    return [
        *_name_clashes(models),
        *_double_offers(models),
        *(problem for model in models for problem in _operation_problems(model)),
        *(problem for model in models for problem in _replacement_problems(model, by_id)),
    ]


def _name_clashes(models: Sequence[_Model]) -> Iterator[Problem]:
    owners: dict[str, tuple[_Model, _Word]] = {}
    for model in models:
        for name in (model.id, *model.aliases):
            if name.text not in owners:
                owners[name.text] = (model, name)
                continue
            owner, first = owners[name.text]
            if owner is model and first is not model.id:
                continue
            role = "id" if first is owner.id else "alias"
            what = f"`{name.text}` is already the {role} of {owner.id.text} ({first.place})"
            yield name.problem(what, "Give each model its own ids and aliases.")


def _double_offers(models: Sequence[_Model]) -> Iterator[Problem]:
    first: dict[tuple[str, str], tuple[_Model, _Word]] = {}
    for model in models:
        for offer in model.offers:
            key = (offer.provider, offer.upstream_id.text)
            owner, word = first.setdefault(key, (model, offer.upstream_id))
            if word is not offer.upstream_id:
                what = f"`{key[1]}` at {key[0]} is already offered as {owner.id.text} ({word.place})"
                yield offer.upstream_id.problem(what, "One upstream id can stand for one model only: correct one.")


def _operation_problems(model: _Model) -> Iterator[Problem]:
    seen: dict[str, _Word] = {}
    for word in model.operations:
        first = seen.setdefault(word.text, word)
        if first.path[:4] != word.path[:4]:
            what = f"`{word.text}` is already in the capability on line {first.file.line_of(first.path)}"
            yield word.problem(what, "An operation belongs to one capability only: remove one.")
    for offer in model.offers:
        for word in offer.operations:
            if word.text not in seen:
                mend = f"Name some of: {', '.join(seen)}." if seen else "Remove it."
                yield word.problem(f"`{word.text}` is no operation of {model.id.text}", mend)


def _replacement_problems(model: _Model, by_id: dict[str, _Model]) -> Iterator[Problem]:
    for word in (offer.replacement for offer in model.offers):
        if word is None:
            continue
        replacement = by_id.get(word.text)
        if replacement is None:
            yield word.problem(f"`{word.text}` is no model of this catalog", "Name a model by its id, not by an alias.")
        elif replacement is model and not model.active:
            mend = "Name another model, or add an offer of it that is active."
            yield word.problem(f"{model.id.text} would replace itself", mend)
        elif replacement.retired:
            mend = "Name a model that is still offered."
            yield word.problem(f"`{word.text}` is itself retired at every provider", mend)


def _models(file: YamlFile) -> Iterator[_Model]:
    for path, raw in _mappings(file.data, ("models",)):
        name = _word(file, raw, path, "id")
        if name is not None:
            yield _Model(
                id=name,
                aliases=_words(file, raw, path, "aliases"),
                offers=tuple(_offers(file, raw, path)),
                operations=tuple(
                    word
                    for place, capability in _mappings({"capabilities": raw.get("capabilities")}, ("capabilities",))
                    for word in _words(file, capability, (*path, *place), "operations")
                ),
            )


def _offers(file: YamlFile, model: dict[str, Any], path: DataPath) -> Iterator[_Offer]:
    for place, raw in _mappings(model, ("offers",)):
        here = (*path, *place)
        upstream_id, provider = _word(file, raw, here, "upstream_id"), raw.get("provider")
        if upstream_id is not None and isinstance(provider, str):
            yield _Offer(
                upstream_id=upstream_id,
                provider=provider,
                status=raw.get("status"),
                replacement=_word(file, raw, here, "replacement"),
                operations=_words(file, raw, here, "operations"),
            )


def _mappings(data: Any, path: DataPath) -> Iterator[tuple[DataPath, dict[str, Any]]]:
    """The entries of the list under the path's key that are mappings."""
    entries = data.get(path[0]) if isinstance(data, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (*path, index), entry


def _word(file: YamlFile, raw: dict[str, Any], path: DataPath, key: str) -> _Word | None:
    value = raw.get(key)
    return _Word(value, file, (*path, key)) if isinstance(value, str) else None


def _words(file: YamlFile, raw: dict[str, Any], path: DataPath, key: str) -> tuple[_Word, ...]:
    values = raw.get(key)
    listed = enumerate(values) if isinstance(values, list) else ()
    return tuple(_Word(value, file, (*path, key, index)) for index, value in listed if isinstance(value, str))
