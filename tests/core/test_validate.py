"""Whether a model can do what is asked: everything wrong at once, nothing corrected in silence, never an exception."""

from fractions import Fraction
from typing import Any

import pytest

from gatekeeper.core.credits import Rounding
from gatekeeper.core.rejection import Code
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.rules import AddOn, AddOnTrigger, FlatPrice, MegapixelScalePrice, Price, ScalePrice
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Audio, Capability
from gatekeeper.core.validate import INPUT_SIDE_PX_MAX, validate
from tests.cases import each_case
from tests.factories import a_capability, a_model, a_plain_capability, a_price, a_request

SCALES = (Fraction(2), Fraction(4), Fraction(8))
UPSCALER = a_plain_capability(
    operations=(Operation.IMAGE_UPSCALE,), scales=SCALES, price=a_price(ScalePrice(dict.fromkeys(SCALES, 65)))
)


def valid(capability: Capability, **fields: Any) -> ValidRequest:
    """The request as validation lets it through."""
    found = validate(a_model(capability), a_request(**fields))
    assert isinstance(found, ValidRequest), found
    return found


def wrong_with(capability: Capability, **fields: Any) -> list[tuple[Code, str, str, str | None]]:
    """Code, field, what was asked and the nearest, of every violation."""
    found = validate(a_model(capability), a_request(**fields))
    assert not isinstance(found, ValidRequest), found
    return [(v.code, v.field, v.requested, v.nearest) for v in found]


def upscale(**fields: Any) -> dict[str, Any]:
    """An upscale of a small picture."""
    boring = {"operation": Operation.IMAGE_UPSCALE, "scale": Fraction(2), "input_pixels": Pixels(640, 480)}
    return boring | fields


def test_a_full_request_is_taken_as_it_is() -> None:
    """Every setting that was asked and is sold comes out as asked, and none counts as defaulted but those left out."""
    found = valid(a_capability(), resolution="2K", aspect_ratio="16:9", outputs=3, enhance_prompt=True, audio=False)

    assert (
        ValidRequest(
            model="a-model",
            operation=Operation.IMAGE_GENERATE,
            resolution="2K",
            aspect_ratio="16:9",
            size=Pixels(2752, 1536),
            outputs=3,
            enhance_prompt=True,
            defaulted=frozenset({"size", "quality"}),
        )
        == found
    )


def test_an_empty_request_is_filled_and_says_so() -> None:
    """The first operation, one output, and every field that the caller did not give is named."""
    found = validate(a_model(), GenerationRequest(prompt_length=5))

    assert isinstance(found, ValidRequest)
    assert (Operation.IMAGE_GENERATE, 1, False) == (found.operation, found.outputs, found.enhance_prompt)
    assert {"operation", "resolution", "aspect_ratio", "size", "outputs", "quality", "enhance_prompt", "audio"} == set(
        found.defaulted
    )


def test_an_operation_that_the_model_lacks_is_the_only_violation() -> None:
    """Without an operation there is no set to hold the other settings against."""
    found = validate(a_model(), a_request(operation=Operation.IMAGE_EDIT, outputs=99, resolution="8K"))

    assert isinstance(found, tuple)
    assert [(Code.OPERATION_NOT_SUPPORTED, ("image.generate",))] == [(v.code, v.supported) for v in found]


def test_everything_wrong_is_told_at_once() -> None:
    """A request that is wrong in nine ways gets nine violations in one answer."""
    found = wrong_with(
        a_capability(qualities=("high",)),
        resolution="8K",
        aspect_ratio="21:9",
        outputs=99,
        scale=Fraction(2),
        quality="best",
        duration_s=Fraction(8),
        audio=True,
        prompt_length=0,
        input_pixels=Pixels(0, 0),
    )

    assert [
        (Code.UNSUPPORTED_RESOLUTION, "resolution", "8K", "4K"),
        (Code.UNSUPPORTED_ASPECT_RATIO, "aspect_ratio", "21:9", "16:9"),
        (Code.TOO_MANY_OUTPUTS, "outputs", "99", "4"),
        (Code.UNSUPPORTED_SCALE, "scale", "2x", None),
        (Code.UNSUPPORTED_QUALITY, "quality", "best", None),
        (Code.UNSUPPORTED_DURATION, "duration_s", "8", None),
        (Code.UNSUPPORTED_AUDIO, "audio", "true", "false"),
        (Code.MISSING_PARAMETER, "prompt", "nothing", None),
        (Code.UNSUPPORTED_SIZE, "input", "0x0", None),
    ] == found


