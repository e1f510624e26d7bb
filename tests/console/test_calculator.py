"""What the calculator offers, what it says that it costs, and that both are what the core says."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from gatekeeper.console.calculator import calculate, complete, options_of
from gatekeeper.console.choices import BY_NAME, is_asked, nothing_chosen
from gatekeeper.core.decide import Priced, decide
from gatekeeper.core.price import quote
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.spec import Capability, Combination, ModelSpec
from gatekeeper.core.validate import validate
from tests.cases import each_case
from tests.console.shop import forms_of, model, shipped
from tests.core.strategies import PROPERTY, models
from tests.factories import a_capability, a_model, a_video_capability

STEPS = ("scale", "quality", "resolution", "aspect_ratio", "audio", "duration_s")
"""The settings that are chosen from a list, in an order in which somebody might."""


def credits_of(of: ModelSpec, asked: GenerationRequest) -> int:
    """What the data plane would quote."""
    valid = validate(of, asked)
    assert isinstance(valid, ValidRequest)
    return quote(of, valid).credits


def offered(of: ModelSpec, chosen: GenerationRequest, steps: tuple[str, ...]) -> Iterator[GenerationRequest]:
    """Every request that is reached by choosing one offered value of each setting after another."""
    if not steps:
        yield chosen
        return
    setting = BY_NAME[steps[0]]
    for option in options_of(of, chosen, setting):
        value = None if option.value == "" else setting.read(option.value)
        yield from offered(of, replace(chosen, **{setting.name: value}), steps[1:])


def imaginable(
    capability: Capability, chosen: GenerationRequest, steps: tuple[str, ...]
) -> Iterator[GenerationRequest]:
    """Every request that names a value of each setting, or leaves it open, whether it is sold or not."""
    if not steps:
        yield chosen
        return
    setting = BY_NAME[steps[0]]
    for value in (*(() if setting.required else (None,)), *setting.values(capability)):
        yield from imaginable(capability, replace(chosen, **{setting.name: value}), steps[1:])


def steps_of(capability: Capability) -> tuple[str, ...]:
    return tuple(name for name in STEPS if is_asked(BY_NAME[name], capability))


def key_of(asked: GenerationRequest) -> tuple[object, ...]:
    return tuple(getattr(asked, name) for name in STEPS)


@each_case("name", [each.id for each in shipped().models])
def test_what_is_offered_is_what_is_sold(name: str) -> None:
    """Of every combination of a shipped model: offered is what can be completed, and nothing accepted is missing."""
    of = model(name)
    for operation in of.operations:
        capability = of.capability(operation)
        assert capability is not None
        plain, steps = nothing_chosen(of, operation), steps_of(capability)

        reached = {key_of(each): each for each in offered(of, plain, steps)}

        everything = {key_of(each): each for each in imaginable(capability, plain, steps)}
        accepted = {key for key, each in everything.items() if isinstance(decide(of, each), Priced)}
        assert accepted <= set(reached)
        named_in_full = {key for key in reached if _says_all(reached[key], steps)}
        assert named_in_full <= accepted
        for each in reached.values():
            found = complete(of, each)
            assert found is not None
            assert credits_of(of, found[0]) == found[1].worth.credits


def _says_all(asked: GenerationRequest, steps: tuple[str, ...]) -> bool:
    return all(getattr(asked, name) is not None for name in steps)


@each_case("name", [each.id for each in shipped().models])
def test_the_total_and_every_options_price_are_the_quotes(name: str) -> None:
    """Not one figure of a form is the calculator's own."""
    of = model(name)
    for form in forms_of(of):
        calculation = calculate(of, form)

        assert credits_of(of, calculation.asked) == calculation.quote.credits
        assert sum(line.credits for line in calculation.quote.lines) == calculation.quote.credits
        assert of.price_list == calculation.quote.price_list
        for control in calculation.controls:
            if control.name == "operation":
                continue
            setting = BY_NAME[control.name]
            for option in control.options:
                value = None if option.value == "" else setting.read(option.value)
                found = complete(of, replace(calculation.chosen, **{setting.name: value}))
                assert found is not None
                assert option.credits == credits_of(of, found[0])
                assert not option.chosen or option.credits == calculation.quote.credits


