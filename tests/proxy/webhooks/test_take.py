"""The caller's webhook is found where it is, and exchanged without touching another byte."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.core.outcome import Unknown
from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects.base import Webhook
from gatekeeper.dialects.multipart import read_form
from gatekeeper.proxy.webhooks.keys import callback_path
from gatekeeper.proxy.webhooks.take import SECRET_CHARS_MAX, find_webhook, own_shown
from tests.cases import each_case


def read(_body: bytes) -> tuple[None, Unknown]:
    return None, Unknown("")


QUERY = Webhook("query", "fal_webhook", "fal", read)
JSON = Webhook("json", "webhook_url", "bfl", read, secret_field="webhook_secret")
FORM = Webhook("form", "webhook_url", "none", read)
THEIRS = "https://example.com/hook?job=7&x=ä"
OURS = "https://gateway.example/v1/callbacks/a/b/c/d"
FORM_TYPE = "multipart/form-data; boundary=xyz"


def form(*parts: tuple[str, str]) -> bytes:
    """A form of text parts, and one file."""
    texts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in parts]
    texts.append('Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nwebhook_url \x00\x01')
    return ("--xyz\r\n" + "\r\n--xyz\r\n".join(texts) + "\r\n--xyz--\r\n").encode()


def test_a_webhook_in_the_query_is_exchanged() -> None:
    """The parameters beside it stay as they were spelt."""
    query = "a=%41&fal_webhook=https%3A%2F%2Fexample.com%2Fhook%3Fx%3D1&b="

    wanted = find_webhook(QUERY, query, "", [b"{}"])

    assert wanted is not None
    assert ("https://example.com/hook?x=1", "") == (wanted.url, wanted.secret)
    changed, body = wanted.exchanged(query, [b"{}"], OURS, "")
    assert "a=%41&fal_webhook=https%3A%2F%2Fgateway.example%2Fv1%2Fcallbacks%2Fa%2Fb%2Fc%2Fd&b=" == changed
    assert [b"{}"] == body


@each_case("query", ["", "a=b", "fal_webhook=", "fal_webhook", "fal_webhooks=https%3A%2F%2Fx"])
def test_a_query_may_have_none(query: str) -> None:
    """Then nothing is to be exchanged."""
    assert find_webhook(QUERY, query, "", []) is None


def test_a_webhook_in_json_is_exchanged_with_its_secret() -> None:
    """Odd spacing, escapes and other fields stay, byte for byte; the body may come in pieces."""
    before, after = b'{ "prompt" : "a \\u00e9 cat",\n"webhook_url"\t:  ', b', "n":1.0 ,"webhook_secret":"s\\u0033cret"}'
    body = [before + b'"https:\\/\\/exam', b'ple.com/hook"' + after]

    wanted = find_webhook(JSON, "", "application/json", body)

    assert wanted is not None
    assert ("https://example.com/hook", "s3cret") == (wanted.url, wanted.secret)
    expected = before + json.dumps(OURS).encode() + after.replace(b'"s\\u0033cret"', b'"ours"')
    query, changed = wanted.exchanged("q=1", body, OURS, "ours")
    assert ("q=1", expected) == (query, b"".join(changed))


def test_without_a_secret_none_is_put_there() -> None:
    """Only what the caller gave is exchanged."""
    body = [b'{"webhook_url":"https://example.com/"}']

    wanted = find_webhook(JSON, "", "application/json", body)

    assert wanted is not None
    _, changed = wanted.exchanged("", body, OURS, "ours")
    assert json.dumps({"webhook_url": OURS}, separators=(",", ":")).encode() == b"".join(changed)


def test_pieces_without_the_webhook_stay_what_they_are() -> None:
    """A body full of pictures is in memory once."""
    pictures = [b'{"image":"', b"A" * 100_000, b'",']
    body = [*pictures, b'"webhook_url":"https://exam', b'ple.com/"', b"}"]

    wanted = find_webhook(JSON, "", "application/json", body)

    assert wanted is not None
    changed = wanted.exchanged("", body, OURS, "")[1]
    assert [True] * 3 == [now is before for now, before in zip(changed, pictures, strict=False)]


@each_case(
    "body",
    [
        b"{}",
        b'{"webhook_url":null}',
        b'{"webhook_url":""}',
        b'{"prompt":"webhook_url"}',
        b'{"input":{"webhook_url":"https://example.com"}}',
        b'{"prompt":"\\u0041"}',
    ],
)
def test_a_json_body_may_have_none(body: bytes) -> None:
    """What stands elsewhere, or is empty, is no webhook."""
    assert find_webhook(JSON, "", "application/json", [body]) is None


@each_case(
    ("trait", "query", "content_type", "body"),
    [
        (QUERY, "fal_webhook=a&fal_webhook=b", "", b""),
        (JSON, "", "application/json", b'{"Webhook_URL":"https://example.com"}'),
        (JSON, "", "application/json", b'{"webhook_url":"https://a.example","WEBHOOK_URL":"https://b.example"}'),
        (JSON, "", "application/json", b'{"webhook_url":["https://example.com"]}'),
        (JSON, "", "application/json", b'{"webhook_url":7}'),
        (JSON, "", "application/json", b'{"webhook_url":"https://example.com",}'),
        (JSON, "", "application/json", b'{"webhook_url":"https://a.example","webhook_secret":7}'),
        (
            JSON,
            "",
            "application/json",
            b'{"webhook_url":"u","webhook_secret":"' + b"x" * (SECRET_CHARS_MAX + 1) + b'"}',
        ),
        (JSON, "", "application/json", b'{"webhook_url":"u","webhook_secret":"s\\u00e9cret"}'),
        (FORM, "", FORM_TYPE, form(("Webhook_url", "https://example.com"))),
        (FORM, "", FORM_TYPE, form(("webhook_url", "https://a.example"), ("webhook_url", "https://b.example"))),
        (FORM, "", FORM_TYPE, form(('webhook_url"; filename="x', "https://a.example"))),
    ],
)
def test_what_could_be_read_as_another_webhook_is_refused(
    trait: Webhook, query: str, content_type: str, body: bytes
) -> None:
    """Else the provider would call somebody whom nobody looked at."""
    with pytest.raises(Rejected, match="malformed_request: The webhook in"):
        find_webhook(trait, query, content_type, [body])


def test_a_name_spelt_in_escapes_is_found() -> None:
    """Every parser reads it so."""
    body = [b'{"webhook\\u005furl":"https://example.com/"}']

    wanted = find_webhook(JSON, "", "application/json", body)

    assert wanted is not None
    assert b'{"webhook\\u005furl":"' + OURS.encode() + b'"}' == b"".join(wanted.exchanged("", body, OURS, "")[1])


@each_case(
    "rest",
    [
        '"nested":{"webhook_url":"https://nested.example/"}',
        '"a\\"webhook_url":"https://key.example/"',
        '"prompt":"say \\"webhook_url\\": \\"https://prompt.example/\\""',
        '"list":["webhook_url","https://list.example/"]',
        '"webhook_url2":"https://other.example/"',
    ],
)
@each_case("key", ["webhook_url", "webhook\\u005furl"])
def test_only_the_field_itself_is_exchanged(rest: str, key: str) -> None:
    """Not one of its name elsewhere, before it or behind it."""
    mine = f'"{key}" : "https://example.com/"'
    for text in (f"{{{mine},{rest}}}", f"{{{rest},{mine}}}"):
        body = [text.encode()]
        wanted = find_webhook(JSON, "", "application/json", body)

        assert wanted is not None
        changed = b"".join(wanted.exchanged("", body, OURS, "")[1]).decode()
        assert text.replace('"https://example.com/"', f'"{OURS}"') == changed


def test_a_body_full_of_pictures_takes_a_moment() -> None:
    """Forty megabytes: everybody else waits for as long as it takes."""
    picture = b'{"webhook_url":"https://example.com/","image":"' + b"A" * 40_000_000 + b'"}'
    began_s = time.process_time()

    wanted = find_webhook(JSON, "", "application/json", [picture])
    assert wanted is not None
    wanted.exchanged("", [picture], OURS, "")

    assert time.process_time() - began_s < 1.0


def test_an_address_that_is_far_too_long_is_refused() -> None:
    """However it is cut for reading."""
    body = [b'{"webhook_url":"https://example.com/' + b"x" * 20_000 + b'"}']

    with pytest.raises(Rejected, match="far too long"):
        find_webhook(JSON, "", "application/json", body)


def test_a_webhook_in_a_form_is_exchanged() -> None:
    """Every other part stays, the file that speaks of it too."""
    body = form(("model", "m"), ("webhook_url", "https://example.com/hook"))

    wanted = find_webhook(FORM, "", FORM_TYPE, [body[:40], body[40:]])

    assert wanted is not None
    assert "https://example.com/hook" == wanted.url
    changed = b"".join(wanted.exchanged("", [body], OURS, "")[1])
    assert body.replace(b"https://example.com/hook", OURS.encode()) == changed
    assert OURS == read_form(FORM_TYPE, [changed]).text("webhook_url")


def test_a_form_may_have_none() -> None:
    """A file that speaks of one is not one."""
    assert find_webhook(FORM, "", FORM_TYPE, [form(("model", "m"))]) is None


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(max_size=9), st.none() | st.text() | st.integers() | st.lists(st.text(), max_size=3)))
def test_nothing_else_of_any_body_changes(others: dict[str, object]) -> None:
    """Whatever stands beside it: what is read afterwards is what was there, but for the address."""
    others = {name: value for name, value in others.items() if not name.casefold().startswith("webhook")}
    body = [json.dumps({**others, "webhook_url": THEIRS}).encode()]

    wanted = find_webhook(JSON, "", "application/json", body)

    assert wanted is not None
    assert THEIRS == wanted.url
    assert {**others, "webhook_url": OURS} == json.loads(b"".join(wanted.exchanged("", body, OURS, "")[1]))


@each_case(
    "answer",
    [
        {"webhook_url": "{}"},
        {"request": {"webhook_url": "{}"}},
        {"data": {"webhook_url": "{}", "other": ["x"]}},
        {"message": "webhook_url {} did not answer. Mend it."},
        {"errors": [{"text": "'{}'"}]},
    ],
)
def test_an_answer_shows_the_callers_own_address(answer: dict[str, object]) -> None:
    """At its place as in a complaint, and nothing else of it changes."""
    ours = "https://gateway.example/below" + callback_path("secret", "luma", "team-0", "01ABC")
    text = json.dumps(answer)

    shown = own_shown(JSON, text.replace("{}", ours).encode(), THEIRS)

    assert json.loads(text.replace("{}", THEIRS)) == json.loads(shown)


def test_only_whole_addresses_of_ours_are_exchanged() -> None:
    """Each that there is; what only looks like the beginning or the end of one stays as it is."""
    ours = "https://gateway.example" + callback_path("secret", "luma", "team-0", "01ABC")
    path = ours.removeprefix("https://gateway.example")
    text = f"http://a/v1/callbacks/b {ours} http://x {path} https://y http://gateway.example{path}, {ours}0"

    shown = own_shown(JSON, json.dumps({"message": text}).encode(), THEIRS)

    expected = f"http://a/v1/callbacks/b {THEIRS} http://x {path} https://y {THEIRS}, {THEIRS}0"
    assert {"message": expected} == json.loads(shown)


def test_beginnings_of_addresses_take_no_time() -> None:
    """Whoever sends a request chooses what its answer repeats: four megabytes of beginnings, and half as many again
    with an end that fits, are looked through in a moment."""
    path = callback_path("secret", "luma", "team-0", "01ABC").encode()
    body = b'{"prompt":"%b%b"}' % (b"http://a/v1/callbacks/b/" * 160_000, (b"http://" * 40 + path) * 5_000)

    began_s = time.process_time()
    shown = own_shown(JSON, body, THEIRS)

    assert path not in shown
    assert 1 > time.process_time() - began_s
