"""What is read for a decision: any bytes and any words are something, or a refusal, and never another error."""

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gatekeeper.core.outcome import Failed, Made
from gatekeeper.core.rejection import Rejected
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.proxy.decisions.asking import TTL_MAX_S, read_wanted
from gatekeeper.proxy.decisions.authplan import FACTS, FORWARD_AUTH, SETTINGS, denies_with_403, read_asked, read_plan
from gatekeeper.proxy.decisions.outcome import OUTPUTS_MAX, Stated, read_release, read_settle

RECORD: Any = SimpleNamespace(held=49_000_000, valid=SimpleNamespace(outputs=2))
JSON = "application/json"
words = st.one_of(
    st.text(max_size=20), st.sampled_from(["1", "now", "2K", "auto", "8s", "true", "charge", "-1", "1e9"])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)
fields = st.sampled_from(("outputs", "credits", "duration_s", "resolution", "tokens", "audio", "ttl_s", "why"))


def as_json(document: Any) -> bytes:
    """As a caller writes it."""
    return json.dumps(document).encode()


bodies = st.one_of(
    st.binary(max_size=40), st.dictionaries(fields, values, max_size=4).map(as_json), values.map(as_json)
)


@given(bodies)
@example(b'{"credits":""}')
def test_any_settle_is_an_end_within_bounds_or_a_refusal(body: bytes):
    """Stated credits are above nothing and at most what is held; outputs are few; numbers are at or above nothing."""
    try:
        told = read_settle(JSON, [body], RECORD)
    except Rejected:
        return

    match told:
        case Stated(amount):
            assert 0 < amount <= RECORD.held
        case Made(outputs, tokens=tokens, duration_s=duration_s):
            assert 0 < outputs <= OUTPUTS_MAX
            assert tokens is None or tokens >= 0
            assert duration_s is None or duration_s > 0
        case Failed():
            assert not told.billable


@given(bodies)
def test_any_release_is_one_or_a_refusal(body: bytes):
    """Its reason is a word."""
    try:
        assert read_release(JSON, [body]).reason.startswith("released")
    except Rejected:
        return


terms = st.dictionaries(st.sampled_from(("model", "ttl_s", "on_unknown", "provider")), values).map(as_json)


@given(st.one_of(bodies, terms))
def test_any_question_has_terms_or_is_refused(body: bytes):
    """A time within a day, and a policy there is."""
    try:
        wanted = read_wanted(JSON, [body])
    except Rejected:
        return

    assert 1 <= wanted.ttl_s <= TTL_MAX_S
    assert wanted.on_unknown in set(OnUnknown)


@given(
    st.dictionaries(st.sampled_from((*FACTS, *SETTINGS, "other")), words, max_size=6),
    st.dictionaries(st.sampled_from(tuple(FACTS.values())), words, max_size=4),
    st.sampled_from(("", "/images")),
)
def test_any_question_of_a_proxy_is_read_or_refused(query: dict[str, str], headers: dict[str, str], path: str):
    """What the configuration says stands above headers, and below its address nothing of a query is believed."""
    address = f"{FORWARD_AUTH}{path}?{urlencode(query, errors='replace')}"
    request: Any = SimpleNamespace(headers=CIMultiDict(headers))
    try:
        plan = read_plan(address)
        asked = read_asked(plan, request, [])
    except Rejected:
        return

    if path:
        assert (plan.facts, plan.settle_now, plan.once, denies_with_403(address)) == ({}, False, "", False)
    elif "model" in query:
        assert asked.model == query["model"]


@pytest.mark.parametrize("text", ["٣", "²", "00000000000000000005", "1_0", " 5", "+5", "1e3"])
def test_numbers_in_headers_are_plain_digits(text: str):
    """Whatever else Python takes for one is refused, or is the number that everybody reads."""
    request: Any = SimpleNamespace(headers=CIMultiDict({"Gatekeeper-Model": "m", "Gatekeeper-Outputs": text}))
    try:
        outputs = read_asked(read_plan(FORWARD_AUTH), request, []).outputs
    except Rejected:
        return

    assert (" 5", 5) == (text, outputs)
