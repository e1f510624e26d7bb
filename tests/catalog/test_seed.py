"""The shipped catalog against the published price list, every figure of which is written out here by hand.

Two documents are the truth: the price list of ImagineArt's help pages and Intangible's page on resolution and cost.
Each row is validated and priced as a request would be: every operation, tier and aspect ratio of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import parse_credits
from gatekeeper.core.price import quote
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.sizes import Pixels, tier_rank
from gatekeeper.core.spec import Capability, ModelSpec, Status
from gatekeeper.core.validate import validate
from tests.cases import each_case

GENERATE, EDIT = Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT
PERSONALISE, STYLE = Operation.IMAGE_PERSONALISE, Operation.IMAGE_STYLE_REFERENCE

TOOLTIP = "in a tooltip"
"""The document prints no list of resolutions for this row; the catalog has what the model itself makes."""

NO_LIST = "no list"
"""The document says nothing about resolutions for this row; its general statement is 1K or 2K."""


@dataclass(frozen=True)
class Row:
    """A row of the document: its name, ratios, "up to" column, and credits (one figure, or one for each tier)."""

    name: str
    ratios: str
    up_to: str
    credits: str | dict[str, str]
    tiers: str

    def price_at(self, tier: str) -> int:
        return parse_credits(self.credits if isinstance(self.credits, str) else self.credits[tier])


# The document's columns, then the tiers of the catalog that stand for the "up to" column.
CREATE_AND_EDIT = {
    "nano-banana-2": Row("Nano Banana 2", "1:1 4:3 3:4 3:2 2:3 5:4 4:5 9:16 16:9 21:9", "4K",
                         {"1K": "49", "2K": "73.5", "4K": "98"}, "1K 2K 4K"),
    "imagineart-1.5": Row("ImagineArt 1.5", "1:1 4:3 3:4 1:3 3:1 2:3 3:2 9:16 16:9", "2K", "15", "1K 2K"),
    "imagineart-1.5-pro": Row("ImagineArt 1.5 Pro", "1:1 4:3 3:4 1:3 3:1 2:3 3:2 9:16 16:9", "4K", "25", "4K"),
    "nano-banana-pro": Row("Nano Banana Pro", "1:1 4:3 3:4 3:2 2:3 5:4 4:5 9:16 16:9 21:9", "4K",
                           {"1K": "80", "2K": "80", "4K": "160"}, "1K 2K 4K"),
    "chatgpt-1.5": Row("ChatGPT 1.5", "1:1 2:3 3:2", "1K", "35", "1K"),
    "seedream-v5-lite": Row("Seedream v5 Lite", "1:1 4:3 3:4 2:3 3:2 9:16 16:9", "3K", "20", "2K 3K"),
    "recraft-v4": Row("Recraft v4", "1:1 4:3 3:4 16:9 9:16", TOOLTIP, "24", "1K"),
    "recraft-v4-pro": Row("Recraft v4 Pro", "1:1 3:4 4:3 9:16 16:9", TOOLTIP, "150", "2K"),
    "xai-grok-imagine": Row("xAI Grok Imagine", "1:1 3:4 4:3 2:3 3:2 9:16 16:9", TOOLTIP, "12", "1K 2K"),
    "flux-2-max": Row("Flux 2 Max", "1:1 3:4 4:3 9:16 16:9", TOOLTIP, "50", "1K 2K"),
    "flux-2-pro": Row("Flux 2 Pro", "1:1 3:2 2:3 5:4 4:5 9:16 16:9", "2K", "28", "1K 2K"),
    "z-image-turbo": Row("Z Image Turbo", "1:1 4:3 3:4 1:3 3:1 2:3 3:2 9:16 16:9", TOOLTIP, "5", "1K 2K"),
    "seedream-v4.5": Row("Seedream v4.5", "1:1 4:3 3:4 2:3 3:2 9:16 16:9", "4K", "24", "2K 4K"),
    "flux-1.1-ultra": Row("Flux 1.1 Ultra", "1:1 4:3 3:4 3:2 2:3 9:16 16:9", "2K", "36", "2K"),
    "chatgpt": Row("ChatGPT", "1:1 2:3 3:2", "1K", "45", "1K"),
    "nano-banana": Row("Nano Banana", "1:1 4:3 3:4 3:2 2:3 5:4 4:5 9:16 16:9", "1K", "24", "1K"),
    "imagen-4": Row("Imagen-4", "1:1 4:3 3:4 9:16 16:9", "1K", "24", "1K"),
    "dreamina-3.1": Row("Dreamina 3.1", "1:1 4:3 3:4 9:16 16:9", "2K", "18", "1K 2K"),
    "ideogram-v3": Row("Ideogram v3", "1:1 4:3 3:4 9:16 16:9", "1K", "25", "1K"),
    "flux-dev": Row("Flux Dev", "1:1 3:4 2:3 3:2 5:4 9:16 16:9", "1K", "5", "1K"),
    "qwen-image": Row("Qwen Image", "1:1 4:3 3:4 9:16 16:9", "1K", "24", "1K"),
    "minimax-image": Row("Minimax Image", "1:1 4:3 3:4 3:2 2:3 9:16 16:9", "1K", "6", "1K"),
    "seedream-v4": Row("Seedream v4", "1:1 4:3 3:4 2:3 3:2 9:16 16:9", "4K", "18", "1K 2K 4K"),
}  # fmt: skip

PERSONALISED = {
    "personalize-core": Row("Personalize Core", "1:1 4:3 3:4 3:2 2:3 5:4 4:5 16:9 9:16", NO_LIST, "24", "1K 2K"),
    "personalize-max": Row("Personalize Max", "1:1 4:3 3:4 3:2 2:3 5:4 4:5 16:9 9:16", NO_LIST, "24", "1K 2K"),
    "personalize-ultra": Row("Personalize Ultra", "1:1 3:4 4:3 9:16 16:9", NO_LIST, "24", "1K 2K"),
}

STYLED = {"style-reference": Row("Style Reference", "1:1 4:3 3:4 9:16 16:9", NO_LIST, "24", "1K 2K")}

UPSCALERS = {"topaz": "Topaz", "magnific-precision-v2": "Magnific Precision v2"}

DOCUMENT = {
    **{model: row.name for model, row in (CREATE_AND_EDIT | PERSONALISED | STYLED).items()},
    **UPSCALERS,
}
"""Every model of the document, by id, with its name there."""

SOURCE = "ImagineArt, Image - Credit Consumption"
"""What the price list of a file says that has the document's rows."""

