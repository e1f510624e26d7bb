"""Signatures: what providers put on their events is believed only if it is right and fresh, and ours satisfy others."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gatekeeper.proxy.webhooks.keys import (
    callback_mac,
    callback_path,
    is_callback_mac,
    message_id,
    provider_secret,
    team_secret,
)
from gatekeeper.proxy.webhooks.signatures import (
    bfl_signature,
    is_bfl,
    is_fal,
    is_standard,
    read_jwks,
    standard_headers,
    standard_key,
)
from tests.cases import each_case

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
BODY = b'{"id":"job-1"}'
NOW_S = 1_800_000_000
KEY = Ed25519PrivateKey.generate()


def theirs(body: bytes = BODY, now_s: int = NOW_S, secret: str = SECRET) -> dict[str, str]:
    """The headers that the standard's own library would send."""
    at = datetime.fromtimestamp(now_s, UTC)
    signature = Webhook(secret).sign("msg-1", at, body.decode())
    return {"webhook-id": "msg-1", "webhook-timestamp": str(now_s), "webhook-signature": signature}


def fal(body: bytes = BODY, now_s: int = NOW_S, key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    """The headers that fal would send."""
    lines = "\n".join(("req-1", "user-1", str(now_s), hashlib.sha256(body).hexdigest()))
    return {
        "x-fal-webhook-request-id": "req-1",
        "x-fal-webhook-user-id": "user-1",
        "x-fal-webhook-timestamp": str(now_s),
        "x-fal-webhook-signature": key.sign(lines.encode()).hex(),
    }


def test_the_standards_own_library_accepts_our_signature() -> None:
    """Receivers verify with it, or with one like it."""
    now_s = int(datetime.now(UTC).timestamp())

    assert {"id": "job-1"} == Webhook(SECRET).verify(BODY, standard_headers(SECRET, "msg-1", BODY, now_s))


def test_we_accept_the_librarys_signature() -> None:
    """As Replicate would send it."""
    assert is_standard(SECRET, theirs(), BODY, NOW_S)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signature_holds_for_five_minutes(seconds: int) -> None:
    """Either way, for clocks differ."""
    assert is_standard(SECRET, theirs(), BODY, NOW_S + seconds)
    assert is_fal([KEY.public_key()], fal(), BODY, NOW_S + seconds)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_an_old_signature_is_not_believed(seconds: int) -> None:
    """Else whoever once saw an event could send it for ever."""
    assert not is_standard(SECRET, theirs(), BODY, NOW_S + seconds)
    assert not is_fal([KEY.public_key()], fal(), BODY, NOW_S + seconds)


@each_case(
    "changed",
    [
        {"webhook-id": "msg-2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(NOW_S + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "-5"},
        {"webhook-timestamp": "9" * 40},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
        {"webhook-signature": "v2," + "A" * 44},
        {"webhook-signature": "v1,\udcff"},
    ],
)
def test_a_changed_header_breaks_a_standard_signature(changed: dict[str, str]) -> None:
    """Each of the three is covered."""
    assert not is_standard(SECRET, {**theirs(), **changed}, BODY, NOW_S)


def test_a_changed_body_or_another_secret_breaks_a_standard_signature() -> None:
    """As it must."""
    other = "whsec_" + base64.b64encode(b"another secret of some length...").decode()

    assert not is_standard(SECRET, theirs(), BODY + b" ", NOW_S)
    assert not is_standard(other, theirs(), BODY, NOW_S)
    assert not is_standard("whsec_not base64!", theirs(), BODY, NOW_S)


def test_one_right_signature_among_several_is_enough() -> None:
    """Senders list two while they change their secret."""
    headers = theirs()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]

    assert is_standard(SECRET, headers, BODY, NOW_S)


def test_an_event_signed_by_fal_is_believed() -> None:
    """By any of the keys that it publishes."""
    other = Ed25519PrivateKey.generate()

    assert is_fal([other.public_key(), KEY.public_key()], fal(), BODY, NOW_S)
    assert not is_fal([other.public_key()], fal(), BODY, NOW_S)
    assert not is_fal([], fal(), BODY, NOW_S)


@each_case(
    "changed",
    [
        {"x-fal-webhook-request-id": "req-2"},
        {"x-fal-webhook-user-id": "user-2"},
        {"x-fal-webhook-timestamp": str(NOW_S - 1)},
        {"x-fal-webhook-signature": "00" * 64},
        {"x-fal-webhook-signature": "no hex"},
        {"x-fal-webhook-user-id": ""},
    ],
)
def test_a_changed_header_breaks_fals_signature(changed: dict[str, str]) -> None:
    """Each of the four is covered."""
    assert not is_fal([KEY.public_key()], {**fal(), **changed}, BODY, NOW_S)
    assert not is_fal([KEY.public_key()], fal(), BODY + b" ", NOW_S)


def test_an_event_signed_with_its_own_secret_is_believed() -> None:
    """BFL's way, which knows no time."""
    headers = {"x-bfl-signature": bfl_signature("s3cret", BODY)}

    assert is_bfl("s3cret", headers, BODY)
    assert not is_bfl("s3cret", headers, BODY + b" ")
    assert not is_bfl("other", headers, BODY)
    assert not is_bfl("s3cret", {}, BODY)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*theirs(), *fal(), "x-bfl-signature"]), st.text()), st.binary())
