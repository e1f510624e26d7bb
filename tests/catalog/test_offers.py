"""Requests as each provider's own clients write them: they reach the right row, and cost what its list says.

This is where names, spellings of lengths and tiers, and prices meet; what a dialect reads is told in `tests/dialects`.
"""

import io
from datetime import date
from typing import Any

import orjson
import pytest
from PIL import Image

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import credits_text
from gatekeeper.core.price import worth
from gatekeeper.core.rejection import Code, Violation
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.spec import Lifecycle, ModelSpec, Status
from gatekeeper.core.validate import validate
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import each_case

KLING = "/v1/videos/text2video"
ARK = "/contents/generations/tasks"
WAN = "/services/aigc/video-generation/video-synthesis"
VERTEX = "/v1beta1/projects/p/locations/l/publishers/google/models"
FORM = "multipart/form-data; boundary=b"
PICTURE = "https://a.example/kite.png"
TEXT = {"type": "text", "text": "a kite"}
MOVIE = {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}, "role": "reference_video"}

Checked = ValidRequest | tuple[Violation, ...]

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
    ("recraft", "/v1/images/imageToImage", {"model": "recraftv4", "image": PICTURE, "strength": 0.5}, "24"),
    ("recraft", "/v1/images/imageToImage", {"model": "recraftv4_pro", "image": PICTURE, "n": 2}, "300"),
]

RUNWAYS_PICTURES: list[tuple[dict[str, Any], str]] = [
    ({"model": "gemini_image3_pro", "ratio": "2752:1536"}, "80"),
    ({"model": "gemini_image3_pro", "ratio": "4096:4096"}, "160"),
    ({"model": "gemini_image3.1_flash", "ratio": "1024:1024"}, "49"),
    ({"model": "gemini_image3.1_flash", "ratio": "3168:1344"}, "73.5"),
    ({"model": "gemini_2.5_flash", "ratio": "1344:768"}, "24"),
    ({"model": "seedream5_lite", "ratio": "4096:2304", "outputCount": 2}, "40"),
    ({"model": "grok_imagine_image_2", "ratio": "1280:720"}, "12.66"),
    ({"model": "grok_imagine_image_2", "ratio": "auto_2k", "quality": "low"}, "12.66"),
    ({"model": "grok_imagine_image_2", "ratio": "2048:2048", "referenceImages": [{"uri": PICTURE}] * 2}, "21.1"),
]

FALS_OWN: list[tuple[str, dict[str, Any], str]] = [
    ("fal-ai/nano-banana-2/edit", {"image_urls": [PICTURE], "resolution": "2K", "aspect_ratio": "auto"}, "73.5"),
    ("fal-ai/nano-banana-pro", {"resolution": "4K", "aspect_ratio": "21:9"}, "160"),
    ("fal-ai/nano-banana-pro/edit", {"image_urls": [PICTURE, PICTURE]}, "80"),
    ("fal-ai/nano-banana/edit", {"image_urls": [PICTURE]}, "24"),
    ("fal-ai/bytedance/seedream/v4.5/text-to-image", {"image_size": {"width": 2048, "height": 2048}}, "24"),
    ("fal-ai/bytedance/seedream/v4.5/edit", {"image_urls": [PICTURE], "image_size": "auto_4K"}, "24"),
    ("fal-ai/bytedance/seedream/v4/edit", {"image_urls": [PICTURE], "num_images": 2, "max_images": 3}, "108"),
    ("bytedance/seedream/v5/lite/edit", {"image_urls": [PICTURE]}, "20"),
    ("fal-ai/flux-2-pro/edit", {"image_urls": [PICTURE]}, "28"),
    ("fal-ai/flux-2-max/edit", {"image_urls": [PICTURE]}, "50"),
    ("fal-ai/ideogram/v3", {"rendering_speed": "BALANCED", "image_size": "square_hd"}, "25"),
    ("fal-ai/ideogram/v3/edit", {"image_url": PICTURE, "mask_url": PICTURE, "rendering_speed": "TURBO"}, "25"),
    ("fal-ai/ideogram/v3/remix", {"image_url": PICTURE, "num_images": 2}, "50"),
    ("fal-ai/z-image/turbo", {"image_size": {"width": 1024, "height": 768}}, "5"),
    ("fal-ai/minimax/image-01", {"aspect_ratio": "16:9", "num_images": 3}, "18"),
    ("fal-ai/veo3.1/fast/image-to-video", {"image_url": PICTURE, "duration": "8s", "generate_audio": False}, "135.04"),
    ("fal-ai/minimax/hailuo-02/standard/text-to-video", {"duration": "10"}, "118.16"),
    (
        "bytedance/seedance-2.0/text-to-video",
        {"resolution": "720p", "aspect_ratio": "16:9", "duration": "5"},
        "228.096",
    ),
]

