"""Which option or argument of a command a field of the admin API was typed as: a mistake is told in its words.

Nothing is decided here; a field that the command line has no word for keeps its own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from gatekeeper.admin.problems import Violation

_TYPED_AS: dict[str, tuple[str, ...]] = {
    "alert_url": ("url",),
    "allow": ("allow",),
    "cursor": ("cursor",),
    "credits": ("amount",),
    "deny": ("deny",),
    "expires_at": ("expires",),
    "from": ("first",),
    "high_in_final_only": ("final_only",),
    "high_resolutions": ("high",),
    "hold_id": ("hold",),
    "id": ("key", "grant", "allowance", "project", "refund_id", "transfer_id", "team"),
    "lasts_periods": ("lasts",),
    "overlap_s": ("overlap",),
    "parts": ("part",),
    "raised_to": ("amount",),
    "raised_until": ("until",),
    "scopes": ("scope",),
    "seq": ("entry",),
    "thresholds": ("threshold",),
    "to": ("to", "last"),
}
"""For each field that is called otherwise there, the parameter that says it; the first that the command has."""

_NO_WORDS = ("expires_at", "hold_id", "overlap_s", "raised_until", "seq")
"""Fields whose names are no words of a sentence, so that one which has them can only mean the fields."""

_FRACTION = re.compile(r"(?<=:\d\d)\.\d{3}Z")


def as_typed(violation: Violation, command: Callable[..., None], said: Mapping[str, Any]) -> str:
    """The violation in a line: the option, what was typed if that does not say it, what is wrong, how to mend it."""
    parameters = _words(command)
    name = next((name for name in _candidates(violation.field) if name in parameters), None)
    detail = _FRACTION.sub("Z", violation.detail)
    where = violation.field if name is None else parameters[name]
    value = said.get(name) if name is not None else None
    typed = f" {value}" if isinstance(value, str) and value and value not in detail else ""
    return in_options(f"{where}{typed}: {detail}. {violation.mend}".rstrip(), command)


def in_options(text: str, command: Callable[..., None]) -> str:
    """A text of the API's with the options of the command in place of its fields."""
    parameters = _words(command)
    for field in _NO_WORDS:
        name = next((name for name in _TYPED_AS.get(field, ()) if name in parameters), None)
        text = text if name is None else re.sub(rf"\b{field}\b", parameters[name], text)
    return text.replace("`running`", parameters.get("running", "`running`"))


def _candidates(field: str) -> list[str]:
    """Names of parameters that may have said it: of the innermost word of the field first, and without list places."""
    words = [word for word in reversed(field.split(".")) if not word.isdecimal()]
    return [name for word in words for name in _TYPED_AS.get(word, (word,))]


def _words(command: Callable[..., None]) -> dict[str, str]:
    """For each parameter of a command, how it is written on the command line."""
    found = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        for info in getattr(hint, "__metadata__", ()):
            if isinstance(info, OptionInfo):
                found[name] = next(iter(info.param_decls or ()), f"--{name.replace('_', '-')}").split("/")[0]
            elif isinstance(info, ArgumentInfo):
                found[name] = info.metavar or name.upper()
    return found