def test_no_header_makes_a_verifier_raise(headers: dict[str, str], body: bytes) -> None:
    """Whatever comes, it is a no."""
    assert not is_standard(SECRET, headers, body, NOW_S)
    assert not is_fal([KEY.public_key()], headers, body, NOW_S)
    assert not is_bfl("s3cret", headers, body)


@each_case(
    "document",
    [None, [], {}, {"keys": 5}, {"keys": [5, {}, {"kty": "RSA"}]}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 5}]},
     {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "§"}]}],
)  # fmt: skip
def test_a_set_without_usable_keys_has_none(document: Any) -> None:
    """It is the provider's, so it may be anything."""
    assert () == read_jwks(document)


def test_the_usable_keys_of_a_set_are_read() -> None:
    """Others beside them do no harm."""
    x = base64.urlsafe_b64encode(KEY.public_key().public_bytes_raw()).rstrip(b"=").decode()

    (found,) = read_jwks({"keys": [{"kty": "RSA"}, {"kty": "OKP", "crv": "Ed25519", "x": x}]})

    assert KEY.public_key() == found


def test_a_callback_address_fits_its_own_hold_only() -> None:
    """Provider, team and hold are all in its last part."""
    mac = callback_mac("store", "replicate", "team-0", "hold-1")

    assert callback_path("store", "replicate", "team-0", "hold-1").endswith(f"/replicate/team-0/hold-1/{mac}")
    assert is_callback_mac(mac, "store", "replicate", "team-0", "hold-1")
    others = [("other", "replicate", "team-0", "hold-1"), ("store", "fal", "team-0", "hold-1"),
              ("store", "replicate", "team-1", "hold-1"), ("store", "replicate", "team-0", "hold-2")]  # fmt: skip
    assert [False] * 4 == [is_callback_mac(mac, *other) for other in others]
    assert not is_callback_mac("§", "store", "replicate", "team-0", "hold-1")


def test_secrets_are_derived_apart() -> None:
    """None tells another, and a team's own is one of Standard Webhooks."""
    derived = {team_secret("store", "a"), team_secret("store", "b"), team_secret("other", "a"),
               provider_secret("store", "a"), callback_mac("store", "", "", "a")}  # fmt: skip

    assert 5 == len(derived)
    assert 32 == len(standard_key(team_secret("store", "a")) or b"")


def test_an_event_has_one_name_everywhere() -> None:
    """So that a receiver knows it again, whoever sends it."""
    assert message_id("fal", "h", b"event") == message_id("fal", "h", b"event")
    assert 3 == len(
        {message_id("fal", "h", b"event"), message_id("fal", "h", b"other"), message_id("fal", "i", b"event")}
    )
