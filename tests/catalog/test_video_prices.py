"""What videos cost, held against figures copied from the published lists and not against the catalog's own.

Each total is written out as a person would do it on paper from the list, in decimals. Tokens are seconds x width x
height x 24 / 1024.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import credits_text
from gatekeeper.core.price import Quote, worth
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.spec import ModelSpec, Status
from gatekeeper.core.validate import validate
from tests.cases import each_case


def priced(catalog: Catalog, model_id: str, **asked: Any) -> Quote:
    """The quote of a request that the model takes; seconds may be written as whole numbers."""
    model = catalog.find(model_id)
    assert model is not None
    seconds = {"duration_s": Fraction(asked.pop("s"))} if "s" in asked else {}
    valid = validate(model, GenerationRequest(prompt_length=5, **seconds, **asked))
    assert isinstance(valid, ValidRequest), valid
    return worth(model, valid)


def by_hand(*factors: str) -> str:
    """The product of these figures as the shortest exact decimal."""
    product = Decimal(1)
    for factor in factors:
        product *= Decimal(factor)
    return f"{product.normalize():f}"


@each_case(
    ("model_id", "tier", "seconds", "audio", "total"),
    [
        ("veo-3.1", "1080p", 8, True, "675.2"),
        ("veo-3.1", "720p", 8, False, "337.6"),
        ("veo-3.1", "720p", 4, True, "337.6"),
        ("veo-3.1", "4k", 8, True, "1012.8"),
        ("veo-3.1-fast", "720p", 6, True, "126.6"),
        ("veo-3.1-fast", "1080p", 8, False, "168.8"),
        ("veo-3.1-fast", "4k", 8, True, "506.4"),
        ("veo-3.1-lite", "1080p", 8, True, "135.04"),
        ("sora-2", "720p", 12, True, "253.2"),
        ("kling-2.5-turbo-pro", "1080p", 5, False, "73.85"),
        ("kling-2.5-turbo-pro", "1080p", 10, False, "147.7"),
        ("kling-2.6-pro", "1080p", 10, True, "295.4"),
        ("kling-3.0", "720p", 3, False, "53.16"),
        ("kling-3.0", "1080p", 10, True, "354.5"),
        ("kling-3.0", "4k", 15, False, "1329.3"),
        ("kling-3.0-omni", "1080p", 5, True, "147.7"),
        ("kling-3.0-turbo", "720p", 5, True, "118.15"),
        ("wan-2.5", "1080p", 10, True, "316.5"),
        ("wan-2.6", "720p", 15, False, "316.5"),
        ("hailuo-02", "768p", 10, False, "118.16"),
        ("hailuo-02", "1080p", 6, False, "103.39"),
        ("hailuo-2.3", "768p", 6, False, "59.08"),
        ("hailuo-2.3-fast", "768p", 10, False, "67.52"),
        ("gen-4-turbo", "720p", 10, False, "150.9"),
        ("gen-4.5", "720p", 10, False, "253.2"),
        ("ray-2", "720p", 5, False, "215.22"),
        ("ray-2", "1080p", 9, False, "865.1"),
        ("ray-flash-2", "4k", 9, False, "1192.15"),
        ("ray-3.2", "720p", 10, False, "189.9"),
        ("grok-imagine-video", "720p", 15, True, "221.55"),
        ("grok-imagine-video-1.5", "1080p", 8, True, "603.44"),
        ("ltx-2-pro", "4K", 10, True, "506.4"),
        ("ltx-2-fast", "1080p", 20, False, "168.8"),
        ("vidu-q2", "720p", 5, False, "36.925"),
        ("vidu-q2", "1080p", 8, False, "94.95"),
        ("vidu-q2", "720p", 1, False, "15.825"),
        ("pixverse-v6", "720p", 8, True, "289.68"),
        ("pixverse-v6", "360p", 1, False, "15.09"),
        ("flux-3-video", "1080p", 20, True, "1750"),
        ("gemini-omni-flash-1.1", "1080p", 10, True, "458.7"),
    ],
)  # fmt: skip
def test_a_published_total(shipped: Catalog, model_id: str, tier: str, seconds: int, audio: bool, total: str) -> None:
    """The list's figure for this length, tier and sound, to the last decimal."""
    found = priced(shipped, model_id, resolution=tier, s=seconds, audio=audio)

    assert (total, False) == (credits_text(found.credits), found.upper_bound)


