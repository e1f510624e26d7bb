"""The provider's credential on its way onto a request."""

import pytest

from gatekeeper.upstream.credential import Credential, with_credential

HEADERS = (("X-A", "1"),)


@pytest.mark.parametrize(
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
    assert (headers, query) == with_credential(credential, HEADERS, "a=1")


def test_header_is_replaced():
    """Whatever stood in the same header is gone, in every spelling."""
    headers = (("authorization", "Bearer other"), ("X-A", "1"), ("AUTHORIZATION", "x"))

    expected = (("X-A", "1"), ("Authorization", "Bearer s"))
    assert (expected, "") == with_credential(Credential("bearer", secret="s"), headers, "")


def test_parameter_is_replaced():
    """Whatever stood in the same query parameter is gone."""
    assert ((), "a=1&key=s") == with_credential(Credential("query", "key", "s"), (), "key=other&a=1&%6bey=x")


def test_repr_hides_the_secret():
    """The secret shows in no representation."""
    credential = Credential("bearer", secret="s3cret")

    assert "s3cret" not in f"{credential!r} {credential}"


@pytest.mark.parametrize("secret", ["", "s3cret\n", "s3 cret", "s3crét"])
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
