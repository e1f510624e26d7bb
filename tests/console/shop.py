"""The shipped catalog and doors to every provider of it, for tests of what the console shows of them."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.console.calculator import calculate
from gatekeeper.console.snippets.fitting import Door
from gatekeeper.core.spec import ModelSpec
from gatekeeper.dialects.registry import DIALECTS

FILES = sorted((Path(__file__).parents[2] / "config" / "catalog").glob("*.yaml"))


@lru_cache(1)
def shipped() -> Catalog:
    """The catalog that comes with the project."""
    return load_catalog(FILES)


def model(name: str) -> ModelSpec:
    """A model of it."""
    found = shipped().find(name)
    assert found is not None, name
    return found


def doors() -> list[Door]:
    """Every dialect under its own name, the native one taking every model."""
    hosts = {"bfl": "bfl.localhost"}
    return [Door(name, name, dialect, name, ("*",), hosts.get(name)) for name, dialect in DIALECTS.items()]


def forms_of(of: ModelSpec) -> Iterator[dict[str, str]]:
    """Of each operation what is there before anything is chosen, the last value of each field, and all of these."""
    for operation in of.operations:
        plain = {"operation": operation.value}
        yield plain
        controls = [control for control in calculate(of, plain).controls if control.options]
        last = {control.name: control.options[-1].value for control in controls if control.name != "operation"}
        yield from ({**plain, name: value} for name, value in last.items())
        yield {**plain, **{name: value for name, value in last.items() if name != "size"}}
