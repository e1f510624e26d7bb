"""Python's collector of cyclic garbage, told what a gateway is: much that lives for ever, or for one request only.

It does not decide about memory: nearly all of a request is freed by its reference counts, long before anybody collects.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_MAX: Final = 10_000
"""Objects between two looks at the young ones: some dozens of requests. Python's own 700 are one request or two."""

MIDDLE_AGED_MAX: Final = 50
"""Looks at the young between two looks at those that outlived one, and looks at these between two at all."""


def leave_in_peace() -> None:
    """Takes all that is there now, the catalog above all, out of every later look. Called when a start is done. It does
    not look first: hardly anything there is garbage, and to look takes an eighth of a start."""
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, MIDDLE_AGED_MAX, MIDDLE_AGED_MAX)


def free_what_was_left() -> None:
    """Called when a reload is done: frees what it has replaced, and leaves the rest in peace again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@contextmanager
def nothing_is_collected() -> Iterator[None]:
    """While modules are imported and a catalog is read nothing that is made is garbage, and to look for some, over all
    that is there, takes a third of the time. What was made is left in peace afterwards, too."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()
