"""Many cases of one fact in one test: a loop that says which of them failed.

A case that takes microseconds costs a hundred times as much as a test of its own, in every process that collects it.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def case(*name: object) -> Iterator[None]:
    """What fails inside says that it was in this case."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the case {', '.join(map(str, name))}")
        raise