ROWS = {
    **{model: (row, (GENERATE, EDIT)) for model, row in CREATE_AND_EDIT.items()},
    **{model: (row, (PERSONALISE,)) for model, row in PERSONALISED.items()},
    **{model: (row, (STYLE,)) for model, row in STYLED.items()},
}


def model_of(catalog: Catalog, model_id: str) -> ModelSpec:
    model = catalog.find(model_id)
    assert model is not None, model_id
    return model


def price_of(model: ModelSpec, request: GenerationRequest) -> int:
    valid = validate(model, request)
    assert isinstance(valid, ValidRequest), valid
    return quote(model, valid).credits


def cells(row: Row, operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, str, str]]:
    return ((op, tier, ratio) for op in operations for tier in row.tiers.split() for ratio in row.ratios.split())


def test_every_row_of_the_document_is_in_the_catalog(shipped: Catalog) -> None:
    """29 rows, by their names."""
    assert 29 == len(DOCUMENT)
    assert DOCUMENT == {model.id: model.name for model in shipped.models if model.id in DOCUMENT}


def test_a_row_of_the_document_says_so(shipped: Catalog) -> None:
    """The source of its file's price list is the document."""
    assert {SOURCE} == {model_of(shipped, model_id).price_list.source for model_id in DOCUMENT}


