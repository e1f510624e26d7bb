"""Ids of requests are drawn many at once."""

from gatekeeper.proxy.requestids import DRAWN_AT_ONCE, ID_BYTES, RequestIds


def test_no_two_are_the_same() -> None:
    """Also not where the drawn ones end and others are drawn."""
    new_id, wanted = RequestIds(), 2 * DRAWN_AT_ONCE + 1

    found = {new_id() for _ in range(wanted)}

    assert (wanted, {2 * ID_BYTES}) == (len(found), {len(each) for each in found})
    assert all(set(each) <= set("0123456789abcdef") for each in found)
