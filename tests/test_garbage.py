"""What the collector of cyclic garbage is told."""

import gc
from collections.abc import Iterator

import pytest

from gatekeeper.garbage import YOUNG_MAX, free_what_was_left, leave_in_peace, nothing_is_collected


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_there_is_looked_at_no_more() -> None:
    """What lives when a start is done is taken out of every later look."""
    gc.unfreeze()

    leave_in_peace()

    assert gc.get_freeze_count() > len(gc.get_objects())
    assert gc.get_threshold()[0] == YOUNG_MAX


def test_cycles_that_a_reload_left_are_freed() -> None:
    """An old catalog that nobody refers to any more is gone after the next call, though it was left in peace before."""
    old: list[object] = []
    old.append(old)
    leave_in_peace()
    address = id(old)
    del old

    free_what_was_left()

    gc.unfreeze()
    assert address not in {
        id(each) for each in gc.get_objects() if type(each) is list and len(each) == 1 and each[0] is each
    }


def test_nothing_is_collected_while_much_is_made() -> None:
    """What is made meanwhile is left in peace afterwards; where the collector was off it stays off."""
    gc.unfreeze()

    with nothing_is_collected():
        inside = gc.isenabled()
    frozen = gc.get_freeze_count()
    gc.disable()
    with nothing_is_collected():
        pass
    after = gc.isenabled()
    gc.enable()

    assert (False, False) == (inside, after)
    assert frozen > len(gc.get_objects())