@seed(7)
@PROPERTY
@given(models, st.integers(0, 2**16))
def test_any_model_has_a_total_and_every_offered_value_is_taken(of: ModelSpec, number: int) -> None:
    """Whatever a catalog file may state: what is offered can be sent back, and then counts."""
    if complete(of, nothing_chosen(of, of.operations[0])) is None:
        return  # everything it sells is excluded again, which no loader lets through
    calculation = calculate(of, {})

    controls = [control for control in calculation.controls if control.options]
    if controls:
        control = controls[number % len(controls)]
        option = control.options[number // 64 % len(control.options)]
        after = calculate(of, {control.name: option.value}, control.name)

        assert after.passed_over == ()
        assert option.credits == after.quote.credits


def test_a_length_that_is_not_sold_with_the_tier_is_not_offered() -> None:
    """Veo makes 4K at eight seconds only."""
    calculation = calculate(model("veo-3.1"), {"resolution": "4K"})

    lengths = next(control for control in calculation.controls if control.name == "duration_s")
    assert ["left to the model", "8 s"] == [option.label for option in lengths.options]


def test_what_needs_another_setting_says_so() -> None:
    """A shape that the default tier has not is offered with the tier it needs, at that tier's price."""
    calculation = calculate(model("sora-2-pro"), {})

    ratios = next(control for control in calculation.controls if control.name == "aspect_ratio")
    wide = next(option for option in ratios.options if option.value == "7:4")
    assert ("1024P", "422") == (wide.beside, wide.credits_text)


def test_what_was_changed_last_counts() -> None:
    """Of two settings that do not go together the older one gives way, and is named."""
    form = {"resolution": "4K", "duration_s": "4"}

    by_length = calculate(model("veo-3.1"), form, "duration_s")
    by_tier = calculate(model("veo-3.1"), form, "resolution")

    assert (None, Fraction(4)) == (by_length.chosen.resolution, by_length.chosen.duration_s)
    assert ("4K", None) == (by_tier.chosen.resolution, by_tier.chosen.duration_s)
    assert ("Duration 4 s does not go with the rest and is not counted.",) == by_tier.passed_over


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"resolution": "8K"}, "Resolution: Nano Banana 2 has no 8K."),
        ({"outputs": "99"}, "Outputs: Nano Banana 2 has no 99."),
        ({"outputs": "many"}, "Outputs: many is no number up to 10000."),
    ],
)
def test_what_means_nothing_is_passed_over(form: dict[str, str], sentence: str) -> None:
    """With a sentence, and the rest counts."""
    calculation = calculate(model("nano-banana-2"), form)

    assert ((sentence,), "49") == (calculation.passed_over, calculation.controls[1].options[0].credits_text)


def test_a_size_of_ones_own_is_taken_and_a_bad_one_named() -> None:
    """Inside the bounds it counts; outside it does not."""
    inside = calculate(model("flux-2-flex"), {"size": "1920x1088"})
    outside = calculate(model("flux-2-flex"), {"size": "10x10000"})

    assert "1920x1088" == inside.chosen.size
    assert 1 == len(outside.passed_over)


def test_an_edit_counts_the_picture_that_is_edited() -> None:
    """Where pictures have a price an edit begins with one."""
    calculation = calculate(model("grok-imagine-image-2"), {"operation": "image.edit"})

    assert 1 == calculation.chosen.reference_images
    assert any("input image" in line.item for line in calculation.quote.lines)


def test_a_choice_that_nothing_completes_is_not_offered() -> None:
    """A tier that is listed and sold with nothing."""
    of = a_model(a_video_capability(not_sold=(Combination(resolution="1080P"),)))

    tiers = next(control for control in calculate(of, {}).controls if control.name == "resolution")

    assert ["", "720P"] == [option.value for option in tiers.options]


def test_more_outputs_than_can_be_listed_are_typed() -> None:
    """Up to the most there may be."""
    of = a_model(a_capability(outputs_max=100))

    calculation = calculate(of, {"outputs": "100"})

    outputs = next(control for control in calculation.controls if control.name == "outputs")
    assert (True, "100", "1 to 100") == (outputs.typed, outputs.value, outputs.hint)
    assert 100 == calculation.quote.lines[0].times


def test_another_operation_takes_along_what_it_can() -> None:
    """The price of an operation is that of the same settings there."""
    calculation = calculate(model("nano-banana-2"), {"resolution": "4K"})

    operations = calculation.controls[0]
    assert [("generate image", "98"), ("edit image", "98")] == [(o.label, o.credits_text) for o in operations.options]
    assert Operation.IMAGE_GENERATE is calculation.valid.operation


FREE = [each.id for each in shipped().models for found in each.capabilities[:1] if found.size_range is not None]


@PROPERTY
@given(st.sampled_from(FREE), st.integers(64, 5000), st.integers(64, 5000), st.sampled_from((1, 8, 16, 32)))
def test_a_size_is_taken_exactly_where_a_quote_takes_it(name: str, width: int, height: int, step: int) -> None:
    """Of sizes there is no list: what is typed counts if the data plane would take it. Below 64 it would be a ratio."""
    of, size = model(name), f"{width - width % step}x{height - height % step}"
    asked = replace(nothing_chosen(of, of.operations[0]), size=size)
    accepted = isinstance(decide(of, asked), Priced)

    calculation = calculate(of, {"size": size})

    assert accepted == (calculation.passed_over == ())
    assert not accepted or credits_of(of, asked) == calculation.quote.credits


@each_case("name", [each.id for each in shipped().models])
def test_as_many_outputs_as_are_sold(name: str) -> None:
    """Each number up to the most, at so many times the price; one more does not count."""
    of = model(name)
    most = of.capabilities[0].outputs_max
    one = calculate(of, {}).quote.lines[0].unit_credits

    assert [one] * most == [
        calculate(of, {"outputs": str(number)}).quote.lines[0].unit_credits for number in range(1, most + 1)
    ]
    assert 1 == calculate(of, {"outputs": str(most + 1)}).valid.outputs


@pytest.mark.parametrize("number", [0, 1, 3, 14])
def test_pictures_and_videos_that_go_in_cost_what_a_quote_says(number: int) -> None:
    """However many, and with a video besides."""
    pictures = calculate(model("grok-imagine-image-2"), {"reference_images": str(number), "quality": "low"})
    film = calculate(model("seedance-2.0"), {"input_video": "true", "duration_s": "5", "aspect_ratio": "16:9"})

    asked = replace(nothing_chosen(pictures.model, Operation.IMAGE_GENERATE), reference_images=number, quality="low")
    assert credits_of(pictures.model, asked) == pictures.quote.credits
    assert any("of input" in line.item for line in film.quote.lines)
    assert film.quote.upper_bound
