"""Resolutions in their frames: what was written whole is read, what was not is left."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.ledger.records import HoldContext
from gatekeeper.ledger.resolution import Act, Resolution, done_frame, from_payload, record_frame, scan, to_payload
from tests.cases import each_case

HOLD_ID = "01a201c134fa70a7b9f44622bd514020"


def a_resolution(**changes: Any) -> Resolution:
    """A settle of 49 credits."""
    settle: dict[str, Any] = {"act": Act.SETTLE, "team": "studio", "hold_id": HOLD_ID, "amount": 49_000_000}
    return Resolution(**settle | changes)


def segment(*payloads: bytes) -> bytes:
    """A segment of records."""
    return b"".join(record_frame(number, payload) for number, payload in enumerate(payloads))


@given(
    st.builds(
        Resolution,
        act=st.sampled_from(Act),
        team=st.text(),
        hold_id=st.text(),
        amount=st.integers(0, 9 * 10**15),
        why=st.text(),
        meta=st.text(),
        held=st.integers(0, 9 * 10**15),
        request_id=st.text(),
        within_available=st.booleans(),
        job=st.text(),
        ttl_ms=st.integers(0),
        names=st.lists(st.text(), max_size=4).map(tuple),
        keep_ms=st.integers(0),
        project=st.text(),
        member=st.text(),
        key_id=st.text(),
        fingerprint=st.text(),
        price_list=st.text(),
        windows=st.text(),
    )
)
def test_a_resolution_is_what_it_was(resolution: Resolution) -> None:
    """Whatever is in it comes back from its payload, to the last micro-credit."""
    assert resolution == from_payload(to_payload(resolution))


def test_a_field_of_a_later_version_is_left_aside() -> None:
    """An older version can replay what a newer one wrote, as far as it understands it."""
    payload = to_payload(a_resolution()).replace(b'{"act"', b'{"colour":"blue","act"')

    assert a_resolution() == from_payload(payload)


def test_a_record_of_an_earlier_version_is_read() -> None:
    """It does not say what the hold was, so it brings no context along."""
    told = {"act": "settle", "team": "studio", "hold_id": HOLD_ID, "amount": 49_000_000, "held": 49_000_000}
    found = from_payload(json.dumps({**told, "why": "", "meta": "", "request_id": ""}).encode())

    assert (a_resolution(held=49_000_000), None) == (found, found.context)


def test_the_context_is_what_the_hold_was() -> None:
    """All that books the charge if the store has lost the hold."""
    resolution = a_resolution(held=50, project="p", member="m", key_id="k", fingerprint="f", price_list="l",
                              windows="1:2:3:4", usage="a|b|||x|")  # fmt: skip

    assert HoldContext(50, "p", "m", "k", "f", "l", "1:2:3:4", "a|b|||x|") == resolution.context


def test_records_are_read_in_order_and_done_ones_are_not() -> None:
    """Three records and a note that the second is done: the first and the third wait."""
    found = scan(segment(b"a", b"b", b"c") + done_frame(1))

    assert ([(0, b"a"), (2, b"c")], 3, False) == (list(found.payloads.items()), found.records, found.damaged)


@given(st.integers(0, 199))
def test_a_torn_last_record_is_ignored(cut: int) -> None:
    """Wherever a write was interrupted, the records before it are whole, and nobody calls it damage."""
    whole, torn = segment(b"first", b"second"), record_frame(2, b"x" * 183)

    found = scan(whole + torn[:cut])

    assert {0: b"first", 1: b"second"} == found.payloads
    assert (len(whole), False) == (found.good_bytes, found.damaged)


def test_zeros_behind_the_records_are_ignored() -> None:
    """What a power cut may leave where a record was to be: a length of zero is not a record."""
    found = scan(segment(b"first") + bytes(500))

    assert ({0: b"first"}, False) == (found.payloads, found.damaged)


@each_case("at", range(8 + 9 + 6))
def test_a_flipped_bit_is_seen(at: int) -> None:
    """The checksum covers the length, the number and the payload: a changed record is not taken for one."""
    whole = record_frame(0, b"before")
    changed = bytearray(record_frame(1, b"secret") + record_frame(2, b"behind"))
    changed[at] ^= 4

    found = scan(whole + bytes(changed))

    assert ({0: b"before"}, len(whole)) == (found.payloads, found.good_bytes)


def test_what_is_wrong_in_the_middle_is_called_damage() -> None:
    """A record that is all there with a wrong checksum was not merely interrupted."""
    changed = bytearray(segment(b"first", b"second", b"third"))
    changed[len(record_frame(0, b"first")) + 20] ^= 1

    assert scan(bytes(changed)).damaged


def test_a_flipped_length_is_damage_and_not_a_cut() -> None:
    """A length that points past the end is not believed while whole frames stand behind it."""
    data = bytearray(segment(*(to_payload(a_resolution()) for _ in range(5))))
    data[2] ^= 0x80

    assert scan(bytes(data)).damaged
