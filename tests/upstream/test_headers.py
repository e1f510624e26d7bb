"""What of head and query may pass, in each direction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.upstream.headers import (
    forwardable_request_headers,
    forwardable_request_lines,
    forwardable_response_lines,
    strip_credentials_from_query,
)
from tests.cases import each_case

KEY = "gk_team"
IDENTITY = ("Accept-Encoding", "identity")


def coming_back(raw, *hidden):
    """What passes of a provider's headers, by name."""
    return tuple(tuple(line.decode().split(": ", 1)) for line in forwardable_response_lines(raw, hidden))


def test_ordinary_headers_pass_in_order():
    """Headers that are about the request itself pass with their order, case and duplicates."""
    raw = ((b"X-B", b"1"), (b"content-type", b"application/json"), (b"X-b", b"2"), (b"X-Stainless-Lang", b"python"))

    expected = (("X-B", "1"), ("content-type", "application/json"), ("X-b", "2"), ("X-Stainless-Lang", "python"))
    assert (*expected, IDENTITY) == forwardable_request_headers(raw)


@each_case(
    "name",
    b"""Authorization Proxy-Authorization X-Goog-Api-Key x-key X-API-KEY api-key X-Freepik-Api-Key Cookie
    X-Amz-Security-Token Ocp-Apim-Subscription-Key OpenAI-Organization OpenAI-Project X-Goog-User-Project
    Gatekeeper-Project gatekeeper-dry-run Forwarded X-Forwarded-For X-Forwarded-Host X-Real-IP Via Host Content-Length
    Accept-Encoding Expect Connection Keep-Alive Proxy-Connection TE Trailer Transfer-Encoding Upgrade""".split(),
)
def test_request_header_is_dropped(name):
    """Credentials, account overrides, our own headers, forwarding traces and hop-by-hop headers stay here."""
    assert (IDENTITY,) == forwardable_request_headers(((name, b"x"),))


@pytest.mark.parametrize("forwardable", [forwardable_request_headers, coming_back])
def test_named_by_connection(forwardable):
    """Headers that Connection names are dropped too, in every spelling and from every such header."""
    raw = ((b"X-Hop", b"1"), (b"CONNECTION", b"close, x-hop"), (b"x-OTHER", b"2"), (b"Connection", b"X-Other"))

    assert () == tuple(header for header in forwardable(raw) if header != IDENTITY)


def test_value_with_the_team_key():
    """A header of any name whose value contains the team's key is dropped."""
    raw = ((b"X-Debug", b"used gk_team here"), (b"Referer", b"http://h/?key=gk_team"), (b"X-Ok", b"gk_other"))

    assert (("X-Ok", "gk_other"), IDENTITY) == forwardable_request_headers(raw, KEY)


def test_text_outside_ascii():
    """UTF-8 values pass as they are; Latin-1 values keep their characters."""
    raw = ((b"A", "ü".encode()), (b"B", "ü".encode("latin-1")))

    assert (("A", "ü"), ("B", "ü"), IDENTITY) == forwardable_request_headers(raw)


@each_case("header", [(b"X-A", b"a\r\nb"), (b"X-A", b"a\x01"), (b"X A", b"a"), (b"", b"a"), (b"\xff", b"a")])
def test_unwritable_header(header):
    """A header that no writer would accept is left out rather than failing the answer after it was paid."""
    assert ((IDENTITY,), ()) == (forwardable_request_headers((header,)), coming_back((header,)))


@each_case(
    "name",
    b"""Connection Keep-Alive Transfer-Encoding Trailer Upgrade Content-Length Set-Cookie Gatekeeper-Hold-Id
    GATEKEEPER-CREDITS-CHARGED Alt-Svc Strict-Transport-Security Proxy-Authenticate
    Location""".split(),
)
def test_response_header_is_dropped(name):
    """Hop-by-hop headers, the length, cookies, forged headers of ours and ways to the provider's host stay out."""
    assert () == coming_back(((name, b"x"),))


