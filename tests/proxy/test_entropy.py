"""Random bytes for ids."""

from gatekeeper.proxy.entropy import DRAWN_BYTES, Entropy


def test_no_byte_is_given_twice() -> None:
    """Over several pages, in pieces that do not fit into one a whole number of times."""
    entropy = Entropy()

    taken = [entropy.take(12) for _ in range(3 * DRAWN_BYTES // 12)]

    assert {12} == {len(each) for each in taken}
    assert len(taken) == len(set(taken))


def test_a_number_has_every_bit_that_was_asked_for_and_no_more() -> None:
    """The highest and the lowest come up, and none above."""
    entropy, found = Entropy(), 0
    for _ in range(500):
        found |= entropy.bits(74)

    assert (1 << 74) - 1 == found


def test_two_have_nothing_in_common() -> None:
    """Each process draws its own."""
    assert Entropy().take(16) != Entropy().take(16)
