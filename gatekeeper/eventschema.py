"""What follows from the types of `events`: the JSON Schema of the log, and which fields of a line are credits.

`docs/log-events.schema.json` is what it says.
"""

from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, WithJsonSchema

from gatekeeper.events import Event, GenerationFacts
from gatekeeper.teamevents import Figures


def _is_credits(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return any(isinstance(extra, WithJsonSchema) for extra in hint.__metadata__)
    return any(_is_credits(part) for part in get_args(hint))


def credit_fields(event_type: type) -> frozenset[str]:
    """The names of an event's fields that hold micro-credits."""
    hints = get_type_hints(event_type, include_extras=True)
    return frozenset(f.name for f in fields(event_type) if _is_credits(hints[f.name]))


CREDIT_FIELDS: dict[type, frozenset[str]] = {each: credit_fields(each) for each in (GenerationFacts, *get_args(Event))}


def figure_fields(event_type: type) -> tuple[str, ...]:
    """The names of an event's fields that hold numbers by name, amounts of credits among them."""
    hints = get_type_hints(event_type, include_extras=True)
    return tuple(f.name for f in fields(event_type) if hints[f.name] == Figures)


def has_facts(event_type: type) -> bool:
    """Whether the event is one of a generation, whose facts are spread out in its line."""
    return get_type_hints(event_type).get("facts") is GenerationFacts


def log_event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a log line: one branch an event, `facts` spread out as it is in the line."""
    branches = [_branch(each) for each in get_args(Event)]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gatekeeper log events",
        "oneOf": branches,
    }


def _branch(event_type: type) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "timestamp": {"type": "string", "format": "date-time"},
        "level": {"enum": ["debug", "info", "warning", "error"]},
    }
    hints = get_type_hints(event_type, include_extras=True)
    for each in fields(event_type):
        if hints[each.name] is GenerationFacts:
            inner = get_type_hints(GenerationFacts, include_extras=True)
            properties |= {f.name: _schema_of(inner[f.name]) for f in fields(GenerationFacts)}
        else:
            properties[each.name] = _schema_of(hints[each.name])
    return {
        "title": properties["event"]["const"],
        "description": (event_type.__doc__ or "").strip(),
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _schema_of(hint: Any) -> dict[str, Any]:
    schema: dict[str, Any] = TypeAdapter(hint).json_schema()
    schema.pop("title", None)
    schema.pop("default", None)
    return schema
