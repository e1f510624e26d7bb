"""Links lead through the gateway, and nothing else of an answer changes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.proxy.jobs.rewriting import Mount, origin_of, rewrite
from tests.cases import each_case

FAL = {"": "https://fal.run", "queue": "https://queue.fal.run"}
BFL = {"": "https://api.bfl.ai/v1"}
HERE = "http://gw:8080/p"

TEXTS = st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["urls", "get", "a", "*"]), inner),
    max_leaves=20,
)


def changed(document: Any, place: list[str]) -> Any:
    """The document with every string at this place in upper case and marked, the slow and obvious way."""
    if not place:
        return f"<{document}>" if isinstance(document, str) else document
    step, *rest = place
    if isinstance(document, dict):
        return {key: changed(value, rest) if key == step else value for key, value in document.items()}
    if isinstance(document, list) and step == "*":
        return [changed(value, rest) for value in document]
    return document


@given(VALUES, st.sampled_from(["urls", "urls.get", "*", "a.*.get", "*.urls", "a.a"]), st.booleans(), st.booleans())
def test_only_the_named_strings_change(document: Any, place: str, ascii_only: bool, indented: bool) -> None:
    """For any JSON in any spelling the result is the document with just these strings changed."""
    body = json.dumps(document, ensure_ascii=ascii_only, indent=2 if indented else None).encode()

    rewritten = rewrite(body, (place,), lambda text: f"<{text}>")

    assert changed(document, place.split(".")) == json.loads(rewritten)


@given(VALUES, st.sampled_from(["urls.get", "a", "*.a"]))
def test_what_is_not_changed_stays_byte_for_byte(document: Any, place: str) -> None:
    """Where no string gets another word not one byte moves, however oddly the document is written."""
    body = json.dumps(document, indent=1, ensure_ascii=False).replace(",", " ,\t").encode()

    assert body == rewrite(body, (place,), lambda _text: None)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(body: bytes) -> None:
    """What is no JSON comes out as it went in, or with a string changed, and raises nothing."""
    assert isinstance(rewrite(body, ("a", "*", "a.b"), lambda text: text), bytes)


@each_case(
    ("body", "expected"),
    [
        (b'{"u": "x", "n": 1.50, "u2": "x"}', b'{"u": "<x>", "n": 1.50, "u2": "x"}'),
        (b'{"u":"x","u":"y"}', b'{"u":"<x>","u":"<y>"}'),
        (b'{"\\u0075":"x"}', b'{"\\u0075":"<x>"}'),
        (b'{"u":"a\\"b\\\\","v":"x"}', b'{"u":"<a\\"b\\\\>","v":"x"}'),
        (b'\xef\xbb\xbf{"u":"x"}', b'\xef\xbb\xbf{"u":"<x>"}'),
        (b'{"u":{"u":"x"}}', b'{"u":{"u":"x"}}'),
        (b'{"v":["u","x"]}', b'{"v":["u","x"]}'),
        (b'{"n":NaN,"u":"x"}', b'{"n":NaN,"u":"<x>"}'),
    ],
)
def test_odd_spellings(body: bytes, expected: bytes) -> None:
    """Duplicate keys, escaped keys, a byte order mark: whatever some parser may take for the link is changed."""
    assert expected == rewrite(body, ("u",), lambda text: f"<{text}>")


@each_case(
    ("bases", "url", "expected"),
    [
        (FAL, "https://queue.fal.run/fal-ai/veo/requests/1/status", f"{HERE}/queue/fal-ai/veo/requests/1/status"),
        (FAL, "https://fal.run/fal-ai/veo?x=1", f"{HERE}/fal-ai/veo?x=1"),
        (FAL, "https://QUEUE.fal.run/a", f"{HERE}/queue/a"),
        (FAL, "https://queue.fal.run:443/a", f"{HERE}/queue/a"),
        (FAL, "https://v3.fal.media/files/a.mp4", None),
        (BFL, "https://api.eu1.bfl.ai/v1/get_result?id=7", f"{HERE}/get_result?id=7"),
        (BFL, "https://api.bfl.ai/v1/get_result?id=7&key=hush&x_key=our-secret", f"{HERE}/get_result?id=7"),
        (BFL, "https://api.bfl.ai/v10/get_result", f"{HERE}/v10/get_result"),
        (BFL, "https://bfl.ai.evil.example/v1/get_result", None),
        (BFL, "https://user@api.bfl.ai/v1/get_result", None),
        (BFL, "not a url", None),
        (BFL, "https://[", None),
        ({"": "http://127.0.0.1:9000/x"}, "http://127.0.0.1:9000/x/a", f"{HERE}/a"),
        ({"": "http://127.0.0.1:9000/x"}, "http://127.0.0.1:9001/x/a", None),
        (
            {"": "http://127.0.0.1:9000/x", "q": "http://127.0.0.1:9000/x/q"},
            "http://127.0.0.1:9000/x/q/a",
            f"{HERE}/q/a",
        ),
    ],
)
def test_an_address_of_the_provider_leads_through_the_gateway(
    bases: dict[str, str], url: str, expected: str | None
) -> None:
    """By the base with the longest path above it, without any credential; an address of others stays."""
    assert expected == Mount(HERE, bases, ("our-secret",)).through(url)


@each_case(
    ("url", "expected"),
    [
        ("https://api.eu1.bfl.ai/v1/get_result?id=7", "https://api.eu1.bfl.ai"),
        ("https://api.bfl.ai/v1/get_result", "https://api.bfl.ai"),
        ("http://api.bfl.ai/v1/get_result", None),
        ("https://api.bfl.ai:8443/v1/get_result", None),
        ("https://bfl.ai.evil.example/", None),
        ("https://evilbfl.ai/", None),
        ("https://evil.example\\.bfl.ai/", None),
        ("https://evil.example\t.bfl.ai/", None),
        ("https://\u24d4vil.bfl.ai/", None),
    ],
)
def test_our_credential_goes_to_the_providers_own_hosts_alone(url: str, expected: str | None) -> None:
    """An address in an answer is asked only if it is the provider's and as safe as its base."""
    assert expected == origin_of(BFL, url)
