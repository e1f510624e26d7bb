"""What pydantic found wrong with a file, in the file's own terms: line, place, what is wrong, how to mend it.

Schemas say their own mistakes with `mistake` (one, at the field) or `raise_mistakes` (several, each at its place);
everything else pydantic says is put into plain words here. Values of secret fields are never quoted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from gatekeeper.yamlfile.data import DataPath, YamlFile
from gatekeeper.yamlfile.problem import Problem

SHOWN_LENGTH_MAX = 60
"""A longer value is cut in a message: the line number finds the rest."""

KEYS_SHOWN_MAX = 24
"""More known keys than this would hide the message in their list."""

_SECRET_WORDS = ("secret", "credential", "token", "password", "api_key")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong at a place below the field that is being validated."""

    path: DataPath
    what: str
    mend: str


def mistake(what: str, mend: str) -> PydanticCustomError:
    """An error for a validator to raise: what is wrong (no full stop), and a sentence on how to mend it."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "mend": mend})


def raise_mistakes(mistakes: Sequence[Mistake]) -> None:
    """Raises all of them at once from within a validator, each at its own place; nothing if there are none."""
    if mistakes:
        details = [InitErrorDetails(type=mistake(m.what, m.mend), loc=m.path, input=None) for m in mistakes]
        raise ValidationError.from_exception_data("mistakes", details)


def problems_of(
    error: ValidationError,
    file: YamlFile,
    prefix: DataPath = (),
    model: type[BaseModel] | None = None,
) -> list[Problem]:
    """The problems in the order of their lines. `prefix` is where the validated data sits in the file; with the
    `model` that was validated, an unknown key is answered with the nearest known one."""
    if file.data is None:
        return [file.problem((), "has nothing in it", "Fill it, or take it off the list that names it.")]
    found = [_problem(details, file, prefix, model) for details in error.errors(include_url=False)]
    return sorted(dict.fromkeys(found), key=lambda problem: problem.line)


def _problem(details: ErrorDetails, file: YamlFile, prefix: DataPath, model: type[BaseModel] | None) -> Problem:
    location = details["loc"]
    path = file.known_part((*prefix, *location))
    line, what, mend = file.line_of(path), *words_of(details, secret=_is_secret(location))
    match details["type"]:
        case "missing":
            path = (*path, location[-1])
        case "union_tag_not_found" | "union_tag_invalid":
            path = (*path, _discriminator(details))
            line = file.line_of(path)
        case "extra_forbidden":
            path = path[:-1]
            what = f"unknown key `{location[-1]}`"
            mend = nearest_key(str(location[-1]), known_keys(model, location[:-1]) if model else ())
    return Problem(str(file.path), line, file.where(path), what, mend)


def _is_secret(location: DataPath) -> bool:
    return any(word in str(part).lower() for part in location for word in _SECRET_WORDS)


def _discriminator(details: ErrorDetails) -> str:
    """The key that tells the kinds of a value apart; pydantic quotes it."""
    return str(details["ctx"]["discriminator"]).strip("'")


def words_of(details: ErrorDetails, *, secret: bool = False) -> tuple[str, str]:
    """What is wrong and how to mend it, for each kind of finding; the value of a secret is not shown."""
    context: Mapping[str, Any] = details.get("ctx", {})
    kind, value = details["type"], details["input"]
    shown = "this value" if secret else _shown(value)
    if kind == "mistake":
        words = context["what"], context["mend"]
    elif kind in {"missing", "union_tag_not_found"}:
        words = "is missing", "Add it."
    elif kind in {"literal_error", "enum", "union_tag_invalid"}:
        word = context.get("tag", value)
        words = f"{'this value' if secret else _shown(word)} is not known here", _nearest_word(word, _expected(context))
    elif kind in _TYPES_WANTED:
        wanted, mend = _TYPES_WANTED[kind]
        words = f"{shown} is not {wanted}", mend
    elif kind in _BOUND_WORDS:
        words = f"{shown} is out of bounds", f"It must be {_BOUND_WORDS[kind]} {next(iter(context.values()))}."
    elif kind in {"too_short", "string_too_short"}:
        words = "is empty", "Give at least one."
    else:
        words = f"{shown}: {details['msg'][:1].lower()}{details['msg'][1:]}", "Correct the value."
    return words


def _expected(context: Mapping[str, Any]) -> list[str]:
    """The allowed words, which pydantic lists as `'a', 'b' or 'c'`."""
    listed = str(context.get("expected") or context.get("expected_tags"))
    return listed.replace("'", "").replace(" or ", ", ").split(", ")


_MAPPING = ("a mapping of keys and values", "Write its keys indented below it, each with its value.")
_LIST = ("a list", "Write it like [one, two], or one `- entry` a line.")
_WHOLE = ("a whole number", "Write digits only, without quotes.")
_NUMBER = ("a number", "Write it like 73.5, without quotes.")
_TRUTH = ("true or false", "Write true or false, without quotes.")
_DAY = ("a date", "Write it like 2026-11-01, without quotes.")
_MOMENT = ("a time with its zone", "Write it like 2026-11-01T00:00:00Z, without quotes.")

_TYPES_WANTED = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), _MAPPING),
    **dict.fromkeys(("list_type", "tuple_type"), _LIST),
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), _WHOLE),
    **dict.fromkeys(("float_type", "decimal_type", "decimal_parsing"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), _DAY),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "timezone_aware"), _MOMENT),
    "string_type": ("text", "Put it in quotes."),
}
"""What pydantic's kinds of type error want instead, and how to write it."""

_BOUND_WORDS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
    "string_too_long": "no longer than",
    "too_long": "a list no longer than",
}


def _shown(value: object) -> str:
    """A value as the file has it, short. Mappings and lists are named, not quoted."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            text = str(value)
            return f"`{text[:SHOWN_LENGTH_MAX]}{'...' if len(text) > SHOWN_LENGTH_MAX else ''}`"


def _nearest_word(value: object, allowed: Sequence[str]) -> str:
    near = get_close_matches(str(value), allowed, n=1)
    return f"Did you mean `{near[0]}`?" if near else f"It can be: {', '.join(allowed)}."


def nearest_key(key: str, known: Sequence[str]) -> str:
    """What somebody may have meant who wrote a key that is not known."""
    near = get_close_matches(key, known, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"Known here: {', '.join(known)}." if 0 < len(known) <= KEYS_SHOWN_MAX else "Remove it."


def known_keys(annotation: Any, location: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that a schema knows at a location, in its own order."""
    return tuple(dict.fromkeys(_keys(annotation, tuple(location))))


def _keys(annotation: Any, location: DataPath) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _keys(arguments[0], location)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _model_keys(annotation, location)
    elif origin in {dict, Mapping}:
        yield from _keys(arguments[1], location[1:])
    elif origin in {Union, UnionType}:
        tagged = [a for a in arguments if location and _has_tag(a, location[0])]
        for argument in tagged or arguments:
            yield from _keys(argument, location[1:] if tagged else location)
    elif arguments:
        yield from _keys(arguments[0], location[1:])


def _has_tag(annotation: Any, tag: str | int) -> bool:
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return False
    literals = (f.annotation for f in annotation.model_fields.values() if get_origin(f.annotation) is Literal)
    return any(tag in get_args(literal) for literal in literals)


def _model_keys(model: type[BaseModel], location: DataPath) -> Iterator[str]:
    if not location:
        yield from (f.alias or name for name, f in model.model_fields.items())
        return
    for name, field_info in model.model_fields.items():
        if location[0] in {name, field_info.alias}:
            yield from _keys(field_info.annotation, location[1:])
