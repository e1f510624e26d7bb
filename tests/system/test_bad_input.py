"""Whatever is sent, the answer is a clear error in the caller's own shape; nothing is held and nothing is forwarded."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest

from tests.system.conftest import StartWorld
from tests.system.world import Answer, World

BOUNDARY = "----b"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON = {"Content-Type": "application/json"}


def code_of(answer: Answer) -> str:
    """The code in the body, which is also the one in the header."""
    body = answer.json
    code: str = body["code"] if "code" in body else body["error"]["code"]
    assert code == answer.headers["Gatekeeper-Rejection"]
    return code


async def assert_nothing_happened(world: World) -> None:
    """Nothing forwarded, nothing charged, nothing held."""
    assert 0 == (await world.provider())["requests"]
    await world.assert_books_clean()
    for team in world.teams:
        assert 0 == (await world.balance(team)).charged


@pytest.mark.parametrize("path", ["/v1/generations", "/openai/v1/images/generations"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"model": "nano-banana-2", "model": "z-image-turbo", "prompt": "a"}',
        b'{"prompt": NaN}',
        b'{"model": 7, "prompt": "a"}',
        b"[" * 100_000,
    ],
    ids=["empty", "truncated", "null", "list", "not-utf8", "twice", "nan", "wrong-type", "deep"],
)
async def test_unreadable_json_is_malformed(world: World, path: str, body: bytes) -> None:
    """400 malformed_request, whatever is wrong with the form."""
    answer = await world.send("POST", path, await world.key(), data=body, headers=JSON)

    assert (400, "malformed_request") == (answer.status, code_of(answer))
    await assert_nothing_happened(world)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": None}, 422, "missing_parameter"),
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"prompt": None}, 422, "missing_parameter"),
        ({"outputs": 0}, 422, "too_many_outputs"),
        ({"outputs": 10**9}, 422, "too_many_outputs"),
        ({"outputs": "two"}, 400, "malformed_request"),
        ({"outputs": True}, 400, "malformed_request"),
        ({"resolution": "9K"}, 422, "unsupported_resolution"),
        ({"aspect_ratio": "7:3"}, 422, "unsupported_aspect_ratio"),
        ({"size": "100x100", "resolution": None, "aspect_ratio": None}, 422, "unsupported_size"),
        ({"scale": "2x"}, 422, "unsupported_scale"),
        ({"quality": "ultra"}, 422, "unsupported_quality"),
        ({"duration_s": 8}, 422, "unsupported_duration"),
        ({"audio": True}, 422, "unsupported_audio"),
        ({"operation": "video.generate"}, 422, "operation_not_supported"),
        ({"modle": "x"}, 400, "malformed_request"),
    ],
)
async def test_each_wrong_setting_has_its_code(world: World, fields: dict[str, Any], status: int, code: str) -> None:
    """The status and the code belong to the setting that is wrong."""
    sent = {"model": "nano-banana-2", "prompt": "a cat", "resolution": "1K", "aspect_ratio": "1:1", **fields}
    body = {name: value for name, value in sent.items() if value is not None}

    answer = await world.send("POST", "/v1/generations", await world.key(), json=body)

    assert (status, code) == (answer.status, code_of(answer))
    await assert_nothing_happened(world)


async def test_every_violation_is_told_at_once(world: World) -> None:
    """Three wrong settings are three violations, each with what is allowed."""
    answer = await world.native(await world.key(), resolution="9K", aspect_ratio="7:3", outputs=50)

    found = {violation["field"]: violation for violation in answer.json["violations"]}
    assert {"resolution", "aspect_ratio", "outputs"} == set(found)
    assert all(violation["supported"] and violation["nearest"] for violation in found.values())


async def test_alternatives_carry_prices_cheapest_first(world: World) -> None:
    """At most five, each with its exact price."""
    answer = await world.native(await world.key(), resolution=None, aspect_ratio="7:3")

    prices = [alternative["credits"] for alternative in answer.json["alternatives"]]
    assert sorted(prices) == prices
    assert 1 <= len(prices) <= 5
    assert 49 == prices[0]


@pytest.mark.parametrize("key", [None, "gk_wrong", "sk-proj-something", "gk_"])
async def test_without_a_known_key_nothing_is_open(world: World, key: str | None) -> None:
    """401, also for a path that exists nowhere: an unknown caller learns no routes."""
    for path in ("/v1/generations", "/openai/v1/images/generations", "/v1/models", "/nowhere"):
        answer = await world.send("POST", path, key, json={"model": "nano-banana-2", "prompt": "a"})
        assert (401, "unauthenticated") == (answer.status, code_of(answer))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/openai/v1/chat/completions"),
        ("POST", "/openai/v1/images/generations/"),
        ("POST", "/openai//v1/images/generations"),
        ("POST", "/openai/v1/images/../images/generations"),
        ("POST", "/openai/v1/images%2fgenerations"),
        ("GET", "/openai/v1/images/generations"),
        ("POST", "/openai/v1/images/variations"),
        ("POST", "/nobody/v1/images/generations"),
        ("POST", "/openai"),
        ("DELETE", "/v1/generations"),
        ("POST", "/"),
        ("GET", "/v1/unknown"),
    ],
)
async def test_an_unknown_route_is_refused(world: World, method: str, path: str) -> None:
    """403 route_not_gated: there is no way around the gate."""
    key = await world.key()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()

    assert b"403" in head.splitlines()[0]
    assert b"Gatekeeper-Rejection: route_not_gated" in head
    await assert_nothing_happened(world)


async def test_a_body_over_the_limit_is_too_large(start_world: StartWorld) -> None:
    """413, whether the length is declared or the body just keeps coming."""
    world = await start_world(max_body_mb=1)
    key = await world.key()

    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    declared = await world.send("POST", "/v1/generations", key, data=io.BytesIO(b"x" * 2**21), headers=JSON)
    chunked = await world.send("POST", "/v1/generations", key, data=endless(), headers=JSON)

    assert [(413, "payload_too_large")] * 2 == [(a.status, code_of(a)) for a in (declared, chunked)]
    await assert_nothing_happened(world)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'------b\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1.5\r\n',
        b"no boundary at all",
    ],
    ids=["empty", "truncated", "garbage"],
)
async def test_a_broken_multipart_is_malformed(world: World, body: bytes) -> None:
    """400 in OpenAI's shape."""
    answer = await world.send("POST", "/openai/v1/images/edits", await world.key(), data=body, headers=MULTIPART)

    assert (400, "malformed_request") == (answer.status, code_of(answer))
    await assert_nothing_happened(world)


