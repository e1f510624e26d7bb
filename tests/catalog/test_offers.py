"""Requests as each provider's own clients write them: they reach the right row, and cost what its list says.

This is where names, spellings of lengths and tiers, and prices meet; what a dialect reads is told in `tests/dialects`.
"""

from typing import Any

import orjson
import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import credits_text
from gatekeeper.core.price import worth
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.validate import validate
from gatekeeper.dialects.registry import DIALECTS

KLING = "/v1/videos/text2video"
ARK = "/contents/generations/tasks"
WAN = "/services/aigc/video-generation/video-synthesis"
VERTEX = "/v1beta1/projects/p/locations/l/publishers/google/models"
TEXT = {"type": "text", "text": "a kite"}
MOVIE = {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}, "role": "reference_video"}

CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("kling", KLING, {"model_name": "kling-v2-6", "duration": "5", "mode": "pro", "sound": "on"}, "147.7"),
    ("kling", KLING, {"model_name": "kling-v3", "duration": "10", "mode": "std", "sound": "off"}, "177.2"),
    ("kling", KLING, {"model_name": "kling-v2-5-turbo", "duration": "10", "mode": "pro"}, "147.7"),
    ("minimax", "/v1/video_generation", {"model": "MiniMax-Hailuo-2.3", "duration": 6, "resolution": "768P"}, "59.08"),
    ("minimax", "/v1/video_generation", {"model": "MiniMax-Hailuo-02", "duration": 6, "resolution": "1080P"}, "103.39"),
    ("dashscope", WAN, {"model": "wan2.5-t2v-preview", "size": "1280*720", "duration": 5}, "105.5"),
    ("dashscope", WAN, {"model": "wan2.6-t2v", "size": "1920*1080", "duration": 15}, "474.75"),
    ("runway", "/v1/text_to_video", {"model": "gen4.5", "ratio": "1280:720", "duration": 5}, "126.6"),
    ("runway", "/v1/text_to_video", {"model": "veo3.1", "ratio": "1920:1080", "duration": 8, "audio": True}, "675.2"),
    ("runway", "/v1/text_to_video", {"model": "seedance2", "ratio": "1280:720", "duration": "auto"}, "684.288"),
    ("luma", "/generations/video", {"model": "ray-2", "resolution": "1080p", "duration": "9s"}, "865.1"),
    ("xai", "/videos/generations", {"model": "grok-imagine-video", "duration": 15, "resolution": "720p"}, "221.55"),
    ("xai", "/images/generations", {"model": "grok-imagine-image-2.0", "resolution": "2k", "quality": "low"}, "12.66"),
    ("bfl", "/v1/flux-3-video", {"mode": "t2v", "resolution": "fhd", "duration": 5}, "437.5"),
    ("bfl", "/v1/flux-2-flex", {"width": 2048, "height": 1024}, "21.1"),
    ("fal", "/queue/fal-ai/veo3.1/fast", {"duration": "8s", "resolution": "720p", "generate_audio": True}, "168.8"),
    ("fal", "/queue/fal-ai/kling-video/v2.5-turbo/pro/text-to-video", {"duration": "5"}, "73.85"),
    ("openai", "/v1/images/generations", {"model": "gpt-image-2", "size": "1024x1024", "quality": "high"}, "40.09"),
    ("openai", "/v1/videos", {"model": "sora-2", "seconds": "12", "size": "1280x720"}, "253.2"),
    ("recraft", "/v1/images/generations", {"model": "recraftv4_1", "size": "16:9", "n": 2}, "14.78"),
    ("ark", "/images/generations", {"model": "seedream-5-0-pro-260628", "size": "2048x2048"}, "18.99"),
]


def total(catalog: Catalog, dialect: str, path: str, body: dict[str, Any]) -> str:
    """What a body at a provider's path costs."""
    spoken = DIALECTS[dialect]
    route = spoken.find_route("POST", path)
    assert route is not None
    asked = spoken.read_request(route, "application/json", [orjson.dumps(body)])
    offered = catalog.offered(dialect, asked.model or "")
    assert offered is not None, asked.model
    valid = validate(offered[0], asked)
    assert isinstance(valid, ValidRequest), valid
    return credits_text(worth(offered[0], valid).credits)


def written(dialect: str, said: dict[str, Any]) -> dict[str, Any]:
    """With the prompt where this provider wants it."""
    if dialect == "dashscope":
        settings = {name: value for name, value in said.items() if name != "model"}
        return {"model": said["model"], "input": {"prompt": "a kite"}, "parameters": settings}
    return {**said, ("promptText" if dialect == "runway" else "prompt"): "a kite"}


@pytest.mark.parametrize(("dialect", "path", "said", "credits"), CASES)
def test_a_request_costs_what_the_list_says(
    shipped: Catalog,
    dialect: str,
    path: str,
    said: dict[str, Any],
    credits: str,  # noqa: A002
) -> None:
    """In every spelling of tiers, lengths and sound."""
    assert credits == total(shipped, dialect, path, written(dialect, said))


@pytest.mark.parametrize(
    ("content", "credits"), [([TEXT], "228.096"), ([TEXT, MOVIE], "560.304")], ids=["from a text", "with a video"]
)
def test_ark_counts_the_video_that_goes_in(shipped: Catalog, content: list[Any], credits: str) -> None:  # noqa: A002
    """108,000 tokens at 2.112 a thousand, or 432,000 at 1.297."""
    said = {"model": "dreamina-seedance-2-0-260128", "resolution": "720p", "ratio": "16:9", "duration": 5}

    assert credits == total(shipped, "ark", ARK, {**said, "content": content})


@pytest.mark.parametrize(
    ("model", "more", "credits"),
    [
        ("veo-3.1-generate-001", {"resolution": "1080p", "durationSeconds": 8, "generateAudio": True}, "675.2"),
        ("veo-3.1-fast-generate-001", {"durationSeconds": 4, "generateAudio": False, "sampleCount": 2}, "135.04"),
        ("veo-3.1-lite-generate-001", {}, "84.4"),
    ],
)
def test_veo_on_vertex(shipped: Catalog, model: str, more: dict[str, Any], credits: str) -> None:  # noqa: A002
    """Two samples cost twice one; nothing said is 8 seconds with sound at 720p, the dearest."""
    said = {"instances": [{"prompt": "a kite"}], "parameters": more}

    assert credits == total(shipped, "gemini", f"{VERTEX}/{model}:predictLongRunning", said)


@pytest.mark.parametrize(
    ("model", "given", "credits"),
    [
        ("google/veo-3.1", {"duration": 8, "resolution": "1080p", "generate_audio": True}, "675.2"),
        ("lightricks/ltx-2-pro", {"duration": 8, "resolution": "1080p"}, "101.28"),
        ("bytedance/seedance-2.0", {"duration": 5, "resolution": "720p", "aspect_ratio": "16:9"}, "228.096"),
    ],
)
def test_replicates_inputs(shipped: Catalog, model: str, given: dict[str, Any], credits: str) -> None:  # noqa: A002
    """One level down, each model with its own names."""
    said = {"input": {"prompt": "a kite", **given}}

    assert credits == total(shipped, "replicate", f"/v1/models/{model}/predictions", said)


def test_omni_is_asked_for_in_seconds_with_their_unit(shipped: Catalog) -> None:
    """8 seconds at 22.155."""
    shape = {"type": "video", "aspect_ratio": "16:9", "resolution": "1080p", "duration": "8s"}
    said = {"model": "gemini-omni-1.2-flash", "input": "a kite", "response_format": shape}

    assert "177.24" == total(shipped, "gemini", "/v1/interactions", said)
