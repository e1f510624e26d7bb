"""The guide's example is a file that loads and costs what the guide says."""

import re
from pathlib import Path

import pytest

from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.catalog.schema import CapabilityEntry, ModelEntry, OfferEntry, PriceListEntry
from gatekeeper.core.price import quote
from gatekeeper.core.request import GenerationRequest, ValidRequest
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
    assert ["painter-2", "painter-1"] == [model.id for model in example.models]


@pytest.mark.parametrize(
    ("model_id", "request_", "micro"),
    [
        ("painter-2", GenerationRequest(resolution="2K", outputs=2, prompt_length=5), 147_000_000),
        ("painter-1", GenerationRequest(outputs=1, prompt_length=5), 15_000_000),
        ("painter-2", GenerationRequest(resolution="1K", enhance_prompt=True, prompt_length=5), 50_000_000),
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


def test_every_field_of_the_schema_is_in_the_guide() -> None:
    """A new field is explained before it is used."""
    text = GUIDE.read_text()
    fields = [
        name for entry in (CapabilityEntry, ModelEntry, OfferEntry, PriceListEntry) for name in entry.model_fields
    ]

    assert [] == [name for name in fields if name not in text]
