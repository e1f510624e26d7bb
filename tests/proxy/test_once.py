"""What names a request that may come twice, and what counts as the same request."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger import bounds
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.proxy.keeping import AT_ONCE_BYTES
from gatekeeper.proxy.once import IDEMPOTENCY_KEY, KNOWN_MS, UNNAMED, Once, fingerprint, name_request
from tests.cases import each_case
from tests.proxy.conftest import MakeCall

MakeGate = Callable[..., Any]

STUDIO: Any = type("Named", (), {"name": "studio"})
"""As much of a provider as a fingerprint looks at."""

BODY = (b'{"model":"x"}',)
WINDOW_MS = 1_800_000
JSON = "application/json"


def form(boundary: str, *parts: bytes) -> tuple[str, bytes]:
    """A form's content type and body."""
    mark = b"--" + boundary.encode()
    body = b"".join(mark + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + part + b"\r\n" for part in parts)
    return f"multipart/form-data; boundary={boundary}", body + mark + b"--\r\n"


def print_of(content_type: str, *body: bytes, words: tuple[str, ...] = ("studio", "POST", "/v1", "")) -> str:
    return fingerprint(words, content_type, body)


async def test_a_request_that_says_nothing_is_not_named(make_gate: MakeGate, make_call: MakeCall) -> None:
    """No header, no name: it is new whenever it comes."""
    assert UNNAMED == await name_request(make_gate(), make_call(), STUDIO, BODY)


