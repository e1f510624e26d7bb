"""What a good file becomes: every field of it, in the core's values."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.catalog.across import problems_across
from gatekeeper.catalog.build import models_of
from gatekeeper.catalog.schema import CatalogFile
from gatekeeper.core.credits import Rounding
from gatekeeper.core.request import Operation
from gatekeeper.core.rules import (
    AddOn,
    AddOnTrigger,
    FlatPrice,
    MegapixelScalePrice,
    Price,
    ScalePrice,
    TierMultiplierPrice,
    TierPrice,
)
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Capability, Combination, Lifecycle, Offer, SizeRange, Status
from gatekeeper.yamlfile import YamlFile, load_yaml, problems_of

Load = Callable[..., Catalog]

FULL = """
models:
  - id: painter
    name: Painter
    aliases: [brush, Acme/Painter]
    notes: paints
    offers:
      - {provider: acme, upstream_id: painter-1, status: active, operations: [image.generate]}
      - {provider: other, upstream_id: p1, status: deprecated, sunset: 2026-12-01, replacement: upscaler}
    capabilities:
      - operations: [image.generate, image.edit]
        resolutions: [512, 1k, 2K]
        resolution_default: 1K
        aspect_ratios: [1:1, 16x9]
        pixels:
          1K: {1:1: 1024x1024, 16:9: [1344x768, 1312*736]}
        size_range: {side: {min: 512, max: 2048}, multiple_of: 16, area: {min: 262144, max: 4194304},
                     ratio: {min: 1:3, max: 3:1}}
        outputs_max: 4
        qualities: [low, high]
        not_sold: [{resolution: 2K, aspect_ratio: 16:9}]
        hold_ttl_s: 900
        price: {kind: per_output, credits: 73.5, minimum: 2, add_ons: [{when: enhance_prompt, credits: 1}]}
  - id: upscaler
    name: Upscaler
    capabilities:
      - operations: [image.upscale]
        scales: [2x, 1.5x]
        price: {kind: per_scale, credits: {1.5x: 10, 2x: 65}}
"""


def one(price: str, more: str = "") -> str:
    return (
        "models:\n  - id: painter\n    name: Painter\n    capabilities:\n      - operations: [image.generate]\n"
        f"        {more or 'resolutions: [1K, 2K]'}\n        price: {price}\n"
    )


def rule(catalog: Catalog) -> object:
    return catalog.models[0].capabilities[0].price.rule


def test_a_model_has_every_field_of_the_file(catalog_of: Load) -> None:
    """The whole shape, read once and compared as one value."""
    model = catalog_of(FULL).models[0]

    capability = Capability(
        operations=(Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT),
        price=Price(FlatPrice(73_500_000), (AddOn(AddOnTrigger.ENHANCE_PROMPT, 1_000_000),), 2_000_000),
        resolutions=("512", "1K", "2K"),
        resolution_default="1K",
        aspect_ratios=("1:1", "16:9"),
        pixels={("1K", "1:1"): Pixels(1024, 1024), ("1K", "16:9"): Pixels(1344, 768)},
        by_pixels={
            Pixels(1024, 1024): ("1K", "1:1"),
            Pixels(1344, 768): ("1K", "16:9"),
            Pixels(1312, 736): ("1K", "16:9"),
        },
        size_range=SizeRange(512, 2048, 16, 262144, 4194304, Fraction(1, 3), Fraction(3)),
        outputs_max=4,
        qualities=("low", "high"),
        not_sold=(Combination("2K", "16:9"),),
        hold_ttl_s=900,
    )
    offers = (
        Offer("acme", "painter-1", Lifecycle(), frozenset({Operation.IMAGE_GENERATE})),
        Offer("other", "p1", Lifecycle(Status.DEPRECATED, date(2026, 12, 1), "upscaler")),
    )
    assert ("painter", "Painter", ("brush", "Acme/Painter"), "paints", offers, (capability,)) == (
        model.id,
        model.name,
        model.aliases,
        model.notes,
        model.offers,
        model.capabilities,
    )


@pytest.mark.parametrize(
    ("price", "more", "expected"),
    [
        ("{kind: per_output, credits: 15}", "", FlatPrice(15_000_000)),
        ("{kind: per_tier, credits: {1K: 49, 2K: 73.5}}", "", TierPrice({"1K": 49_000_000, "2K": 73_500_000})),
        (
            "{kind: tier_multiplier, base: 10, factors: {1K: 1, 2K: 2.25}, rounding: up_to_credit}",
            "",
            TierMultiplierPrice(10_000_000, {"1K": Fraction(1), "2K": Fraction(9, 4)}, Rounding.UP_TO_CREDIT),
        ),
        ("{kind: per_scale, credits: {2x: 65}}", "scales: [2x]", ScalePrice({Fraction(2): 65_000_000})),
    ],
)
def test_each_price_kind_becomes_its_rule(catalog_of: Load, price: str, more: str, expected: object) -> None:
    """Credits are micro-credits, factors exact fractions."""
    assert expected == rule(catalog_of(one(price, more)))


def test_a_price_by_input_megapixels_becomes_its_rule(catalog_of: Load) -> None:
    """The upscalers' kind, with its factors by scale."""
    price = "{kind: input_megapixels_times_scale, base: 20, factors: {2x: 1, 3x: 2}, rounding: half_up_to_credit}"

    found = rule(catalog_of(one(price, "scales: [2x, 3x]").replace("image.generate", "image.upscale")))

    factors = {Fraction(2): Fraction(1), Fraction(3): Fraction(2)}
    assert MegapixelScalePrice(20_000_000, factors, Rounding.HALF_UP_TO_CREDIT) == found


