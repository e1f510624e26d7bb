"""Many cases of one fact in one test, which says of the first that fails which it is.

A case that takes microseconds costs a hundred times as much as a test of its own, in every process that collects it.
Where each case starts from fresh fixtures, or takes long, `pytest.mark.parametrize` is right.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from reprlib import Repr
from typing import Any

Test = Callable[..., Any]

SHORT = Repr()
SHORT.maxstring = SHORT.maxother = 200
"""A case may hold megabytes."""


@contextmanager
def case(*name: object) -> Iterator[None]:
    """What fails inside says that it was in this case."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the case {', '.join(map(_named, name))}")
        raise


def _named(name: object) -> str:
    """Only what fails is spelled out: each process that collects tests sees every case of them all."""
    return SHORT.repr(name) if isinstance(name, dict) else str(name)


def each_case(
    names: str | Sequence[str], values: Iterable[Any], ids: Iterable[str] | None = None
) -> Callable[[Test], Test]:
    """Like `pytest.mark.parametrize`, in one test and with the same fixtures for all cases; there is at least one."""
    arguments = [name.strip() for name in names.split(",")] if isinstance(names, str) else [*names]
    single = isinstance(names, str) and len(arguments) == 1
    cases = [dict(zip(arguments, [value] if single else value, strict=True)) for value in values]
    called: Sequence[object] = cases if ids is None else [*ids]
    assert cases, "without a case it would pass whatever happens"

    def decorate(test: Test) -> Test:
        @wraps(test)
        def run(**fixtures: Any) -> None:
            for name, given in zip(called, cases, strict=True):
                with case(name):
                    test(**fixtures, **given)

        @wraps(test)
        async def run_async(**fixtures: Any) -> None:
            for name, given in zip(called, cases, strict=True):
                with case(name):
                    await test(**fixtures, **given)

        chosen: Any = run_async if inspect.iscoroutinefunction(test) else run
        signature = inspect.signature(test)
        left = [each for each in signature.parameters.values() if each.name not in arguments]
        chosen.__signature__ = signature.replace(parameters=left)
        return chosen  # type: ignore[no-any-return]

    return decorate
