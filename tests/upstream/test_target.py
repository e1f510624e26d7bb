"""The head of a request: exactly what was meant, or nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.upstream.target import Place, head, place, split
from tests.cases import each_case


@each_case(
    ("url", "authority", "target"),
    [
        ("http://h", "http://h", "/"),
        ("https://h:8443/", "https://h:8443", "/"),
        ("http://h?a=b", "http://h", "/?a=b"),
        ("http://h#x", "http://h", "/"),
        ("http://h/a//b/../c%2f;x?q=?&#y#z", "http://h", "/a//b/../c%2f;x?q=?&"),
        ("http://[::1]:80/a@b", "http://[::1]:80", "/a@b"),
    ],
)
def test_split(url, authority, target):
    """The target is what follows the authority, as it is spelled, without the fragment."""
    assert (authority, target) == split(url)


@each_case(
    "url",
    [
        "",
        "no address",
        "//h/",
        "ftp://h/",
        "HTTP://h/",
        "http:h",
        "http:///a",
        "http://h/a b",
        "http://h/a\tb",
        "http://h/a\r\nX: y",
        "http://h/\x00",
        "http://h/\x7f",
        "http://h/ä",
        "http://ä/",
        "http://h /",
        "http://h\r\n/",
        "http://u:pw@h/",
        "http://h\\@evil/",
        "http://h%41/",
        " http://h/",
        "http://h/\n",
    ],
)
def test_address_that_cannot_be_written(url):
    """What would have to be changed to be sent is refused."""
    with pytest.raises(ValueError, match="the address cannot be written"):
        split(url)


@each_case(
    ("authority", "expected"),
    [
        ("http://h", Place("h", 80, False, "h")),
        ("https://h", Place("h", 443, True, "h")),
        ("https://h:443", Place("h", 443, True, "h")),
        ("http://h:443", Place("h", 443, False, "h:443")),
        ("http://h:080", Place("h", 80, False, "h")),
        ("http://[::1]", Place("::1", 80, False, "[::1]")),
        ("https://[::1]:8443", Place("::1", 8443, True, "[::1]:8443")),
    ],
)
def test_place(authority, expected):
    """A place is a host and a port; the port is named only where it is not the usual one."""
    assert expected == place(authority)


@each_case(
    "authority", ["http://h:", "http://h:0", "http://h:65536", "http://h:x", "http://:80", "http://[::1", "http://::1"]
)
def test_no_place(authority):
    """An authority that leads nowhere is refused."""
    with pytest.raises(ValueError, match="the address has no"):
        place(authority)


@each_case("name", ["", "X A", "X:", "X\n", "X\r\nY", "Ü", "X\x00", "X\t", "(X)"])
def test_name_that_cannot_be_written(name):
    """A header's name is a token."""
    with pytest.raises(ValueError, match="name"):
        head("POST", "/", "h", ((name, "x"),), 0)


@each_case("value", ["a\rb", "a\nb", "a\r\nX: y", "a\x00", "\x1f", "\x7f", "ü\n"])
def test_value_that_cannot_be_written(value):
    """A header's value has no control characters but tabs."""
    with pytest.raises(ValueError, match="value"):
        head("POST", "/", "h", (("X", value),), 0)


@each_case("method", ["", "PO ST", "POST\r\n", "POST / HTTP/1.1\r\nX:", "CONNECT", "GÉT"])
def test_method_that_cannot_be_written(method):
    """A method is a token; CONNECT would change what the connection is."""
    with pytest.raises(ValueError, match="method"):
        head(method, "/", "h", (), 0)


TEXT = st.text(max_size=30)
HEADERS = st.lists(
    st.tuples(st.one_of(st.sampled_from(["X-A", "host", "Content-length", "Accept"]), TEXT), TEXT), max_size=5
)


@given(url=st.one_of(TEXT, TEXT.map("http://h/{}".format)), method=st.one_of(st.just("PUT"), TEXT), headers=HEADERS)
def test_one_head_or_none(url, method, headers):
    """Whatever it is made of, a head is one head: one line each, one end, one Host and one length."""
    try:
        _, target = split(url)
        written = head(method, target, "h", tuple(headers), 7)
    except ValueError:
        return

    lines = written.split(b"\r\n")
    assert [b"", b""] == lines[-2:]
    assert all(line and not re.search(rb"[\r\n\x00]", line) for line in lines[:-2])
    assert 3 == len(lines[0].split(b" "))
    names = [line.partition(b":")[0].lower() for line in lines[1:-2]]
    assert (1, 1) == (names.count(b"host"), names.count(b"content-length"))