NOTHING_SAID: list[tuple[str, str, dict[str, Any], str]] = [
    ("luma", "/generations/video", {"model": "ray-2"}, "215.22"),
    ("luma", "/generations/video", {"model": "ray-flash-2"}, "71.74"),
    ("fal", "/queue/fal-ai/luma-dream-machine/ray-2", {}, "120.27"),
    ("kling", KLING, {"model_name": "kling-v3", "mode": "pro", "sound": "on"}, "177.25"),
    ("runway", "/v1/text_to_video", {"model": "kling3.0_pro", "audio": True}, "531.75"),
    ("xai", "/videos/generations", {"model": "grok-imagine-video-1.5", "resolution": "480p"}, "193.12"),
    ("runway", "/v1/text_to_video", {"model": "grok_imagine_1_5", "resolution": "480p"}, "362.1"),
]
"""What each seller makes then; where that is not known, the longest."""


def ask(catalog: Catalog, dialect: str, path: str, body: bytes, form: str = "") -> tuple[ModelSpec, Checked]:
    """What a body at a provider's path asks for, as that provider sells it."""
    spoken = DIALECTS[dialect]
    route = spoken.find_route("POST", path)
    assert route is not None
    asked = spoken.read_request(route, form or "application/json", [body])
    offered = catalog.offered(dialect, asked.model or "")
    assert offered is not None, asked.model
    model, offer = offered
    assert offer.operations is None or model.operation_meant(asked) in offer.operations
    return model, validate(model.sold_as(offer), asked)


def costs(asked: tuple[ModelSpec, Checked]) -> str:
    model, valid = asked
    assert isinstance(valid, ValidRequest), valid
    return credits_text(worth(model, valid).credits)


def total(catalog: Catalog, dialect: str, path: str, body: dict[str, Any]) -> str:
    """What a body at a provider's path costs."""
    return costs(ask(catalog, dialect, path, orjson.dumps(body)))


def form_of(image: bytes | None, **fields: str) -> bytes:
    """A form with these fields and a picture."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    if image is not None:
        head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        parts.append(head + image + b"\r\n")
    return b"".join([*parts, b"--b--\r\n"])


def picture(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


def written(dialect: str, said: dict[str, Any]) -> dict[str, Any]:
    """With the prompt where this provider wants it."""
    if dialect == "dashscope":
        settings = {name: value for name, value in said.items() if name != "model"}
        return {"model": said["model"], "input": {"prompt": "a kite"}, "parameters": settings}
    return {**said, ("promptText" if dialect == "runway" else "prompt"): "a kite"}


@each_case(("dialect", "path", "said", "credits"), CASES)
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


@each_case(
    ("model", "given", "credits"),
    [
        ("google/veo-3.1", {"duration": 8, "resolution": "1080p", "generate_audio": True}, "675.2"),
        ("lightricks/ltx-2-pro", {"duration": 8, "resolution": "1080p"}, "101.28"),
        ("bytedance/seedance-2.0", {"resolution": "720p", "aspect_ratio": "16:9"}, "228.096"),
        ("google/veo-3.1-fast", {}, "202.56"),
        ("google/veo-3.1-fast", {"resolution": "720p", "duration": 4, "generate_audio": False}, "67.52"),
        ("google/nano-banana-pro", {"resolution": "4K", "image_input": [PICTURE]}, "160"),
        ("google/nano-banana-2", {"aspect_ratio": "match_input_image", "image_input": [PICTURE]}, "49"),
        ("google/nano-banana", {}, "24"),
        ("bytedance/seedream-4.5", {"size": "4K", "aspect_ratio": "16:9"}, "24"),
        ("bytedance/seedream-4", {"sequential_image_generation": "auto", "max_images": 4}, "72"),
        ("bytedance/seedream-5-lite", {"size": "3K"}, "20"),
        ("recraft-ai/recraft-v4", {"size": "1344x768"}, "24"),
        ("ideogram-ai/ideogram-v3-turbo", {"aspect_ratio": "16:9", "resolution": "None"}, "25"),
        ("ideogram-ai/ideogram-v3-balanced", {"resolution": "1312x736", "image": PICTURE}, "25"),
        ("black-forest-labs/flux-1.1-pro-ultra", {"aspect_ratio": "16:9"}, "36"),
        ("black-forest-labs/flux-dev", {"aspect_ratio": "1:1", "num_outputs": 4, "megapixels": "1"}, "20"),
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


@each_case(("said", "credits"), RUNWAYS_PICTURES)
def test_runways_pictures(shipped: Catalog, said: dict[str, Any], credits: str) -> None:  # noqa: A002
    """By the pixels of each tier; what its Grok costs more or less is what the list says."""
    assert credits == total(shipped, "runway", "/v1/text_to_image", {"promptText": "a kite", **said})


@each_case(
    ("model", "ratio"),
    [
        ("gemini_image3_pro", "1344:768"),
        ("gemini_image3.1_flash", "1184:864"),
        ("gemini_image3.1_flash", "512:512"),
        ("gemini_image3.1_flash", "2048:8192"),
        ("gemini_2.5_flash", "1536:672"),
        ("grok_imagine_image_2", "3200:1440"),
        ("seedream5_lite", "4096:4096"),
    ],
)
def test_runways_sizes_that_have_no_price_are_refused(shipped: Catalog, model: str, ratio: str) -> None:
    """Gemini's first tier has other pixels there, and some shapes and tiers are on no list."""
    body = orjson.dumps({"model": model, "promptText": "a kite", "ratio": ratio})

    _, found = ask(shipped, "runway", "/v1/text_to_image", body)

    assert isinstance(found, tuple)
    assert {Code.UNSUPPORTED_SIZE} == {violation.code for violation in found}