@pytest.mark.parametrize(
    ("outputs", "asked", "nearest"),
    [
        (0, "0", "1"),
        (-3, "-3", "1"),
        (5, "5", "4"),
        (10**9, "1000000000", "4"),
        pytest.param(10**5000, "over 1000000000000", "4", id="too long to print"),
    ],
)
def test_outputs_out_of_bounds(outputs: int, asked: str, nearest: str) -> None:
    """None, negative and absurd numbers of outputs are refused with the nearest number that is sold."""
    assert [(Code.TOO_MANY_OUTPUTS, "outputs", asked, nearest)] == wrong_with(a_capability(), outputs=outputs)


@pytest.mark.parametrize("outputs", [1, 4])
def test_outputs_at_the_bounds(outputs: int) -> None:
    """One and the most are both sold."""
    assert outputs == valid(a_capability(), outputs=outputs).outputs


@each_case(("quality", "taken"), [("high", "high"), (None, None), ("auto", None), ("AUTO", None)])
def test_quality_is_taken_or_left_open(quality: str | None, taken: str | None) -> None:
    """A known quality stays; "auto" is the same as not saying."""
    assert taken == valid(a_capability(qualities=("low", "high")), quality=quality).quality


@each_case(
    ("qualities", "asked", "nearest"),
    [(("low", "high"), "High", "high"), (("low", "high"), "ultra", None), ((), "high", None), ((), "auto", None)],
)
def test_an_unknown_quality_is_refused(qualities: tuple[str, ...], asked: str, nearest: str | None) -> None:
    """Providers compare qualities by the letter, so another spelling is refused and the right one named."""
    found = wrong_with(a_capability(qualities=qualities), quality=asked)

    assert [(Code.UNSUPPORTED_QUALITY, "quality", asked, nearest)] == found


def test_a_refusal_repeats_little_of_what_was_written() -> None:
    """A prompt in the wrong field does not travel on in the answer and the log."""
    ((_, _, requested, _),) = wrong_with(a_capability(), quality="a secret " * 1000)

    assert len(requested) == 40


@each_case(
    ("scale", "code", "asked", "nearest"),
    [
        (None, Code.MISSING_PARAMETER, "nothing", None),
        (Fraction(3), Code.UNSUPPORTED_SCALE, "3x", "2x"),
        (Fraction(32), Code.UNSUPPORTED_SCALE, "32x", "8x"),
        (Fraction(-2), Code.UNSUPPORTED_SCALE, "-2x", "2x"),
        (Fraction(10) ** 400, Code.UNSUPPORTED_SCALE, "over 1000000000000x", "8x"),
    ],
)
def test_an_upscale_needs_a_scale_of_the_list(
    scale: Fraction | None, code: Code, asked: str, nearest: str | None
) -> None:
    """A missing scale and a wrong one are different mistakes."""
    assert [(code, "scale", asked, nearest)] == wrong_with(UPSCALER, **upscale(scale=scale))


@pytest.mark.parametrize(
    ("pixels", "asked"),
    [
        (Pixels(0, 100), "0x100"),
        (Pixels(-640, -480), "-640x-480"),
        (Pixels(10**6, 10**6), "1000000x1000000"),
        pytest.param(Pixels(10**5000, 1), "over 1000000000000x1", id="too long to print"),
    ],
)
def test_an_input_has_the_size_of_a_picture(pixels: Pixels, asked: str) -> None:
    """What is given as the size of the picture that goes in must be one."""
    assert [(Code.UNSUPPORTED_SIZE, "input", asked, None)] == wrong_with(UPSCALER, **upscale(input_pixels=pixels))