def test_a_model_beyond_the_document_names_its_own_source(shipped: Catalog) -> None:
    """Nothing else leans on the document: it stands in a file whose price list comes from somewhere else."""
    beyond = (model for model in shipped.models if model.id not in DOCUMENT)

    assert [] == [model.id for model in beyond if model.price_list.source == SOURCE]


@each_case("model_id", ROWS)
def test_a_row_sells_the_ratios_and_resolutions_of_the_document(shipped: Catalog, model_id: str) -> None:
    """Ratios exactly and in order; resolutions as the model makes them, up to the document's."""
    row, operations = ROWS[model_id]

    model = model_of(shipped, model_id)

    sold = [(c.aspect_ratios, c.resolutions) for c in model.capabilities]
    assert [(tuple(row.ratios.split()), tuple(row.tiers.split()))] == sold
    assert operations == model.operations


@each_case("model_id", [m for m, (row, _) in ROWS.items() if row.up_to not in {TOOLTIP, NO_LIST}])
def test_a_row_goes_up_to_the_resolution_of_the_document(shipped: Catalog, model_id: str) -> None:
    """The largest tier is the one in the "up to" column."""
    row, _ = ROWS[model_id]

    tiers = model_of(shipped, model_id).capabilities[0].resolutions

    assert row.up_to == max(tiers, key=tier_rank)


@each_case("model_id", ROWS)
def test_every_tier_and_ratio_of_every_operation_has_the_price_of_the_document(shipped: Catalog, model_id: str) -> None:
    """Each cell is a request that validates and is quoted at exactly the published credits."""
    row, operations = ROWS[model_id]
    model = model_of(shipped, model_id)

    found = {
        cell: price_of(
            model,
            GenerationRequest(
                model=model_id, operation=cell[0], resolution=cell[1], aspect_ratio=cell[2], prompt_length=5
            ),
        )
        for cell in cells(row, operations)
    }

    assert {cell: row.price_at(cell[1]) for cell in cells(row, operations)} == found


@each_case("model_id", ROWS)
def test_outputs_multiply_the_price(shipped: Catalog, model_id: str) -> None:
    """As many images as the model makes at once cost that many times one."""
    row, operations = ROWS[model_id]
    model = model_of(shipped, model_id)
    tier, most = row.tiers.split()[0], model.capabilities[0].outputs_max

    found = price_of(model, GenerationRequest(operation=operations[0], resolution=tier, outputs=most, prompt_length=5))

    assert most * row.price_at(tier) == found


@each_case(
    ("model_id", "most"),
    [
        ("chatgpt", 10), ("chatgpt-1.5", 10), ("xai-grok-imagine", 10), ("minimax-image", 9), ("ideogram-v3", 8),
        ("recraft-v4", 6), ("recraft-v4-pro", 6), ("imagen-4", 4), ("qwen-image", 1), ("z-image-turbo", 1),
        ("seedream-v4", 15), ("seedream-v4.5", 15), ("seedream-v5-lite", 15), ("nano-banana", 1),
        ("nano-banana-2", 1), ("nano-banana-pro", 1), ("flux-2-max", 1), ("flux-2-pro", 1), ("flux-1.1-ultra", 1),
    ],
)  # fmt: skip
def test_a_model_makes_as_many_at_once_as_its_vendor_says(shipped: Catalog, model_id: str, most: int) -> None:
    """The document names no maximum; the vendors do."""
    assert most == model_of(shipped, model_id).capabilities[0].outputs_max


def upscale(shipped: Catalog, model_id: str, scale: int, size: Pixels) -> int:
    request = GenerationRequest(operation=Operation.IMAGE_UPSCALE, scale=Fraction(scale), input_pixels=size)
    return price_of(model_of(shipped, model_id), request)


