"""The quick way to read JSON gives what the strict one gives, or leaves it to it."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects import strictjson
from gatekeeper.dialects.strictjson import parse_object

TEXTS = st.text(st.sampled_from('ab"\\/\n\u00e9\U0001f600[]{}:,'), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@st.composite
def objects(draw: st.DrawFn) -> str:
    """An object as a text, in which a key may come twice."""
    pairs = draw(st.lists(st.tuples(TEXTS, VALUES), max_size=4))
    ascii_ = draw(st.booleans())
    written = (f"{json.dumps(k, ensure_ascii=ascii_)}:{json.dumps(v, ensure_ascii=ascii_)}" for k, v in pairs)
    return "{" + ", ".join(written) + "}"


def read(text: bytes, reader: Any) -> object:
    """What it spells, with the kind of every value, or what is wrong with it."""
    try:
        return repr(reader(text))
    except Rejected as refused:
        return refused.rejection.detail


@given(objects() | st.text('{}[]":,\\u0aefl1.-ns t', max_size=24))
@example('{"a":1,"a":1}')
@example('{"a":{"b":1,"b":2}}')
@example('{"a":"\\\\","a\\"":"\\"\\\\\\""}')
@example('{"a":18446744073709551616}')
@example('{"a":-0}')
@example('{"a":1e400}')
@example('{"a":"\\ud800"}')
@example('{"a":1.0}')
@example('{"\\u0061":1,"a":2}')
@example('\ufeff{"a":1}')
@example("{}")
@example("[1]")
@example("")
def test_the_quick_reader_reads_what_the_strict_one_reads(text: str) -> None:
    """For any text: the same value, of the same types, or the same refusal."""
    body = text.encode()

    assert read(body, strictjson._read_strictly) == read(body, parse_object)


def test_a_usual_body_is_read_the_quick_way() -> None:
    """Or the quick one would be of no use."""
    body = b'{"model": "m", "prompt": "say \\"hi\\" \\\\o/ to [them]", "n": 2, "options": {"tags": ["a", null]}}'

    assert strictjson._read_plain(body) == strictjson._read_strictly(body)
