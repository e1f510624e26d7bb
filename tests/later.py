"""Libraries that take long to import: each process of a run has all tests, and few of them need any of these."""

from importlib import import_module
from typing import Any


class Later:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # who collects tests asks everything in a file for some of these
            raise AttributeError(attribute)
        return getattr(import_module(self._name), attribute)
