"""Files about video come out as the core's values, and whatever loads can be priced."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gatekeeper.catalog import Catalog
from gatekeeper.catalog.build import models_of
from gatekeeper.catalog.schema import CatalogFile
from gatekeeper.core.credits import Rounding
from gatekeeper.core.price import worth
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    AreaPrice,
    BaseSecondsPrice,
    DurationPrice,
    Per,
    QualityPrice,
    SecondsPrice,
    TokenPrice,
)
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Audio, Capability, Combination, ModelSpec, OverRun
from gatekeeper.core.validate import validate
from gatekeeper.yamlfile import Problem, YamlFile, parse_yaml, problems_of

Load = Callable[..., Catalog]

ROW = "models:\n  - id: mover\n    name: Mover\n    capabilities:\n      - operations: [%s]\n"

FULL = (
    ROW % "video.generate"
    + """
        resolutions: [720P, 1080P]
        resolution_default: 720P
        aspect_ratios: [16:9]
        pixels:
          720P: {16:9: 1280x720}
          1080P: {16:9: 1920x1080}
        durations: {min: 2, max: 8, step: 2}
        duration_default: 4
        audio: optional
        audio_default: false
        size_default: 1280x720
        not_sold: [{resolution: 1080P, durations: [6, 8], audio: true}]
        over: debt
        job_deadline_s: {720P: 60, 1080P: 120}
        price:
          kind: per_second
          credits: {720P: {silent: 1, audio: 1.5}, 1080P: 2}
          rounding: up_to_credit
          add_ons: [{when: each_input_image, credits: 0.5, per: request, free: 1}]
