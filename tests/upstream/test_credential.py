"""The provider's credential on its way onto a request."""

import jwt
import pytest

from gatekeeper.upstream.credential import Credential, with_credential
from tests.cases import each_case

HEADERS = (("X-A", "1"),)
NOW_S = 1_700_000_000.5
SECRET_KEY = "b3BlbiBzZXNhbWUsIGJ1dCBub3QgZm9yIHlvdQ"
SIGNED = Credential("signed", secret=f"access:{SECRET_KEY}")


def token_at(now_s: float) -> str:
    """The token that a request at this time carries."""
    ((name, value),), query = with_credential(SIGNED, (("authorization", "Bearer other"),), "", now_s)
    assert ("Authorization", "") == (name, query)
    return value.removeprefix("Bearer ")


@each_case(
    ("credential", "headers", "query"),
    [
        (Credential("bearer", secret="s"), (*HEADERS, ("Authorization", "Bearer s")), "a=1"),
        (Credential("bearer", "Key", "i:s"), (*HEADERS, ("Authorization", "Key i:s")), "a=1"),
        (Credential("header", "x-goog-api-key", "s"), (*HEADERS, ("x-goog-api-key", "s")), "a=1"),
        (Credential("query", "key", "s/+"), HEADERS, "a=1&key=s%2F%2B"),
        (Credential("none"), HEADERS, "a=1"),
    ],
    ids=["bearer", "other-word", "header", "query", "none"],
)
def test_added(credential, headers, query):
    """Each kind puts the secret where it belongs and leaves the rest alone."""
    assert (headers, query) == with_credential(credential, HEADERS, "a=1", NOW_S)


def test_header_is_replaced():
    """Whatever stood in the same header is gone, in every spelling."""
    headers = (("authorization", "Bearer other"), ("X-A", "1"), ("AUTHORIZATION", "x"))

    expected = (("X-A", "1"), ("Authorization", "Bearer s"))
    assert (expected, "") == with_credential(Credential("bearer", secret="s"), headers, "", NOW_S)


def test_parameter_is_replaced():
    """Whatever stood in the same query parameter is gone."""
    assert ((), "a=1&key=s") == with_credential(Credential("query", "key", "s"), (), "key=other&a=1&%6bey=x", NOW_S)


def test_repr_hides_the_secret():
    """The secret shows in no representation."""
    credential = Credential("bearer", secret="s3cret")

    assert "s3cret" not in f"{credential!r} {credential}"


@each_case("secret", ["", "s3cret\n", "s3 cret", "s3crét"])
def test_unwritable_secret(secret):
    """An empty secret, or one that cannot stand in a header, is refused without being shown."""
    with pytest.raises(ValueError, match="credential") as caught:
        Credential("bearer", secret=secret)

    assert "s3" not in str(caught.value)


@pytest.mark.parametrize("kind", ["header", "query"])
def test_name_is_needed(kind):
    """A header or query credential needs the name it goes under."""
    with pytest.raises(ValueError, match=f"a {kind} credential needs the name"):
        Credential(kind, secret="s")


def test_a_signed_token():
    """It names the access key, is signed with the secret key, begins a little earlier and lasts half an hour."""
    token = token_at(NOW_S)
    claims = jwt.decode(token, SECRET_KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})
    minted_s = claims["nbf"] + 5

    assert {"alg": "HS256", "typ": "JWT"} == jwt.get_unverified_header(token)
    assert {"iss": "access", "nbf": minted_s - 5, "exp": minted_s + 1800} == claims
    assert minted_s <= NOW_S < minted_s + 1500


def test_a_signed_token_is_replaced_before_its_end():
    """It is the same for 25 minutes; each one in use has at least 5 minutes left."""
    begin_s = int(NOW_S) - int(NOW_S) % 1500

    assert token_at(begin_s) == token_at(begin_s + 1499.9) != token_at(begin_s + 1500)


@each_case("secret", ["access", "access:", ":secret", ":"])
def test_a_signed_credential_has_two_parts(secret):
    """The access key and the secret key, with a colon between them."""
    with pytest.raises(ValueError, match="no access key and secret key"):
        Credential("signed", secret=secret)


@pytest.mark.parametrize("now_s", [0, NOW_S, 4_000_000_000])
def test_every_token_is_hidden(now_s):
    """What is hidden of a signed credential is in each of its tokens, but in no token of another access key."""
    beginning = SIGNED.hidden[-1]
    ((_, other),) = with_credential(Credential("signed", secret=f"others:{SECRET_KEY}"), (), "", now_s)[0]

    assert (SIGNED.secret, SECRET_KEY) == SIGNED.hidden[:2]
    assert token_at(now_s).startswith(beginning)
    assert beginning not in other


def test_nothing_is_hidden_where_there_is_nothing():
    """A plain secret is what is hidden of it; without a credential nothing is."""
    assert (("s",), ()) == (Credential("bearer", secret="s").hidden, Credential("none").hidden)