@each_case(
    ("model_id", "tier", "ratio", "seconds", "pixels", "each"),
    [
        ("seedance-1.0-pro", "480p", "16:9", 10, ("864", "480"), "0.0005275"),
        ("seedance-1.0-pro", "1080p", "1:1", 5, ("1440", "1440"), "0.0005275"),
        ("seedance-1.0-pro-fast", "720p", "16:9", 10, ("1248", "704"), "0.000211"),
        ("seedance-2.0", "720p", "16:9", 5, ("1280", "720"), "0.002112"),
        ("seedance-2.0", "1080p", "9:16", 15, ("1080", "1920"), "0.002323"),
        ("seedance-2.0", "4k", "16:9", 4, ("3840", "2160"), "0.001207"),
        ("seedance-2.0-fast", "480p", "21:9", 15, ("992", "432"), "0.00169"),
        ("seedance-2.0-mini", "720p", "4:3", 8, ("1112", "834"), "0.001056"),
    ],
)
def test_tokens_are_seconds_times_pixels_times_frames(
    shipped: Catalog, model_id: str, tier: str, ratio: str, seconds: int, pixels: tuple[str, str], each: str
) -> None:
    """At the list's price of one token, rounded to a millionth of a credit."""
    tokens = by_hand(str(seconds), *pixels, "24", "0.0009765625")
    exact = Decimal(by_hand(tokens, each))

    found = priced(shipped, model_id, resolution=tier, aspect_ratio=ratio, s=seconds)

    assert exact.quantize(Decimal("0.000001"), "ROUND_HALF_UP") == Decimal(credits_text(found.credits))


@each_case(
    ("tier", "audio", "cents"),
    [
        ("480p", False, {12}),
        ("480p", True, {23, 24}),
        ("720p", False, {26}),
        ("720p", True, {52}),
        ("1080p", False, {58, 59}),
        ("1080p", True, {117, 118}),
    ],
)
def test_ten_seconds_of_seedance_1_5_cost_about_what_the_list_says(
    shipped: Catalog, tier: str, audio: bool, cents: set[int]
) -> None:
    """The list's examples are whole US cents, at 211 credits a dollar; sound doubles the rate."""
    ratios = ("16:9", "4:3", "1:1", "21:9")

    found = [priced(shipped, "seedance-1.5-pro", resolution=tier, aspect_ratio=r, s=10, audio=audio) for r in ratios]

    assert {round(Decimal(credits_text(each.credits)) / 211 * 100) for each in found} <= cents


def test_a_video_that_goes_in_is_held_at_its_longest(shipped: Catalog) -> None:
    """5 seconds out and 15 in, 20 x 1280 x 720 x 24 / 1024 = 432,000 tokens at 1.297 a thousand."""
    found = priced(shipped, "seedance-2.0", resolution="720p", aspect_ratio="16:9", s=5, input_video=True)

    assert "560.304" == credits_text(found.credits)


def test_pictures_that_go_in_cost_on_top(shipped: Catalog) -> None:
    """8 seconds at 480p and one picture: 8 x 10.55 + 0.422, and 8 x 24.14 + 2 x 3.02 with two."""
    one = priced(shipped, "grok-imagine-video", resolution="480p", s=8, reference_images=1)
    two = priced(shipped, "grok-imagine-video-1.5", resolution="480p", s=8, reference_images=2)

    assert ["84.822", "199.16"] == [credits_text(each.credits) for each in (one, two)]


