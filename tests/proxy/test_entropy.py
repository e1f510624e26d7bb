"""Random digits for ids."""

from gatekeeper.proxy.entropy import DRAWN_BYTES, Entropy


def test_no_digit_is_given_twice() -> None:
    """Over several pages, in pieces that do not fit into one a whole number of times."""
    entropy = Entropy()

    taken = [entropy.digits(19) for _ in range(6 * DRAWN_BYTES // 19)]

    assert {19} == {len(each) for each in taken}
    assert len(taken) == len(set(taken))


def test_every_digit_may_be_any() -> None:
    """All bits of each come up."""
    entropy, found = Entropy(), 0
    for _ in range(500):
        found |= int(entropy.digits(19), 16)

    assert (1 << 76) - 1 == found


def test_two_have_nothing_in_common() -> None:
    """Each process draws its own."""
    assert Entropy().digits(32) != Entropy().digits(32)
