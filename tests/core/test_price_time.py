"""Prices by time, sound, tokens, area and quality, and what is charged for what came out."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from gatekeeper.core.credits import MICRO, Rounding, parse_credits
from gatekeeper.core.outcome import Made
from gatekeeper.core.price import Line, charge, quote, worth
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    AreaPrice,
    BaseSecondsPrice,
    DurationPrice,
    Per,
    PriceRule,
    QualityPrice,
    SecondsPrice,
    TokenPrice,
)
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Capability, Combination, ModelSpec, SizeRange
from gatekeeper.core.validate import validate
from tests.cases import each_case
from tests.factories import a_model, a_plain_capability, a_price, a_request, a_video_capability, a_video_request

FIVE, TEN = Fraction(5), Fraction(10)


def video(rule: PriceRule | None = None, *add_ons: AddOn, minimum: int = 0, **changes: Any) -> ModelSpec:
    """A video model with this rule, or at 2 and 3 credits a second."""
    rule = rule or a_video_capability().price.rule
    return a_model(a_video_capability(price=a_price(rule, add_ons=add_ons, minimum=minimum), **changes))


def asked(model: ModelSpec, **words: Any) -> ValidRequest:
    """A valid request to it; 5 silent seconds at 720P if nothing else is said."""
    found = validate(model, a_video_request(**words))
    assert isinstance(found, ValidRequest)
    return found


def everywhere(amount: int) -> dict[tuple[str, bool], int]:
    """One amount for every tier and sound."""
    return {(tier, sound): amount for tier in ("720P", "1080P", "") for sound in (False, True)}


TOKENS = TokenPrice(everywhere(2 * MICRO), 24, Rounding.EXACT, everywhere(MICRO), Fraction(15))
TABLE = DurationPrice({("720P", s, sound): int(s) * MICRO for s in (FIVE, TEN) for sound in (False, True)}
                      | {("1080P", FIVE, sound): 7 * MICRO for sound in (False, True)})  # fmt: skip
NO_LONG_1080P = (Combination("1080P", None, TEN),)


def test_seconds_are_counted() -> None:
    """With the rate and the sound in the line."""
    found = quote(video(), asked(video(), duration_s=TEN, audio=True))

    assert (Line("video generate, 720P, 10 s x 3, with audio", 30 * MICRO, 1),) == found.lines


def test_half_seconds_are_exact_and_rounding_is_named() -> None:
    """2.5 seconds at 1.000001 are 2.5000025: half up to a millionth, or up to a whole credit."""
    exact, up = (SecondsPrice(everywhere(1_000_001), how) for how in (Rounding.EXACT, Rounding.UP_TO_CREDIT))
    lengths = (Fraction(5, 2),)

    found = [worth(m, asked(m, duration_s=lengths[0])) for m in (video(r, durations=lengths) for r in (exact, up))]

    assert [2_500_003, 3 * MICRO] == [each.credits for each in found]


def test_a_base_covers_the_first_seconds() -> None:
    """20 + 2 x (5 - 1), and nothing taken off where the base covers more than there is."""
    base = BaseSecondsPrice(everywhere(20 * MICRO), everywhere(2 * MICRO), Fraction(1), Rounding.EXACT)

    found = [worth(m, asked(m)) for m in (video(base), video(replace(base, included_s=Fraction(6))))]

    assert [28 * MICRO, 20 * MICRO] == [each.credits for each in found]
    assert "video generate, 720P, 5 s (20 + 4 x 2)" == found[0].lines[0].item


def test_tokens_are_estimated_from_the_pixels() -> None:
    """5 x 1280 x 720 x 24 / 1024 = 108,000; a video that goes in adds its longest at its own rate."""
    plain, with_video = (worth(video(TOKENS), asked(video(TOKENS), input_video=v)) for v in (False, True))

    assert [216 * MICRO, 432 * MICRO] == [plain.credits, with_video.credits]
    assert "video generate, 720P, 5 s, 108000 tokens" == plain.lines[0].item
    assert "video generate, 720P, 5 s and at most 15 s of input, 432000 tokens" == with_video.lines[0].item
    assert (False, True) == (plain.upper_bound, with_video.upper_bound)


def test_reported_tokens_are_charged() -> None:
    """At the rate of what was made, for all outputs together, and never less than the minimum for each."""
    model = video(TOKENS, minimum=90 * MICRO)
    request = asked(model)

    cases = ((1, 100_000), (2, 100_000), (1, 7), (3, 100))
    found = [charge(model, request, Made(n, tokens=t), 500 * MICRO) for n, t in cases]

    assert [200 * MICRO, 200 * MICRO, 90 * MICRO, 270 * MICRO] == [each.credits for each in found]
    assert "100000 tokens" == found[0].quote.lines[0].item
    assert 0 == charge(model, request, Made(0, tokens=100_000), 500 * MICRO).credits


def test_an_area_counts_begun_megapixels() -> None:
    """Each 1024 x 1024 pixels, the first at its own price; unsaid it is the default, open it is the largest."""
    bounds = SizeRange(64, 4096, area_max=4 * 1024 * 1024)
    able = a_plain_capability(
        price=a_price(AreaPrice(6, 3)), size_range=bounds, size_default=Pixels(1024, 1024), outputs_max=9
    )
    model = a_model(able)
    found = [validate(model, a_request(size=size)) for size in ("1024x1024", "1024x1025", "2048x2048", None, "auto")]

    assert [6, 9, 15, 6, 15] == [worth(model, each).credits for each in found if isinstance(each, ValidRequest)]


def test_a_quality_has_its_amount_and_an_open_one_the_dearest() -> None:
    """And what was made says which it was."""
    rule = QualityPrice({("", "low"): 2, ("", "high"): 9})
    model = a_model(a_plain_capability(price=a_price(rule), qualities=("low", "high", "auto")))
    low, unsaid, auto = (validate(model, a_request(quality=q)) for q in ("low", None, "auto"))
    assert isinstance(low, ValidRequest)
    assert isinstance(unsaid, ValidRequest)
    assert isinstance(auto, ValidRequest)

    assert [2, 9, 9] == [worth(model, each).credits for each in (low, unsaid, auto)]
    assert worth(model, auto).upper_bound
    assert 2 == charge(model, auto, Made(1, quality="low"), 9).credits


@each_case(
    ("words", "credits"),
    [
        ({"duration_s": None}, 20),
        ({"audio": None}, 15),
        ({"resolution": None}, 15),
        ({"resolution": None, "duration_auto": True, "audio": None}, 30),
    ],
)
def test_what_is_open_costs_the_dearest(words: dict[str, Any], credits: int) -> None:  # noqa: A002
    """As an upper bound."""
    found = worth(video(), asked(video(), **words))

    assert (credits * MICRO, True) == (found.credits, found.upper_bound)


def test_only_what_is_sold_together_counts() -> None:
    """Ten seconds at 1080P are in no table."""
    model = video(TABLE, not_sold=NO_LONG_1080P)

    found = worth(model, asked(model, resolution="auto", duration_auto=True))

    assert (10 * MICRO, True) == (found.credits, found.upper_bound)


@each_case(
    ("made", "credits"),
    [
        (Made(1), 30),
        (Made(1, duration_s=FIVE), 15),
        (Made(1, duration_s=Fraction(504, 100), audio=False, resolution="720P"), 10),
        (Made(1, duration_s=TEN, audio=False, resolution="1080P"), 30),
        (Made(1, (Pixels(1280, 720),), duration_s=FIVE, audio=False), 10),
        (Made(1, resolution="8K", duration_s=Fraction(0)), 30),
        (Made(0), 0),
        (Made(-3, duration_s=Fraction(-9)), 0),
    ],
)
def test_an_open_request_is_charged_as_it_came_out(made: Made, credits: int) -> None:  # noqa: A002
    """By what the outcome tells; what it does not tell stays at its dearest."""
    request = asked(video(), resolution="auto", duration_auto=True, audio=None)

    assert credits * MICRO == charge(video(), request, made, 30 * MICRO).credits


@each_case(
    ("seconds", "worth_", "over"),
    [(5, 10, 0), (Fraction(504, 100), 10, 0), (4, 10, 0), (8, 20, 10), (Fraction(104, 10), 20, 10), (30, 60, 50)],
)
def test_a_longer_one_than_asked_is_an_over_run(seconds: Fraction, worth_: int, over: int) -> None:
    """The nearest length that is sold, and beyond the longest every second; the hold is the most that is charged."""
    found = charge(video(), asked(video()), Made(1, duration_s=Fraction(seconds)), 10 * MICRO)

    assert (worth_ * MICRO, 10 * MICRO, over * MICRO) == (found.quote.credits, found.credits, found.over)


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_length_at_all_tells_nothing(seconds: int) -> None:
    """A film that is there has a length: what was asked counts."""
    model = video()

    found = charge(model, asked(model, duration_s=TEN), Made(1, duration_s=Fraction(seconds)), 20 * MICRO)

    assert 20 * MICRO == found.credits


@pytest.mark.parametrize("tokens", [0, -5])
def test_no_tokens_at_all_tell_nothing(tokens: int) -> None:
    """A film that is there took some: it costs what was expected of it."""
    model = video(TOKENS)
    request = asked(model)
    expected = quote(model, request).credits

    assert 0 < expected == charge(model, request, Made(1, tokens=tokens), expected).credits


def test_what_the_table_does_not_have_is_charged_as_asked() -> None:
    """A provider that makes what is not sold cannot name its price."""
    model = video(TABLE, not_sold=NO_LONG_1080P)

    found = charge(model, asked(model), Made(1, resolution="1080P", duration_s=TEN), 5 * MICRO)

    assert (5 * MICRO, 0) == (found.credits, found.over)


def add_on(when: str, text: str, **more: Any) -> AddOn:
    """An add-on by its names."""
    return AddOn(AddOnTrigger(when), parse_credits(text), **more)


@each_case(
    ("extra", "words", "credits"),
    [
        (add_on("each_input_image", "1"), {"reference_images": 3}, "26"),
        (add_on("each_input_image", "1", free=2), {"reference_images": 3}, "22"),
        (add_on("each_input_image", "1", per=Per.REQUEST), {"reference_images": 3}, "23"),
        (add_on("input_image", "1"), {"reference_images": 3}, "22"),
        (add_on("input_image", "1"), {}, "20"),
        (add_on("input_video", "0.5", per=Per.REQUEST), {"input_video": True}, "20.5"),
        (add_on("audio", "4"), {"audio": True, "resolution": "1080P"}, "38"),
        (add_on("enhance_prompt", "1", per=Per.REQUEST), {"enhance_prompt": True}, "21"),
    ],
)
def test_add_ons_come_with_each_output_or_once(extra: AddOn, words: dict[str, Any], credits: str) -> None:  # noqa: A002
    """Two outputs of 10 credits, or of 15 at 1080P, and what comes on top."""
    model = video(None, extra, outputs_max=2)

    found = worth(model, asked(model, outputs=2, **words))

    assert parse_credits(credits) == found.credits == sum(line.credits for line in found.lines)


def test_an_add_on_for_the_request_is_charged_once_if_anything_came() -> None:
    """For one of two outputs as for both, and not for none."""
    model = video(None, add_on("each_input_image", "3", per=Per.REQUEST), outputs_max=2)
    request = asked(model, outputs=2, reference_images=1)

    found = [charge(model, request, Made(n), 23 * MICRO).credits for n in (2, 1, 0)]

    assert [23 * MICRO, 13 * MICRO, 0] == found


def test_a_tier_is_told_by_its_name_where_pixels_are_unknown() -> None:
    """Pixels that the table knows tell more than the name."""
    able: Capability = a_video_capability()
    request = asked(a_model(able), resolution="auto")

    shown = [Made(1, (pixels,), resolution="1080P") for pixels in (None, Pixels(7, 7), Pixels(1280, 720))]

    assert [15, 15, 10] == [charge(a_model(able), request, made, 15 * MICRO).credits // MICRO for made in shown]
