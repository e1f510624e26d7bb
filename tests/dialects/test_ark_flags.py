"""Settings in the text of a prompt: read wherever they stand, and nothing of the prompt told."""

import json

import pytest

from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects import ark
from tests.dialects.samples import in_pieces

PICTURE = "data:image/png;base64," + "A" * 200_000
"""What makes a body so large that its long texts are only measured."""


def read(text: str, **fields: object) -> GenerationRequest:
    route = ark.find_route("POST", "/contents/generations/tasks")
    assert route is not None
    content = [{"type": "image_url", "image_url": {"url": PICTURE}}, {"type": "text", "text": text}]
    body = json.dumps({"model": "m", "content": content, **fields}).encode()
    return ark.read_request(route, "application/json", in_pieces(body, 65_536))


def test_a_setting_behind_a_long_prompt_beside_a_picture_is_read() -> None:
    """The end of a text is where callers put settings, and where a shortened one would lose them."""
    request = read("kite " * 2_000 + "--rs 1080p --dur 12")

    assert ("1080p", 12) == (request.resolution, request.duration_s)


def test_a_text_too_long_to_be_read_beside_a_picture_is_refused() -> None:
    """What cannot be looked through for settings does not pass."""
    with pytest.raises(Rejected, match="read whole"):
        read("kite " * 4_000 + "--dur 12")


def test_nothing_of_the_text_is_told() -> None:
    """A refusal names the setting and not the words behind it."""
    with pytest.raises(Rejected) as caught:
        read("a secret kite --ratio secret-wide")

    assert "secret" not in str(caught.value.rejection)
