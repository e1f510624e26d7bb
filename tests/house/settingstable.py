"""The reference of settings: what each takes from the models that read it, why it is there from the comments of
`config/gatekeeper.yaml`, which has every one of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gatekeeper.sections import EnvSecret, FileSecret, Section
from gatekeeper.settings import CUSTOM, ProviderSettings, Settings

ROOT: Final = Path(__file__).parents[2]

UNITS: Final = {"s": "seconds", "ms": "milliseconds", "mb": "MiB", "kb": "KiB"}
"""By the last word of a name."""

PROVIDER: Final = "openai"
"""The provider that the shipped file has: it stands for all."""

OF_THE_LOADER: Final = {"base_dir", "source"}

HEAD: Final = ["| setting, and its variable | takes | default | why |", "|---|---|---|---|"]

_LINE: Final = re.compile(r"^( *)(?:# )?([a-z_]+):(?: +(?!#)\S.*?)?(?: # (.*))?$")


def settings_reference() -> str:
    """Every setting, a table for each section."""
    reasons = _reasons((ROOT / "config" / "gatekeeper.yaml").read_text())
    parts = []
    single = {}
    for name, field in Settings.model_fields.items():
        if name in OF_THE_LOADER:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            parts.append(_table(name, (name,), field.annotation, reasons))
        elif name == "providers":
            parts.append(_table("providers.NAME", (name, PROVIDER), ProviderSettings, reasons))
        else:
            single[name] = field
    rows = [_row((name,), name, field, reasons) for name, field in single.items()]
    return "\n\n".join([*parts, "\n".join(["### At the top", "", *HEAD, *rows])])


def _table(title: str, path: tuple[str, ...], model: type[BaseModel], reasons: dict[tuple[str, ...], str]) -> str:
    rows = list(_rows(path, model, reasons, ""))
    intro = reasons.get(path, "")
    return "\n".join([f"### `{title}`", "", *([_sentence(intro), ""] if intro else []), *HEAD, *rows])


def _rows(
    path: tuple[str, ...], model: type[BaseModel], reasons: dict[tuple[str, ...], str], before: str
) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section) and name != CUSTOM:
            yield from _rows((*path, name), inner, reasons, f"{before}{name}.")
        else:
            yield _row((*path, name), f"{before}{name}", field, reasons)


def _row(path: tuple[str, ...], shown: str, field: FieldInfo, reasons: dict[tuple[str, ...], str]) -> str:
    unit = UNITS.get(path[-1].rpartition("_")[2]) if "_" in path[-1] else None
    variable = "__".join("NAME" if word == PROVIDER else word.upper() for word in path)
    why = reasons.get(path) or field.description or "likewise"
    kind = takes(field) if unit is None else f"{takes(field)}, in {unit}"
    cells = [f"`{shown}`<br>`GATEKEEPER_{variable}`", kind, _default(field), _sentence(why)]
    return f"| {' | '.join(cells)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be said"
    value = field.get_default(call_default_factory=True)
    match value:
        case None:
            return "off"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple() | dict():
            inside = ", ".join(map(str, value))
            return f"`{{{inside}}}`" if isinstance(value, dict) else f"`[{inside}]`"
        case _:
            return f"`{value}`"


def takes(field: FieldInfo) -> str:
    """What may be written, with its bounds."""
    return _takes(field.annotation, tuple(field.metadata))


def _takes(kind: Any, metadata: tuple[Any, ...]) -> str:
    for checked, said in {
        "_http_address": "http or https address",
        "_network": "address or network",
        "_own_host": "host name",
    }.items():
        if any(checked in repr(each) for each in metadata):
            return said
    inside = get_args(kind)
    match get_origin(kind):
        case origin if origin is Annotated:
            found = _takes(inside[0], (*metadata, *inside[1:]))
        case origin if origin in {Union, UnionType}:
            found = _union([each for each in inside if each is not NoneType], metadata)
        case origin if origin is Literal:
            found = ", ".join(f"`{word}`" for word in inside)
        case origin if origin is tuple:
            found = f"list, each {_with_article(_takes(inside[0], ()))}"
        case origin if origin is dict:
            found = f"mapping, each to a {_takes(inside[1], ())}"
        case _:
            found = _plain(kind, metadata)
    return found


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _union(kinds: list[Any], metadata: tuple[Any, ...]) -> str:
    if EnvSecret in kinds or FileSecret in kinds:
        return "`{env: NAME}`, `{file: path}`" + (" or `none`" if len(kinds) > 2 else "")
    return " or ".join(_takes(each, metadata) for each in kinds)


def _plain(kind: Any, metadata: tuple[Any, ...]) -> str:
    said = {name: getattr(each, name) for each in metadata for name in ("ge", "gt", "le") if hasattr(each, name)}
    bounds = [f"{word} {said[name]}" for name, word in (("ge", "from"), ("gt", "above"), ("le", "to")) if name in said]
    names = {
        int: "whole number", float: "number", bool: "`true` or `false`", str: "text", Path: "path",
        SecretStr: "secret",
    }  # fmt: skip
    if kind in names:
        return f"{names[kind]} {' '.join(bounds)}".rstrip()
    if kind.__name__ == "CredentialIn":
        return "`{bearer: WORD}`, `{header: NAME}` or `{query: NAME}`"
    assert kind.__name__ == "CustomSettings", f"nobody here knows how to say what {kind} takes"
    return "mapping: [custom](custom.md)"


def _sentence(text: str) -> str:
    """A comment as a page has it, its documents as links."""
    linked = re.sub(r"\bdocs/([\w-]+)\.md\b", _link, text)
    return linked.replace("<", "&lt;").replace("|", "\\|")


def _link(found: re.Match[str]) -> str:
    """A page that there is, as a link."""
    return f"[{found[1]}]({found[1]}.md)" if (ROOT / found[0]).exists() else found[0]


def _reasons(text: str) -> dict[tuple[str, ...], str]:
    """The comment beside and above each key, by the path of the key. A key in a comment is a setting that is off."""
    found: dict[tuple[str, ...], str] = {}
    above: list[str] = []
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        if not line.strip():
            above = []
            continue
        match = _LINE.match(line)
        if match is None or (line.lstrip().startswith("#") and not _is_setting(match, stack)):
            said = line.strip().removeprefix("#")
            above += [] if said.startswith("   ") else [said.strip()]
            continue
        indent = len(match[1])
        stack = [*(each for each in stack if each[0] < indent), (indent, match[2])]
        found[tuple(name for _, name in stack)] = "; ".join(filter(None, [" ".join(above), match[3]]))
        above = []
    return found


def _is_setting(match: re.Match[str], stack: list[tuple[int, str]]) -> bool:
    """Whether a comment that looks like a key is one."""
    path = [name for depth, name in stack if depth < len(match[1])]
    model: Any = Settings
    for name in path:
        if model is Settings and name == "providers":
            model = {PROVIDER: ProviderSettings}
        elif isinstance(model, dict):
            model = model.get(name)
        else:
            model = model.model_fields[name].annotation
        if model is None:
            return False
    return not isinstance(model, dict) and match[2] in getattr(model, "model_fields", {})
