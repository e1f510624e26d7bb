"""Requests: whole, and never twice the same."""

import json

import fal_client
import pytest

from benchmarks.servers import KEY, MODEL
from benchmarks.traffic import FAL_AGENT, Generations, fal_polls, gets, in_turn, prompts

URL = "http://127.0.0.1:1/openai/v1"


def bodies(count: int, **changes: bool) -> list[dict[str, object]]:
    """The documents of the next requests."""
    make = Generations(URL, **changes).maker()
    return [json.loads(make().partition(b"\r\n\r\n")[2]) for _ in range(count)]


def test_no_two_requests_are_alike() -> None:
    """Prompts differ in each; sizes, qualities and outputs take turns that do not move together."""
    asked = bodies(2000)

    assert 2000 == len({str(body["prompt"]) for body in asked})
    assert 4 * 4 * 3 == len({(body["size"], body["quality"], body["n"]) for body in asked})
    assert {MODEL} == {body["model"] for body in asked}


def test_the_length_is_right() -> None:
    """What a server reads to its end."""
    head, _, body = Generations(URL).maker()().partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert head.startswith(b"POST /openai/v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")


def test_an_idempotency_key_is_never_used_twice() -> None:
    """Not by another maker either, or answers would come from the ledger."""
    makers = [Generations(URL, once=True).maker() for _ in range(2)]

    found = {line for make in makers for line in (make() + make()).split(b"\r\n") if line.startswith(b"Idempotency")}

    assert 4 == len(found)


def test_makers_take_turns() -> None:
    """Round and round."""
    make = in_turn([gets(f"{URL}/{name}") for name in "ab"])

    assert [b"a", b"b", b"a"] == [make().split(b" ")[1][-1:] for _ in range(3)]


def test_a_poll_is_as_fals_client_asks() -> None:
    """The same path, query and headers, though every client has a key and a version of its own."""
    sdk = fal_client.SyncClient(key=KEY)._client  # nothing else of it tells what it would send
    asked = sdk.build_request("GET", f"{URL}/job-1/status", params={"logs": False})

    head, *lines = fal_polls(f"{URL}/job-1")().decode().strip().split("\r\n")

    assert f"GET {asked.url.raw_path.decode()} HTTP/1.1" == head
    wanted = {name.decode(): value.decode() for name, value in asked.headers.raw}
    assert wanted | {"User-Agent": FAL_AGENT} == dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("seed", [1, 2])
def test_prompts_of_a_seed_are_always_the_same(seed: int) -> None:
    """Two runs ask the same things."""
    first, second = prompts(seed), prompts(seed)

    assert [next(first) for _ in range(5)] == [next(second) for _ in range(5)]