@each_case(("model", "said", "credits"), FALS_OWN)
def test_fals_inputs(shipped: Catalog, model: str, said: dict[str, Any], credits: str) -> None:  # noqa: A002
    """Making and editing are two addresses there, at one price."""
    assert credits == total(shipped, "fal", f"/queue/{model}", {"prompt": "a kite", **said})


@each_case(("dialect", "path", "said", "credits"), NOTHING_SAID)
def test_nothing_said_is_what_the_seller_makes(
    shipped: Catalog,
    dialect: str,
    path: str,
    said: dict[str, Any],
    credits: str,  # noqa: A002
) -> None:
    """A default of the offer counts there alone."""
    assert credits == total(shipped, dialect, path, written(dialect, said))


@each_case(
    ("action", "fields", "credits"),
    [
        ("generate", {"aspect_ratio": "16x9", "num_images": "2"}, "50"),
        ("generate", {"resolution": "1312x736", "rendering_speed": "FLASH"}, "25"),
        ("edit", {"rendering_speed": "TURBO"}, "25"),
        ("remix", {"rendering_speed": "DEFAULT", "num_images": "8"}, "200"),
        ("replace-background", {}, "25"),
    ],
)
def test_ideogram_at_every_speed_but_the_dearest(
    shipped: Catalog,
    action: str,
    fields: dict[str, str],
    credits: str,  # noqa: A002
) -> None:
    """One price for a picture, made or edited."""
    body = form_of(None if action == "generate" else picture(64, 64), prompt="a kite", **fields)

    assert credits == costs(ask(shipped, "ideogram", f"/v1/ideogram-v3/{action}", body, FORM))


def test_ideograms_dearest_speed_is_refused(shipped: Catalog) -> None:
    """No list has a price for it."""
    body = form_of(None, prompt="a kite", rendering_speed="QUALITY")

    _, found = ask(shipped, "ideogram", "/v1/ideogram-v3/generate", body, FORM)

    assert isinstance(found, tuple)
    assert [(Code.UNSUPPORTED_QUALITY, "QUALITY")] == [(v.code, v.requested) for v in found]


@each_case("model", ["Standard V2", "Low Resolution V2", "CGI", "High Fidelity V2", "Text Refine"])
@each_case(("width", "credits"), [("3840", "41"), ("5760", "83"), ("7680", "124")])
def test_topaz_by_the_picture_in_the_form(shipped: Catalog, model: str, width: str, credits: str) -> None:  # noqa: A002
    """1920x1080 at 2x is the example of the list: 41."""
    body = form_of(picture(1920, 1080), model=model, output_width=width)

    assert credits == costs(ask(shipped, "topaz", "/image/v1/enhance/async", body, FORM))


@each_case(
    ("provider", "upstream_id", "sunset", "replacement"),
    [
        ("kling", "kling-v1-5", "2026-09-15", "kling-2.5-turbo-pro"),
        ("kling", "kling-v1-6", "2026-09-15", "kling-2.5-turbo-pro"),
        ("kling", "kling-v2-1", "2026-09-15", "kling-2.5-turbo-pro"),
        ("kling", "kling-v2-1-master", "2026-09-15", "kling-2.6-pro"),
        ("openai", "dall-e-2", "2026-05-12", "gpt-image-2"),
        ("openai", "dall-e-3", "2026-05-12", "gpt-image-2"),
        ("openai", "sora-2-2025-12-08", "2026-09-24", "veo-3.1"),
        ("openai", "sora-2-pro-2025-10-06", "2026-09-24", "veo-3.1"),
        ("gemini", "veo-3.0-generate-001", "2026-06-30", "veo-3.1"),
        ("gemini", "veo-3.0-fast-generate-001", "2026-06-30", "veo-3.1-fast"),
        ("gemini", "veo-3.1-generate-preview", "2026-10-22", "veo-3.1"),
        ("gemini", "gemini-3-pro-image-preview", "2026-06-25", "nano-banana-pro"),
        ("gemini", "gemini-3.1-flash-image-preview", "2026-06-25", "nano-banana-2"),
        ("gemini", "gemini-2.5-flash-image-preview", "2026-01-15", "nano-banana-2"),
        ("gemini", "imagen-4.0-ultra-generate-001", "2026-08-17", "nano-banana-2"),
        ("xai", "grok-imagine-image-quality", "2026-11-02", "grok-imagine-image-2"),
    ],
)
def test_what_has_ended_is_known_to_have_ended(
    shipped: Catalog, provider: str, upstream_id: str, sunset: str, replacement: str
) -> None:
    """So a request for it is told since when, and what to take instead."""
    found = shipped.offered(provider, upstream_id)

    assert found is not None
    assert Lifecycle(Status.RETIRED, date.fromisoformat(sunset), replacement) == found[1].lifecycle
