"""The guide's example is a file that loads and costs what the guide says."""

import re
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest

from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.catalog.entry import AddOnEntry
from gatekeeper.catalog.prices import PRICE_KINDS
from gatekeeper.catalog.schema import CapabilityEntry, ModelEntry, NotSold, OfferEntry, PriceListEntry
from gatekeeper.core.price import quote
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.rules import AddOnTrigger
from gatekeeper.core.validate import validate

GUIDE = Path(__file__).parents[2] / "docs" / "catalog.md"


@pytest.fixture
def example(tmp_path: Path) -> Catalog:
    """The guide's whole file, loaded."""
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / "guide.yaml").write_text(found[1])
    return load_catalog([tmp_path / "guide.yaml"])


def test_the_guides_file_loads_without_a_problem(example: Catalog) -> None:
    """A reader can start from it."""
    names = "painter-2 painter-1 mover-1 mover-2 sketcher-1 counter-1 extender-1 painter-3 painter-4"

    assert names.split() == [model.id for model in example.models]


@pytest.mark.parametrize(
    ("model_id", "request_", "micro"),
    [
        ("painter-2", GenerationRequest(resolution="2K", outputs=2, prompt_length=5), 147_000_000),
        ("painter-1", GenerationRequest(outputs=1, prompt_length=5), 15_000_000),
        ("painter-2", GenerationRequest(resolution="1K", enhance_prompt=True, prompt_length=5), 50_000_000),
        ("mover-1", GenerationRequest(duration_s=Fraction(8), audio=True, prompt_length=5), 168_800_000),
        (
            "mover-1",
            GenerationRequest(resolution="1080p", duration_s=Fraction(6), reference_images=3, prompt_length=5),
            152_920_000,
        ),
        ("sketcher-1", GenerationRequest(resolution="720p", duration_s=Fraction(9), prompt_length=5), 128_710_000),
        ("counter-1", GenerationRequest(duration_s=Fraction(5), prompt_length=5), 228_096_000),
        ("counter-1", GenerationRequest(duration_s=Fraction(5), input_video=True, prompt_length=5), 560_304_000),
        ("extender-1", GenerationRequest(duration_s=Fraction(5), prompt_length=5), 36_925_000),
        ("painter-3", GenerationRequest(resolution="2K", quality="medium", prompt_length=5), 16_880_000),
        ("painter-4", GenerationRequest(size="1920x1088", prompt_length=5), 9_500_000),
    ],
)
def test_the_guides_arithmetic_is_right(
    example: Catalog, model_id: str, request_: GenerationRequest, micro: int
) -> None:
    """What it says a request costs, it costs."""
    model = example.find(model_id)
    assert model is not None
    valid = validate(model, request_)
    assert isinstance(valid, ValidRequest)

    assert micro == quote(model, valid).credits


@pytest.mark.parametrize(("provider", "micro"), [("acme", 84_400_000), ("other", 126_600_000)])
def test_the_guides_sellers_differ_in_their_defaults(example: Catalog, provider: str, micro: int) -> None:
    """Nothing said is 720P at one and 1080P at the other."""
    model = example.find("mover-2")
    assert model is not None
    offer = next(offer for offer in model.offers if offer.provider == provider)
    valid = validate(model.sold_as(offer), GenerationRequest(prompt_length=5))
    assert isinstance(valid, ValidRequest)

    assert micro == quote(model, valid).credits


def test_every_field_of_the_schema_is_in_the_guide() -> None:
    """A new field is explained before it is used."""
    text = GUIDE.read_text()
    entries = (CapabilityEntry, ModelEntry, NotSold, OfferEntry, PriceListEntry, AddOnEntry, *PRICE_KINDS)
    fields = [name for entry in entries for name in entry.model_fields]

    assert [] == [name for name in fields if name not in text]


def test_every_kind_of_price_is_in_the_guide() -> None:
    """With what it says and an example, in a row of the table."""
    kinds = [get_args(kind.model_fields["kind"].annotation)[0] for kind in PRICE_KINDS]

    assert [] == [kind for kind in kinds if f"| `{kind}` |" not in GUIDE.read_text()]
    assert [] == [when.value for when in AddOnTrigger if f"| `{when}` |" not in GUIDE.read_text()]