def test_an_unquoted_ratio_is_a_ratio(catalog_of: Load) -> None:
    """YAML 1.1 would make 16:9 the number 969, in a list as well as as a key."""
    text = one("{kind: per_output, credits: 1}", "aspect_ratios: [16:9]\n        pixels: {16:9: 1344x768}")

    capability = catalog_of(text).models[0].capabilities[0]

    assert (("16:9",), {("", "16:9"): Pixels(1344, 768)}) == (capability.aspect_ratios, capability.pixels)


def test_a_price_list_says_its_name_since_when_and_from_where(catalog_of: Load) -> None:
    """The id is the name and twelve hex digits of the content."""
    price_list = catalog_of(FULL).models[0].price_list

    name, _, digits = price_list.id.partition("@")
    assert ("test-list", 12, True) == (name, len(digits), set(digits) <= set("0123456789abcdef"))
    assert (datetime(2026, 11, 1, tzinfo=UTC), "a test") == (price_list.effective_at, price_list.source)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("notes: paints", "notes: paints # and how"),
        ("name: Painter", "name: The Painter"),
        ("status: active", "status: retired, replacement: upscaler"),
        ("credits: 73.5,", "credits: 73.50,"),
        (
            "        outputs_max: 4\n        qualities: [low, high]\n",
            "        qualities: [low, high]\n        outputs_max: 4\n",
        ),
    ],
)
def test_what_changes_no_price_leaves_the_price_list_its_hash(catalog_of: Load, before: str, after: str) -> None:
    """Comments, names, lifecycles, spelling and order of keys do not make another price list."""
    first = catalog_of(FULL).models[0].price_list.id

    second = catalog_of(FULL.replace(before, after)).models[0].price_list.id

    assert first == second


@pytest.mark.parametrize(("before", "after"), [("73.5", "73.6"), ("{1.5x: 10", "{1.5x: 11"), ("512, 1k", "1k")])
def test_another_price_is_another_price_list(catalog_of: Load, before: str, after: str) -> None:
    """What a price depends on is in the hash."""
    first = catalog_of(FULL).models[0].price_list.id

    second = catalog_of(FULL.replace(before, after)).models[0].price_list.id

    assert first != second


def test_the_digest_covers_every_file(catalog_of: Load) -> None:
    """A change in any file makes another catalog."""
    other = one("{kind: per_output, credits: 1}").replace("painter", "sculptor")
    first = catalog_of(FULL, other).digest

    second = catalog_of(FULL, other.replace("Painter", "Sculptor")).digest

    assert first != second


def test_a_path_named_twice_is_read_once(tmp_path: Path) -> None:
    """Two patterns may match one file."""
    path = tmp_path / "one.yaml"
    path.write_text(
        "price_list: {name: a, effective_at: 2026-11-01T00:00:00Z, source: b}\n" + one("{kind: per_output, credits: 1}")
    )

    assert 1 == len(load_catalog([path, path]).models)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
    | st.sampled_from(["16:9", "1K", "2x", "1024x1024", "image.upscale", "painter", "retired"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inside for place in places(each, (*path, key)))]


def replaced(value: object, path: tuple[str | int, ...], junk: object) -> object:
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = replaced(copy[path[0]], path[1:], junk)
    return copy


@given(st.data())
@settings(max_examples=200)
def test_junk_anywhere_in_a_file_is_a_model_or_a_finding(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands where, the schema and the checks across files know what to say."""
    path = tmp_path_factory.getbasetemp() / "full.yaml"
    path.write_text("price_list: {name: a, effective_at: 2026-11-01T00:00:00Z, source: b}\n" + FULL)
    good = load_yaml(path)
    place = data.draw(st.sampled_from(places(good.data)))
    mutant = replaced(good.data, place, data.draw(JUNK))

    file = YamlFile(path, mutant, good.lines)
    problems = problems_across([file])
    try:
        parsed = CatalogFile.model_validate(mutant)
    except ValidationError as error:
        problems += problems_of(error, file, model=CatalogFile)

    assert problems or models_of(parsed, file.data)
