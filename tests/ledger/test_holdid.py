"""Hold ids carry their time and sort by it."""

import uuid

import pytest

from gatekeeper.ledger.holdid import (
    DAY_MS,
    RANDOM_DIGITS,
    hold_id_day,
    hold_id_ms,
    hold_id_of,
    is_hold_id,
    new_hold_id,
)

NOON = 20_414 * DAY_MS + DAY_MS // 2


def test_id_is_a_version_7_uuid():
    """A hold id is a UUID of version 7, RFC variant, for all random bits."""
    ids = [uuid.UUID(new_hold_id(NOON, bits)) for bits in (0, 1, (1 << 74) - 1)]

    assert [(7, uuid.RFC_4122)] * 3 == [(made.version, made.variant) for made in ids]


def test_drawn_digits_make_an_id_of_the_same_form():
    """Whatever digits were drawn, and of a time of fewer digits than there is room for."""
    ids = [hold_id_of(now_ms, digit * RANDOM_DIGITS) for digit in "0123456789abcdef" for now_ms in (0, NOON)]

    assert all(map(is_hold_id, ids))
    assert {0, NOON} == set(map(hold_id_ms, ids))


def test_id_tells_its_time():
    """The time comes back in milliseconds and as a UTC day."""
    hold_id = new_hold_id(NOON, 5)

    assert (NOON, 20_414) == (hold_id_ms(hold_id), hold_id_day(hold_id))


def test_ids_sort_by_time():
    """An id of a later millisecond sorts after every id of an earlier one."""
    assert new_hold_id(NOON, (1 << 74) - 1) < new_hold_id(NOON + 1, 0)


@pytest.mark.parametrize("text", ["", "x" * 32, "0" * 32, "019AAB00C3D07000800000000000000F", "019aab00c3d070008000"])
def test_other_text_is_no_id(text: str):
    """Wrong length, letters, case, version or variant are all refused."""
    assert not is_hold_id(text)


@pytest.mark.parametrize(("now_ms", "bits"), [(-1, 0), (1 << 48, 0), (0, -1), (0, 1 << 74)])
def test_values_that_do_not_fit_are_refused(now_ms: int, bits: int):
    """A time beyond 48 bits or random bits beyond 74 raise ValueError."""
    with pytest.raises(ValueError, match="48 bit"):
        new_hold_id(now_ms, bits)
