"""What must not be seen is in no representation: a traceback, a debugger or a careless line shows those."""

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr

import gatekeeper

SECRET = re.compile(r"(^|_)(secret|token|password|csrf|credential)s?$|^key$")
"""How fields with a secret are called."""

SHOWN = {
    "KeyEntry.secret": "names where the secret is",
    "ProviderSettings.credential": "names where it is",
    "ProviderSettings.webhook_secret": "names where it is",
    "CustomAnswer.tokens": "tokens that a model has counted",
    "Made.tokens": "tokens that a model has counted",
    "PutKey.key": "a key's record, which has its hash",
    "Traits.credential": "where a provider wants it",
    "Provider.credential": "shows nothing of its own secret",
    "Call.key": "a key of the store's",
    "Rules.key": "names a header",
    "_Open.key": "a key of a mapping",
    "Sighting.credential": "what the sandbox was sent; there is none that is worth anything",
    "_Counts.credentials": "as above",
}
"""Those that are called so and are none, each with what it is."""

IMPORTED_ALONE = "__main__"
"""Runs a command when it is imported."""


def classes() -> Iterator[type]:
    """Every class of the project."""
    for found in pkgutil.walk_packages(gatekeeper.__path__, "gatekeeper."):
        if not found.name.endswith(IMPORTED_ALONE):
            module = importlib.import_module(found.name)
            yield from (c for c in vars(module).values() if isinstance(c, type) and c.__module__ == found.name)


def shown(found: type) -> Iterator[str]:
    """Its fields that its representation has, and that are called like a secret."""
    names: list[str] = []
    if issubclass(found, BaseModel):
        names = [name for name, each in found.model_fields.items() if each.repr and SecretStr not in _types(each)]
    elif dataclasses.is_dataclass(found) and "__repr__" in vars(found):
        names = [each.name for each in dataclasses.fields(found) if each.repr]
    return (f"{found.__name__}.{name}" for name in names if SECRET.search(name))


def _types(field: object) -> tuple[object, ...]:
    annotation = getattr(field, "annotation", None)
    return (annotation, *getattr(annotation, "__args__", ()))


def test_no_representation_shows_a_secret() -> None:
    """Fields that are called like one are left out, or are named here with what they are."""
    found = {name for each in classes() for name in shown(each)}

    assert set(SHOWN) == found


def test_secrets_are_compared_in_constant_time(root: Path) -> None:
    """Tokens, marks of sessions and signatures; a key is found by its digest, and then compared so too."""
    modules = (
        "admin/plane.py",
        "console/login.py",
        "console/forms.py",
        "web/auth.py",
        "proxy/webhooks/keys.py",
        "proxy/webhooks/signatures.py",
    )
    sources = {name: (root / "gatekeeper" / name).read_text() for name in modules}
    plain = re.compile(
        r"(==|!=) *(self\.)?_?(token|secret|csrf|mac|signature|wanted)\b|\b(token|secret|csrf|mac|signature) *(==|!=)"
    )

    assert dict.fromkeys(modules, True) == {name: "compare_digest(" in text for name, text in sources.items()}
    assert {} == {name: found[0] for name, text in sources.items() if (found := plain.search(text))}