@each_case(
    ("model_id", "asked", "total"),
    [
        ("gpt-image-2", {"size": "1024x1024", "quality": "high"}, "40.09"),
        ("gpt-image-2", {"size": "1536x1024", "quality": "low", "outputs": 3}, "12.66"),
        ("grok-imagine-image-2", {"resolution": "2k", "quality": "medium"}, "16.88"),
        ("seedream-5.0-pro", {"resolution": "2K", "reference_images": 2}, "20.25"),
        ("recraft-v4.1", {"aspect_ratio": "16:9", "outputs": 2}, "14.78"),
        ("recraft-v4.1-pro", {}, "44.31"),
        ("flux-2-flex", {}, "10.55"),
        ("flux-2-flex", {"size": "2048x2048"}, "42.2"),
        ("imagineart-2.0", {"aspect_ratio": "4:1"}, "25"),
    ],
)
def test_newer_pictures_cost_what_their_list_says(
    shipped: Catalog, model_id: str, asked: dict[str, Any], total: str
) -> None:
    """By quality, by tier with pictures that go in, by begun megapixels."""
    assert total == credits_text(priced(shipped, model_id, **asked).credits)


@each_case(
    ("model_id", "asked", "total"),
    [
        ("veo-3.1", {}, "675.2"),
        ("veo-3.1", {"resolution": "auto"}, "1012.8"),
        ("kling-3.0", {"duration_auto": True, "audio": False, "resolution": "720p"}, "265.8"),
        ("hailuo-02", {"resolution": "auto", "duration_auto": True}, "118.16"),
        ("seedance-2.0", {"duration_auto": True, "aspect_ratio": "16:9"}, "684.288"),
        ("gpt-image-2", {"quality": "auto", "size": "1024x1024"}, "40.09"),
    ],
)
def test_what_is_left_open_is_quoted_at_its_dearest(
    shipped: Catalog, model_id: str, asked: dict[str, Any], total: str
) -> None:
    """Sound, length, tier and quality; only what is sold together counts."""
    found = priced(shipped, model_id, **asked)

    assert (total, True) == (credits_text(found.credits), found.upper_bound)


def videos(catalog: Catalog) -> list[ModelSpec]:
    """Every model that makes videos."""
    return [model for model in catalog.models if Operation.VIDEO_GENERATE in model.operations]


def test_there_are_at_least_twenty_video_models(shipped: Catalog) -> None:
    """All of them with lengths, a job's deadline, and prices from a named source."""
    found = videos(shipped)

    assert len(found) >= 20
    assert all(c.durations and c.deadline_s(None) for model in found for c in model.capabilities)
    assert all("211" in model.price_list.source for model in found)


def test_retired_videos_name_what_to_take_instead(shipped: Catalog) -> None:
    """Sora's two are known and closed, and so are the previews of Veo that the Gemini API had."""
    retired = [
        (m.id, o.lifecycle.replacement)
        for m in videos(shipped)
        for o in m.offers
        if o.lifecycle.status is Status.RETIRED
    ]

    assert {("sora-2", "veo-3.1"), ("sora-2-pro", "veo-3.1"), ("veo-3.1", "veo-3.1")} <= set(retired)


def test_every_choice_of_every_video_has_a_price(shipped: Catalog) -> None:
    """Whatever tier, length, ratio and sound are sold together is quoted without an error."""
    for model in videos(shipped):
        able = model.capabilities[0]
        for tier in able.resolutions or (None,):
            for seconds in able.durations:
                for sound in able.sounds:
                    if able.sells(tier, None, seconds, sound):
                        asked: dict[str, Any] = {"resolution": tier, "s": seconds}
                        asked |= {"audio": sound} if len(able.sounds) > 1 else {}
                        found = priced(shipped, model.id, **asked)
                        assert (True, False) == (found.credits > 0, found.upper_bound and not able.aspect_ratios)