async def test_an_idempotency_key_counts_for_a_day(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Named by the key alone, remembered and its answer kept for 24 hours."""
    call = make_call(("Idempotency-Key", "order-1"))

    once = await name_request(make_gate(), call, STUDIO, BODY)

    assert ("i", 23, 16) == (once.name[0], len(once.name), len(once.fingerprint))
    assert (KNOWN_MS, KNOWN_MS) == (once.within_ms, once.answer_ttl_ms)


async def test_an_idempotency_key_is_the_teams(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Another API key of the team, another body: the same name, another fingerprint."""
    first = make_call(("Idempotency-Key", "order-1"))
    second = make_call(("Idempotency-Key", "order-1"), key_id="laptop")

    one = await name_request(make_gate(), first, STUDIO, BODY)
    other = await name_request(make_gate(), second, STUDIO, (b"{}",))

    assert one.name == other.name
    assert one.fingerprint != other.fingerprint


async def test_the_ledger_takes_the_name_and_the_fingerprint(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Both are of a form that a hold may have."""
    once = await name_request(make_gate(), make_call(("Idempotency-Key", "~" * 255)), STUDIO, BODY)

    order = HoldOrder(
        hold_id="019a201c134f70a7b9f44622bd514020", team="studio", amount=1, ttl_ms=1000,
        once=once.name, fingerprint=once.fingerprint, once_within_ms=once.within_ms,
    )  # fmt: skip
    bounds.check_order(order)


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256])
async def test_a_key_that_is_none_is_refused(make_gate: MakeGate, make_call: MakeCall, key: str) -> None:
    """Whoever sends one relies on it: one that cannot be kept is not ignored."""
    call = make_call(("Idempotency-Key", key))

    with pytest.raises(Rejected) as refused:
        await name_request(make_gate(), call, STUDIO, BODY)

    assert Code.MALFORMED_REQUEST is refused.value.rejection.code


async def test_two_keys_are_refused(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Nobody can tell which of the two counts."""
    call = make_call(("Idempotency-Key", "a"), ("Idempotency-Key", "b"))

    with pytest.raises(Rejected):
        await name_request(make_gate(), call, STUDIO, BODY)


async def test_a_first_attempt_is_only_remembered(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Two people may ask for the same picture at once: both are first attempts, and both are made."""
    once = await name_request(make_gate(), make_call(("x-stainless-retry-count", "0")), STUDIO, BODY)

    assert ("r", 0, WINDOW_MS) == (once.name[0], once.within_ms, once.answer_ttl_ms)


async def test_a_retry_has_the_name_of_its_first_attempt(make_gate: MakeGate, make_call: MakeCall) -> None:
    """The same key and the same request: found again within the window."""
    first = await name_request(make_gate(), make_call(("x-stainless-retry-count", "0")), STUDIO, BODY)
    second = await name_request(make_gate(), make_call(("x-stainless-retry-count", "2")), STUDIO, BODY)

    assert Once(first.name, first.fingerprint, WINDOW_MS, WINDOW_MS) == second


async def test_another_keys_retry_is_another_request(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Two people with keys of their own are never taken for each other."""
    mine = await name_request(make_gate(), make_call(("x-stainless-retry-count", "1")), STUDIO, BODY)
    yours = await name_request(make_gate(), make_call(("x-stainless-retry-count", "1"), key_id="laptop"), STUDIO, BODY)

    assert mine.name != yours.name


async def test_another_members_retry_is_another_request(make_gate: MakeGate, make_call: MakeCall) -> None:
    """A service may send for many people with one key: it names them, and they are not taken for each other."""
    mine, yours = make_call(("x-stainless-retry-count", "1")), make_call(("x-stainless-retry-count", "1"))
    mine.trace.learn(member="amy")
    yours.trace.learn(member="bob")

    names = {(await name_request(make_gate(), call, STUDIO, BODY)).name for call in (mine, yours)}

    assert 2 == len(names)


@pytest.mark.parametrize(
    ("header", "what"), [(("x-stainless-retry-count", "1"), "name"), ((IDEMPOTENCY_KEY, "k"), "fingerprint")]
)
async def test_at_another_address_it_is_another_request(
    make_gate: MakeGate, make_call: MakeCall, header: tuple[str, str], what: str
) -> None:
    """What fal runs at once and what it queues have the same path, at two addresses: neither answers for the other."""
    routes = [DIALECTS["fal"].find_route("POST", f"/{way}/owner/app") for way in ("run", "queue")]
    calls = [replace(make_call(header), route=route) for route in routes if route]

    known = {getattr(await name_request(make_gate(), call, STUDIO, BODY), what) for call in calls}

    assert (["/owner/app"] * 2, 2) == ([call.route.upstream_path for call in calls], len(known))


@pytest.mark.parametrize("count", ["", "-1", "many", "1.5", "99999", "١"])
async def test_a_count_that_is_none_is_a_first_attempt(make_gate: MakeGate, make_call: MakeCall, count: str) -> None:
    """An SDK's header is no reason to refuse."""
    once = await name_request(make_gate(), make_call(("x-stainless-retry-count", count)), STUDIO, BODY)

    assert 0 == once.within_ms


async def test_a_team_may_do_without_the_guard(make_gate: MakeGate, make_call: MakeCall) -> None:
    """Then a retry is a request like any other."""
    call = make_call(("x-stainless-retry-count", "1"), retry_guard=False)

    assert UNNAMED == await name_request(make_gate(), call, STUDIO, BODY)


async def test_an_idempotency_key_wins_over_the_guard(make_gate: MakeGate, make_call: MakeCall) -> None:
    """What the caller says counts more than what its SDK says."""
    call = make_call(("x-stainless-retry-count", "1"), ("Idempotency-Key", "order-1"))

    assert "i" == (await name_request(make_gate(), call, STUDIO, BODY)).name[0]


async def test_a_large_body_is_hashed_to_the_same(make_gate: MakeGate, make_call: MakeCall) -> None:
    """In a thread or not, whole or in pieces: one fingerprint."""
    call = make_call(("Idempotency-Key", "a"))
    body = [b"x" * 65_536] * (AT_ONCE_BYTES // 65_536 + 1)

    large = await asyncio.gather(*(name_request(make_gate(), call, STUDIO, body) for _ in range(4)))

    words = ("studio", "POST", "/v1/generations", "")
    assert {fingerprint(words, "", [b"".join(body)])} == {once.fingerprint for once in large}


@each_case(
    "words", [("fal", "POST", "/v1", ""), ("studio", "PUT", "/v1", ""), ("studio", "POST", "/v2", ""),
              ("studio", "POST", "/v1", "api-version=2"), ("studio", "POST", "", "/v1")],
)  # fmt: skip
def test_where_it_goes_is_part_of_what_is_asked(words: tuple[str, ...]) -> None:
    """The same body to another provider, by another method, to another route is another request."""
    assert print_of(JSON, *BODY) != print_of(JSON, *BODY, words=words)


def test_json_counts_byte_by_byte() -> None:
    """A space more is another body: nothing is read into it."""
    assert print_of(JSON, b'{"n":1}') != print_of(JSON, b'{"n": 1}')


def test_a_form_with_another_boundary_is_the_same_form() -> None:
    """An SDK that tries again draws a new boundary."""
    assert print_of(*form("first", b"cat", b"dog")) == print_of(*form("the-second-one", b"cat", b"dog"))


def test_a_form_with_another_picture_is_another_form() -> None:
    """Whatever else its boundary does."""
    assert print_of(*form("one", b"cat")) != print_of(*form("one", b"cat!"))


def test_what_looks_like_another_forms_boundary_is_content() -> None:
    """A part that contains what once was a delimiter is not two parts."""
    two = form("one", b"cat", b"dog")
    glued = form("two", two[1].removeprefix(b'--one\r\nContent-Disposition: form-data; name="a"\r\n\r\n')[:-11])

    assert print_of(*two) != print_of(*glued)


@given(
    boundary=st.sampled_from(["-", "--", "ab", "aab", "0123456789"]),
    body=st.lists(st.sampled_from([b"--", b"-", b"ab", b"aab", b"0123456789", b"\r\n", b"x"]), max_size=30),
    cuts=st.lists(st.integers(0, 100), max_size=8),
)
def test_a_form_counts_the_same_in_any_pieces(boundary: str, body: list[bytes], cuts: list[int]) -> None:
    """Wherever the network cuts it, in mid-boundary too."""
    whole = b"".join(body)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(edges)]
    content_type = f"multipart/form-data; boundary={boundary}"

    assert print_of(content_type, whole) == print_of(content_type, *pieces)