async def test_an_edit_without_a_picture_says_so(world: World) -> None:
    """422 missing_parameter naming the image."""
    form = aiohttp.FormData({"model": "gpt-image-1.5", "prompt": "a hat"})
    form.add_field("unused", b"x", filename="x.txt")

    answer = await world.send("POST", "/openai/v1/images/edits", await world.key(), data=form)

    assert (422, "missing_parameter") == (answer.status, code_of(answer))
    assert "image" in answer.json["error"]["message"]
    await assert_nothing_happened(world)


async def test_a_compressed_body_is_refused(world: World) -> None:
    """What cannot be read cannot be priced."""
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await world.send("POST", "/v1/generations", await world.key(), data=b"\x1f\x8b", headers=headers)

    assert (400, "malformed_request") == (answer.status, code_of(answer))
    await assert_nothing_happened(world)


async def test_a_body_that_ends_early_holds_nothing(world: World) -> None:
    """A client that hangs up in mid-upload leaves no trace in the books."""
    key = await world.key()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(f"POST /v1/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Length: 1000\r\nContent-Type: application/json\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    del reader

    assert "malformed_request" == (await world.event("generation.rejected"))["code"]
    await assert_nothing_happened(world)


async def test_a_body_that_never_comes_is_given_up(start_world: StartWorld) -> None:
    """A slow upload ends in a 400 within its time limit, not in a connection held for ever."""
    world = await start_world(body_timeout_s=0.2)
    key = await world.key()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rpartition(":")[2]))
    writer.write(f"POST /v1/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode())
    writer.write(b"Content-Length: 1000\r\nContent-Type: application/json\r\n\r\n{")
    head = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await writer.wait_closed()

    assert b"400" in head
    await assert_nothing_happened(world)


async def test_a_retired_offer_names_its_replacement(world: World) -> None:
    """gpt-image-1 is gone at OpenAI; the refusal says what to use."""
    answer = await world.openai(await world.key(), model="gpt-image-1")

    assert (404, "model_retired") == (answer.status, code_of(answer))
    assert "Use " in answer.json["error"]["message"]
    await assert_nothing_happened(world)


async def test_a_model_that_the_team_may_not_use_is_refused(world: World) -> None:
    """403: the deny list wins over the allow list."""
    key = await world.key(models_allow=("*",), models_deny=("nano-*",))

    answer = await world.native(key)

    assert (403, "model_not_allowed") == (answer.status, code_of(answer))
    await assert_nothing_happened(world)


async def test_a_frozen_team_is_refused(world: World) -> None:
    """403 team_frozen, decided in the hold's own step."""
    answer = await world.native(await world.key(frozen=True))

    assert (403, "team_frozen") == (answer.status, code_of(answer))
    await assert_nothing_happened(world)


async def test_a_frozen_team_is_offered_nothing_else(world: World) -> None:
    """No other request of it would pass, not even this one again."""
    answer = await world.native(await world.key(frozen=True))

    assert not answer.json.get("alternatives")


async def test_the_rejection_is_the_same_in_answer_log_and_metric(world: World) -> None:
    """One code in all three places."""
    answer = await world.native(await world.key(), aspect_ratio="7:3")

    line = await world.event("generation.rejected")
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        metrics = await response.text()
    assert code_of(answer) == line["code"]
    assert answer.json["request_id"] == line["request_id"] == answer.headers["Gatekeeper-Request-Id"]
    assert f'gatekeeper_rejections_total{{code="{line["code"]}"}} 1.0' in metrics


async def test_a_native_refusal_has_the_published_shape(world: World) -> None:
    """RFC 9457 with the facts beside it."""
    answer = await world.native(await world.key("10"))

    body = answer.json
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert {"type", "title", "status", "detail", "code", "request_id", "retryable", "credits"} <= set(body)
    assert {"required": 49, "available": 10, "held": 0, "limits": [], "fits_after_release": False} == body["credits"]
    assert json.loads(answer.body) == body