"""
)

M = 1_000_000


def able(catalog: Catalog) -> Capability:
    """The one capability of the one model."""
    return catalog.models[0].capabilities[0]


def lasting(price: str, more: str = "") -> str:
    """A video model with two lengths and this price."""
    return ROW % "video.generate" + f"        durations: [5, 10]\n{more}        price: {price}\n"


def test_a_video_model_has_every_field_of_the_file(catalog_of: Load) -> None:
    """Lengths spelled out, sounds for every tier, combinations one by one."""
    found = able(catalog_of(FULL))

    assert (Fraction(2), Fraction(4), Fraction(6), Fraction(8)) == found.durations
    assert (Fraction(4), Audio.OPTIONAL, False) == (found.duration_default, found.audio, found.audio_default)
    assert Pixels(1280, 720) == found.size_default
    assert tuple(Combination("1080P", None, Fraction(s), True) for s in (6, 8)) == found.not_sold
    assert (OverRun.DEBT, {"720P": 60, "1080P": 120}) == (found.over, found.job_deadlines_s)
    amounts = {("720P", False): M, ("720P", True): 1_500_000, ("1080P", False): 2 * M, ("1080P", True): 2 * M}
    assert SecondsPrice(amounts, Rounding.UP_TO_CREDIT) == found.price.rule
    assert (AddOn(AddOnTrigger.EACH_INPUT_IMAGE, 500_000, Per.REQUEST, 1),) == found.price.add_ons


def test_one_amount_stands_for_every_tier_and_sound(catalog_of: Load) -> None:
    """With and without a tier, for a model that has none is asked for without."""
    found = able(catalog_of(lasting("{kind: per_second, credits: 3, rounding: exact}", "        resolutions: [1K]\n")))

    cells = {(tier, sound): 3 * M for tier in ("1K", "") for sound in (False, True)}
    assert SecondsPrice(cells, Rounding.EXACT) == found.price.rule


def test_a_missing_cell_is_not_sold(catalog_of: Load) -> None:
    """A whole cell for both sounds, half a cell for one of them."""
    more = "        resolutions: [1K, 2K]\n        audio: optional\n"
    table = "{1K: {5: 1, 10: {silent: 2}}, 2K: {5: 3}}"

    found = able(catalog_of(lasting(f"{{kind: per_duration, credits: {table}}}", more)))

    ten = Fraction(10)
    assert (Combination("1K", None, ten, True), Combination("2K", None, ten)) == found.not_sold
    assert isinstance(found.price.rule, DurationPrice)
    assert 2 * M == found.price.rule.credits["1K", ten, False]


def test_base_and_tokens_come_out_whole(catalog_of: Load) -> None:
    """Included seconds, frames, and what a video that goes in costs."""
    base = able(catalog_of(lasting("{kind: base_plus_seconds, base: 9, included_s: 2, credits: 3, rounding: exact}")))
    sized = "        pixels: {16:9: 64x64}\n        aspect_ratios: [16:9]\n"
    price = (
        "{kind: per_thousand_tokens, credits: 2, fps: 24, rounding: exact, with_input_video: 1, input_video_s_max: 15}"
    )
    tokens = able(catalog_of(lasting(price, sized)))

    both = {("", False): 1, ("", True): 1}
    nine, three = (dict.fromkeys(both, amount * M) for amount in (9, 3))
    assert BaseSecondsPrice(nine, three, Fraction(2), Rounding.EXACT) == base.price.rule
    two, one = (dict.fromkeys(both, amount * M) for amount in (2, 1))
    assert TokenPrice(two, 24, Rounding.EXACT, one, Fraction(15)) == tokens.price.rule


def test_pictures_by_quality_and_by_area(catalog_of: Load) -> None:
    """`auto` has no price of its own."""
    row = ROW % "image.generate"
    quality = row + "        qualities: [low, auto]\n        price: {kind: per_quality, credits: {low: 2}}\n"
    bounds = "        size_range: {side: {min: 64, max: 2048}, area: {min: 4096, max: 4194304}}\n"
    area = row + bounds + "        price: {kind: per_megapixel, first: 2, further: 1}\n"

    found = [able(catalog_of(text)).price.rule for text in (quality, area)]

    assert [QualityPrice({("", "low"): 2 * M}), AreaPrice(2 * M, M)] == found


@pytest.mark.parametrize(
    ("before", "after"), [("max: 8", "max: 10"), ("audio: 1.5", "audio: 1.6"), ("free: 1", "free: 2")]
)
def test_another_length_or_sound_is_another_price_list(catalog_of: Load, before: str, after: str) -> None:
    """What a price depends on is in the hash."""
    first, second = (
        catalog_of(FULL).models[0].price_list.id,
        catalog_of(FULL.replace(before, after)).models[0].price_list.id,
    )

    assert first != second


KINDS = (
    "{kind: per_second, credits: {720P: 1, 1080P: {silent: 1, audio: 2}}, rounding: exact}",
    "{kind: per_duration, credits: {720P: {2: 1, 4: 2, 6: {audio: 3}, 8: 4}, 1080P: {2: 5}}}",
    "{kind: base_plus_seconds, base: 9, credits: {720P: 1, 1080P: 2}, included_s: 2, rounding: exact}",
    "{kind: per_thousand_tokens, credits: 2, fps: 24, rounding: exact, with_input_video: 1, input_video_s_max: 15}",
    "{kind: per_output, credits: 5, minimum: 6, add_ons: [{when: audio, credits: 1}]}",
)
PLAIN_JUNK = (None, True, 0, -1, 1, 5, 2.5, 10**30, "x", "", "5", "16:9", "720P", "audio")
DEEP_JUNK = ([], {}, [5], [5, 10], ["720P"], [{}], {"5": 1}, {"720P": 1}, {"720P": {"5": 1}}, {"silent": 1}, {"": 1})
JUNK = st.sampled_from((*PLAIN_JUNK, *DEEP_JUNK, {"min": 1, "max": 3, "step": 1}))
ASKED = (
    GenerationRequest(prompt_length=1),
    GenerationRequest(prompt_length=1, resolution="auto", duration_auto=True, input_video=True),
    GenerationRequest(prompt_length=1, resolution="1080p", duration_s=Fraction(2), audio=True, reference_images=3),
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in plain data."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deep for key, child in below for deep in places(child, (*path, key)))]


def replaced(value: object, path: tuple[str | int, ...], junk: object) -> object:
    """The data with something else in one place."""
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = replaced(copy[path[0]], path[1:], junk)
    return copy


def text_with(price: str) -> str:
    """The whole file with another price."""
    head = "price_list: {name: a, effective_at: 2026-11-01T00:00:00Z, source: b}\n"
    return head + FULL[: FULL.index("        price:")] + f"        price: {price}\n"


def loaded(file: YamlFile) -> tuple[list[Problem], tuple[ModelSpec, ...]]:
    """What is wrong with a file, or its models."""
    try:
        return [], models_of(CatalogFile.model_validate(file.data), file.data)
    except ValidationError as error:
        return problems_of(error, file, model=CatalogFile), ()


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_what_loads_can_be_priced(data: st.DataObject) -> None:
    """Whatever stands where: either the loader says what is wrong, or every valid request has a price."""
    good = parse_yaml(text_with(data.draw(st.sampled_from(KINDS))), Path("a.yaml"))
    place = data.draw(st.sampled_from([p for p in places(good.data) if p[:1] == ("models",) and len(p) > 3]))
    mutant = replaced(good.data, place, data.draw(JUNK))

    problems, models = loaded(YamlFile(good.path, mutant, good.lines))

    found = [validate(model, replace(asked, operation=model.operations[0])) for model in models for asked in ASKED]
    amounts = [worth(models[0], valid).credits for valid in found if isinstance(valid, ValidRequest)]
    assert (True, True) == (bool(problems) is not bool(models), min(amounts, default=0) >= 0)


def test_an_offer_has_its_own_defaults(catalog_of: Load) -> None:
    """In the spellings of the capability; none of them changes what a price list is called."""
    row = """models:
  - id: mover
    name: Mover
    offers:
      - {provider: acme, upstream_id: m, status: active%s}
    capabilities:
      - operations: [video.generate]
        resolutions: [720P, 1080P]
        durations: {min: 2.5, max: 10, step: 2.5}
        audio: optional
        price: {kind: per_second, credits: 2, rounding: exact}
"""
    own = ", resolution_default: 1080p, duration_default: 2.5, audio_default: false"

    found, plain = (catalog_of(row % words).models[0] for words in (own, ""))

    offer = found.offers[0]
    assert ("1080P", Fraction(5, 2), False) == (offer.resolution_default, offer.duration_default, offer.audio_default)
    assert (found.price_list.id, False) == (plain.price_list.id, plain.offers[0].has_defaults)