@each_case(
    ("scale", "size", "price"),
    [
        (2, Pixels(1920, 1080), "41"),  # the document's example: 20 x 2.0736 x 1 = 41.472
        (3, Pixels(1920, 1080), "83"),  # 20 x 2.0736 x 2 = 82.944
        (4, Pixels(1920, 1080), "124"),  # 20 x 2.0736 x 3 = 124.416
        (2, Pixels(1000, 1000), "20"),
        (4, Pixels(1000, 1000), "60"),
        (2, Pixels(1025, 1000), "21"),  # 20.5 goes up
        (2, Pixels(1024, 1024), "21"),  # 20.97152
        (2, Pixels(100, 100), "1"),  # 0.2: no upscale is free
    ],
)
def test_topaz_costs_by_the_megapixels_that_go_in(shipped: Catalog, scale: int, size: Pixels, price: str) -> None:
    """Base 20, times millions of pixels of the input, times 1, 2 or 3, rounded half up to whole credits."""
    assert parse_credits(price) == upscale(shipped, "topaz", scale, size)


@each_case(("scale", "price"), [(2, "65"), (4, "260"), (8, "520"), (16, "1040")])
def test_magnific_costs_by_the_scale_alone(shipped: Catalog, scale: int, price: str) -> None:
    """A small picture and a large one cost the same."""
    found = {upscale(shipped, "magnific-precision-v2", scale, size) for size in (Pixels(200, 200), Pixels(2000, 3000))}

    assert {parse_credits(price)} == found


@pytest.mark.parametrize(("model_id", "scales"), [("topaz", (2, 3, 4)), ("magnific-precision-v2", (2, 4, 8, 16))])
def test_an_upscaler_sells_the_scales_of_the_document(shipped: Catalog, model_id: str, scales: tuple[int, ...]) -> None:
    """These and no others, for upscales and nothing else."""
    model = model_of(shipped, model_id)

    assert (Operation.IMAGE_UPSCALE,) == model.operations
    assert tuple(map(Fraction, scales)) == model.capabilities[0].scales


def tables(catalog: Catalog) -> list[tuple[str, Capability]]:
    return [(model.id, c) for model in catalog.models for c in model.capabilities if c.pixels]


def test_every_size_of_every_table_reads_back_to_its_tier_and_ratio(shipped: Catalog) -> None:
    """What comes out is recognised by its pixels, so no size may stand for two things."""
    read_back = {
        (model, pair): capability.by_pixels[size]
        for model, capability in tables(shipped)
        for pair, size in capability.pixels.items()
    }

    assert {key: key[1] for key in read_back} == read_back


def test_a_request_in_pixels_costs_what_its_tier_and_ratio_cost(shipped: Catalog) -> None:
    """Saying 2752x1536 is saying 2K 16:9."""
    for model_id, capability in tables(shipped):
        model = model_of(shipped, model_id)
        for (tier, ratio), size in capability.pixels.items():
            by_name = GenerationRequest(resolution=tier, aspect_ratio=ratio, prompt_length=5)
            by_size = GenerationRequest(size=str(size), prompt_length=5)

            assert price_of(model, by_name) == price_of(model, by_size), (model_id, str(size))


def test_where_a_vendor_publishes_a_table_it_is_complete(shipped: Catalog) -> None:
    """Every tier and ratio that is sold has its pixels, or none of the model has."""
    gaps = [
        (model, tier, ratio)
        for model, capability in tables(shipped)
        for tier in capability.resolutions
        for ratio in capability.aspect_ratios
        if capability.sells(tier, ratio) and (tier, ratio) not in capability.pixels
    ]

    assert [] == gaps


