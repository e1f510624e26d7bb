"""Remembers what was computed, for a bounded number of questions, so that the same question costs a look-up.

Nothing here knows what is remembered. A value must follow from its key alone, for nobody ever asks whether it still
holds.
"""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """At most `entries_max` values by their keys.

    In two halves: when the younger is full it becomes the elder, whose values are forgotten unless somebody asks for
    them meanwhile. So finding what is asked for often is one read of a dictionary, and nothing is moved about for it.
    """

    __slots__ = ("_elder", "_half", "_younger")

    def __init__(self, entries_max: int) -> None:
        self._half = max(entries_max // 2, 1)
        self._younger: dict[Key, Value] = {}
        self._elder: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._elder)

    def get(self, key: Key) -> Value | None:
        """What is remembered under this key."""
        found = self._younger.get(key)
        if found is None:
            found = self._elder.pop(key, None)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: Key, value: Value) -> Value:
        """Remembers the value, and gives it back."""
        if len(self._younger) >= self._half:
            self._elder, self._younger = self._younger, {}
        self._younger[key] = value
        return value
