"""`Content-Type`, read so strictly that nobody can read it another way.

Which parser a provider picks depends on this header. A body that is JSON to us and a form to the provider could ask
one thing here and another there, so a type that is not plainly the one expected is refused.
"""

import re
from typing import Final

JSON: Final = "application/json"
"""How nearly all requests and answers say it."""

HEADER_LENGTH_MAX = 300
"""A type with a boundary of the largest allowed length is half as long."""

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 -- a grammar's token
_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*")
_PARAMETER = re.compile(rf';[ \t]*({_TOKEN})=("[^"\\\x00-\x1f\x7f]*"|[^\s;,"\\]+)[ \t]*')


def read_content_type(value: str) -> tuple[str, dict[str, str]] | None:
    """The type in lower case and its parameters, or None for what is not well formed or names a parameter twice."""
    if len(value) > HEADER_LENGTH_MAX or (start := _TYPE.match(value)) is None:
        return None
    at, parameters = start.end(), dict[str, str]()
    while (parameter := _PARAMETER.match(value, at)) is not None:
        name = parameter[1].lower()
        if name in parameters:
            return None
        parameters[name] = parameter[2].strip('"')
        at = parameter.end()
    return (start[1].lower(), parameters) if at == len(value) else None


def is_json(value: str) -> bool:
    """Plain `application/json`, in UTF-8 if it says an encoding at all."""
    if value == JSON:
        return True
    match read_content_type(value):
        case ("application/json", parameters):
            return all(name == "charset" and text.lower() == "utf-8" for name, text in parameters.items())
        case _:
            return False


def is_event_stream(value: str) -> bool:
    """An answer of server-sent events. Lenient: this is the provider's word, and it decides only how to read."""
    return value.strip().lower().startswith("text/event-stream")