def test_response_headers_pass():
    """Everything else comes back, encoding, rate limits and retry advice included."""
    names = (b"Content-Type", b"content-encoding", b"x-ratelimit-remaining", b"Retry-After", b"Date")

    expected = tuple((name.decode(), "v") for name in names)
    assert expected == coming_back(tuple((name, b"v") for name in names))


def test_response_echoing_our_credential():
    """A provider that echoes our credential in a header does not give it to the caller."""
    raw = ((b"X-Echo", b"Bearer sk-secret"), (b"X-Ok", b"1"))

    assert (("X-Ok", "1"),) == coming_back(raw, "sk-secret")
    assert (("X-Ok", "1"),) == coming_back(raw, "", "other", "sk-secret")


NAMES = ("Content-Type", "X-A", "x-a", "ETag", "Connection", "Set-Cookie", "Bad Name", "Gatekeeper-X", "Location")
VALUES = (b"v", b"sk-secret", b"keep-alive", b"close, x-a", b"a\x01", b"a\r\nb", "ü".encode(), b"\xfc", b"a\tb", b"")
RAW = st.lists(st.tuples(st.sampled_from(NAMES).map(str.encode), st.sampled_from(VALUES)), max_size=6).map(tuple)
LONG_WAY = (b"X-Long-Way", "ü".encode())
"""Beside it no header goes the quick way."""


@given(RAW)
def test_the_lines_of_a_head_say_the_same(raw):
    """A header that has to go the long way changes nothing about the others."""
    quick = forwardable_response_lines(raw, ("", "sk-secret"))

    *others, _ = forwardable_response_lines((*raw, LONG_WAY), ("", "sk-secret"))
    assert others == quick


@given(RAW)
def test_the_lines_of_a_request_say_the_same(raw):
    """Where there are lines, they are the headers that pass."""
    lines = forwardable_request_lines(raw, b"sk-secret")

    expected = [f"{name}: {value}".encode() for name, value in forwardable_request_headers(raw, "sk-secret")]
    assert lines is None or expected == lines


@each_case("value", [b"sk-secret", b"a\x01", b"a\r\nb", b"\xfc"])
def test_what_is_not_plain_has_no_lines(value):
    """It is left to the longer way, which drops it or mends its spelling."""
    assert forwardable_request_lines(((b"X-A", value),), b"sk-secret") is None


def test_a_changed_body_has_no_digest():
    """What is about the provider's very bytes does not pass with others."""
    raw = ((b"ETag", b"1"), (b"X-Ok", b"1"), (b"repr-digest", b"2"), (b"Content-MD5", b"3"))

    assert [b"X-Ok: 1"] == forwardable_response_lines(raw, changed=True)


@each_case(
    ("query", "expected"),
    [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("key=AIza&a=1", "a=1"),
        ("a=1&KEY=x&b=2", "a=1&b=2"),
        ("%6bey=x&a=1", "a=1"),
        ("api_key=x&access_token=y&apikey=z", ""),
        ("a=%7e+b%2Fc&&d=;e&key=x&f", "a=%7e+b%2Fc&&d=;e&f"),
        ("alt=sse&trace=gk_team", "alt=sse"),
        ("trace=g%6b_team&alt=sse", "alt=sse"),
        ("gk_team&alt=sse", "alt=sse"),
        ("monkey=1&keys=2&pageToken=3", "monkey=1&keys=2&pageToken=3"),
    ],
)
def test_query(query, expected):
    """Parameters that name a credential or carry the team's key go; the other bytes stay as they are."""
    assert expected == strip_credentials_from_query(query, KEY)


@each_case("name", [b"X-Met", b"cookie", b"x-" + b"long" * 20, b"bad name"])
def test_a_spelling_met_again(name):
    """A header's name is judged alike however often it was met, and however many others came between."""
    many = [((b"X-Other-%d" % number, b"v"),) for number in range(5000)]

    first = forwardable_request_headers(((name, b"v"),))
    verdicts = {forwardable_request_headers(((name, b"v"),)) for raw in many if forwardable_request_headers(raw)}
    assert {first} == verdicts
