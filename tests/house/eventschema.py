"""The schema of a log line, made from the event types."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from gatekeeper.events import Event, GenerationFacts


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
        if each.name == "facts":
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
