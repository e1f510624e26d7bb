"""JSON Pointers (RFC 6901): from their text to their tokens, and to what they lead to in a value."""

from typing import cast

Pointer = tuple[str, ...]
"""A pointer's tokens, unescaped."""


def read_pointer(text: str) -> Pointer:
    """The tokens of a pointer. Raises ValueError in words for what is none, and for the one to a whole document."""
    if not text.startswith("/"):
        raise ValueError("a JSON Pointer begins with a slash")
    tokens = text[1:].split("/")
    if any("~" in token.replace("~0", "").replace("~1", "") for token in tokens):
        raise ValueError("in a JSON Pointer ~ is written as ~0, and / within a name as ~1")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def look_up(value: object, pointer: Pointer) -> object:
    """What the pointer leads to, None if it leads nowhere."""
    for token in pointer:
        if isinstance(value, dict):
            value = cast("dict[str, object]", value).get(token)
        elif isinstance(value, list) and token.isascii() and token.isdecimal() and int(token[:9]) < len(value):
            value = cast("list[object]", value)[int(token[:9])]
        else:
            return None
    return value