def test_a_price_for_each_factor_needs_no_input() -> None:
    """Providers take pictures by their address, and nobody fetches one only to measure it."""
    assert valid(UPSCALER, **upscale(input_pixels=None)).input_pixels is None


def test_a_price_made_from_the_input_needs_the_input() -> None:
    """Whatever the operation is called, a price per megapixel of the input cannot be made without it."""
    rule = MegapixelScalePrice(1, dict.fromkeys(SCALES, Fraction(1)), Rounding.EXACT)
    capability = a_plain_capability(scales=SCALES, price=a_price(rule))

    assert [(Code.MISSING_PARAMETER, "input", "nothing", None)] == wrong_with(capability, scale=Fraction(2))


@pytest.mark.parametrize("pixels", [Pixels(1, 1), Pixels(INPUT_SIDE_PX_MAX, INPUT_SIDE_PX_MAX)])
def test_an_upscale_takes_any_picture(pixels: Pixels) -> None:
    """The bounds themselves are inside, and an upscale needs no prompt."""
    assert pixels == valid(UPSCALER, **upscale(input_pixels=pixels, prompt_length=None)).input_pixels


@each_case(
    ("audio", "asked", "made"),
    [
        (Audio.NONE, None, False),
        (Audio.NONE, False, False),
        (Audio.OPTIONAL, None, False),
        (Audio.OPTIONAL, True, True),
        (Audio.ALWAYS, None, True),
    ],
)
def test_audio_that_the_model_can_do(audio: Audio, asked: bool | None, made: bool) -> None:
    """A model that always makes sound does so unasked."""
    assert made == valid(a_capability(audio=audio), audio=asked).audio


def test_silence_cannot_be_had_from_a_model_that_always_sounds() -> None:
    """Asking for no sound is refused where sound cannot be left out."""
    assert [(Code.UNSUPPORTED_AUDIO, "audio", "false", "true")] == wrong_with(
        a_capability(audio=Audio.ALWAYS), audio=False
    )


@each_case("prompt_length", [None, 0, -1])
@each_case("operation", [Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT])
def test_a_picture_needs_a_prompt(operation: Operation, prompt_length: int | None) -> None:
    """An empty prompt is a missing one."""
    found = wrong_with(a_capability(operations=(operation,)), operation=operation, prompt_length=prompt_length)

    assert [(Code.MISSING_PARAMETER, "prompt", "nothing", None)] == found


@pytest.mark.parametrize(
    ("fields", "needed"), [({}, True), ({"reference_images": 1}, False), ({"input_video": True}, False)]
)
def test_a_film_from_a_picture_or_a_film_needs_no_prompt(fields: dict[str, Any], needed: bool) -> None:
    """What goes in says enough; a film from nothing needs a word."""
    price = Price(FlatPrice(5), (AddOn(AddOnTrigger.INPUT_VIDEO, 1),))
    capability = a_plain_capability(operations=(Operation.VIDEO_GENERATE,), price=price)
    request = a_request(operation=Operation.VIDEO_GENERATE, prompt_length=None, **fields)

    found = validate(a_model(capability), request)

    assert needed is not isinstance(found, ValidRequest)


@pytest.mark.parametrize("operation", [Operation.VIDEO_GENERATE, Operation.IMAGE_GENERATE])
def test_a_film_that_goes_in_needs_a_price(operation: Operation) -> None:
    """Providers take more for it: where no price says how much it is refused, and not sold as if it were a text."""
    found = wrong_with(a_plain_capability(operations=(operation,)), operation=operation, input_video=True)

    assert [(Code.UNSUPPORTED_COMBINATION, "input_video", "a video that goes in", None)] == found


@pytest.mark.parametrize("operation", [Operation.VIDEO_EDIT, Operation.VIDEO_EXTEND])
def test_what_is_about_a_film_is_priced_with_one(operation: Operation) -> None:
    """An edit or an extension has no other input."""
    model = a_model(a_plain_capability(operations=(operation,)))

    assert isinstance(validate(model, a_request(operation=operation, input_video=True)), ValidRequest)
