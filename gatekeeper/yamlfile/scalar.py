"""What an unquoted word is by the rules of YAML 1.2, dates added: nothing, a truth, a number, a day, a time, or text.

`16:9` is text (YAML 1.1 made it 969) and so is `off`; decimals are exact. What is quoted never gets here.
"""

import re
from datetime import date, datetime
from decimal import Decimal

NUMBER_LENGTH_MAX = 40
"""No amount, count or time needs more digits, and turning millions of them into a number takes minutes."""

_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?([0-9]+))?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[-+]\d\d:\d\d)?\Z")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read_scalar(text: str) -> str | int | bool | Decimal | date | datetime | None:
    """An unquoted word by the rules of YAML 1.2, with dates. Raises `ValueError` with what is wrong with a number."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NOT_FINITE.match(text):
        raise ValueError(f"`{text}` is no finite number")
    exponent = _DECIMAL.match(text)
    if exponent or _BASED_INT.match(text):
        if len(text) > NUMBER_LENGTH_MAX or (exponent and len(exponent[1] or "") > 2):
            raise ValueError(f"`{text[:NUMBER_LENGTH_MAX]}` is too long for a number")
        if _INT.match(text):
            return int(text)
        return Decimal(text) if exponent else int(text, 0)
    if _DATE.match(text) or _TIME.match(text):
        return _read_time(text)
    return text


def _read_time(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if _DATE.match(text) else datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(f"`{text}` is no date in the calendar") from None