@each_case(
    ("model_id", "tier", "ratio", "size"),
    [
        ("nano-banana-2", "1K", "21:9", Pixels(1584, 672)), ("nano-banana-2", "2K", "16:9", Pixels(2752, 1536)),
        ("nano-banana-pro", "4K", "5:4", Pixels(4608, 3712)), ("nano-banana", "1K", "4:3", Pixels(1184, 864)),
        ("imagen-4", "1K", "3:4", Pixels(896, 1280)), ("chatgpt", "1K", "2:3", Pixels(1024, 1536)),
        ("seedream-v4.5", "4K", "16:9", Pixels(5504, 3040)), ("seedream-v5-lite", "3K", "9:16", Pixels(2304, 4096)),
        ("seedream-v4", "1K", "16:9", Pixels(1312, 736)), ("recraft-v4", "1K", "4:3", Pixels(1216, 896)),
        ("recraft-v4-pro", "2K", "9:16", Pixels(1536, 2688)), ("flux-1.1-ultra", "2K", "3:4", Pixels(1792, 2368)),
        ("ideogram-v3", "1K", "16:9", Pixels(1312, 736)), ("qwen-image", "1K", "4:3", Pixels(1472, 1104)),
        ("minimax-image", "1K", "16:9", Pixels(1280, 720)), ("imagineart-1.5-pro", "4K", "3:1", Pixels(6592, 2200)),
    ],
)  # fmt: skip
def test_a_table_has_its_vendors_pixels(shipped: Catalog, model_id: str, tier: str, ratio: str, size: Pixels) -> None:
    """A cell of each vendor's table, most of them where the label is not arithmetic."""
    assert size == model_of(shipped, model_id).capabilities[0].pixels[tier, ratio]


@each_case(
    ("model_id", "size", "fits"),
    [
        ("flux-2-pro", "1920x1088", True), ("flux-2-pro", "1920x1080", False), ("flux-2-max", "2048x2048", True),
        ("flux-2-max", "2064x2064", False), ("flux-dev", "1152x1536", False), ("flux-dev", "768x1024", True),
        ("dreamina-3.1", "2048x1536", True), ("dreamina-3.1", "2064x1548", False),
        ("seedream-v4.5", "1024x1024", False), ("seedream-v4.5", "3000x3000", True),
        ("minimax-image", "1024x768", True), ("minimax-image", "2048x2048", False),
        ("z-image-turbo", "3072x1024", True), ("z-image-turbo", "256x256", False),
    ],
)  # fmt: skip
def test_free_sizes_are_bounded_by_the_vendor_and_by_what_is_sold(
    shipped: Catalog, model_id: str, size: str, fits: bool
) -> None:
    """Inside: priced like any other. Outside: refused before the vendor rounds or bills it."""
    valid = validate(model_of(shipped, model_id), GenerationRequest(size=size, prompt_length=5))

    assert fits is isinstance(valid, ValidRequest)


@each_case(
    ("provider", "upstream_id", "status", "sunset", "replacement"),
    [
        ("openai", "gpt-image-1", Status.RETIRED, "2026-10-23", "nano-banana-2"),
        ("openai", "gpt-image-1.5", Status.DEPRECATED, "2026-12-01", "nano-banana-2"),
        ("gemini", "imagen-4.0-generate-001", Status.RETIRED, "2026-08-17", "nano-banana-2"),
        ("gemini", "gemini-2.5-flash-image", Status.DEPRECATED, "2027-03-15", "nano-banana-2"),
    ],
)
def test_what_a_vendor_ends_says_when_and_what_follows(
    shipped: Catalog, provider: str, upstream_id: str, status: Status, sunset: str, replacement: str
) -> None:
    """Lifecycles as the vendors announced them."""
    found = shipped.offered(provider, upstream_id)

    assert found is not None
    lifecycle = found[1].lifecycle
    assert (status, sunset, replacement) == (lifecycle.status, str(lifecycle.sunset), lifecycle.replacement)


def test_every_replacement_is_offered_and_active_somewhere(shipped: Catalog) -> None:
    """Nobody is sent from one dead end to another."""
    replacements = {o.lifecycle.replacement for model in shipped.models for o in model.offers} - {None}

    living = {m.id for m in shipped.models if any(o.lifecycle.status is Status.ACTIVE for o in m.offers)}
    assert replacements <= living


def test_half_credits_are_exact(shipped: Catalog) -> None:
    """73.5 credits are 73,500,000 micro-credits, to the last one."""
    request = GenerationRequest(resolution="2K", aspect_ratio="16:9", prompt_length=5)

    found = price_of(model_of(shipped, "nano-banana-2"), request)

    assert 73_500_000 == found
