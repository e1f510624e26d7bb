"""The table of a model's prices: every cell a quote, what is alike together, what is not sold empty."""

from dataclasses import replace

from gatekeeper.console.calculator import calculate
from gatekeeper.console.explaining import explain_price
from gatekeeper.console.pricetable import CELLS_MAX, price_table
from gatekeeper.core.price import quote
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.validate import validate
from tests.cases import each_case
from tests.console.shop import forms_of, model, shipped


@each_case("name", [each.id for each in shipped().models])
def test_a_cell_is_what_the_calculator_says(name: str) -> None:
    """Whoever follows a cell finds its price as the total."""
    of = model(name)
    for operation in of.operations:
        table = price_table(of, calculate(of, {"operation": operation.value}).chosen)

        cells = [cell for row in table.rows for cell in row.cells if cell is not None]
        assert cells
        for cell in cells[:: max(len(cells) // 20, 1)]:
            calculation = calculate(of, cell.form)
            assert ((), cell.quote) == (calculation.passed_over, calculation.quote)


def test_what_is_not_sold_is_an_empty_cell() -> None:
    """Veo has no 4K below eight seconds."""
    table = price_table(model("veo-3.1"), calculate(model("veo-3.1"), {}).chosen)

    assert ("4K, without sound", "4K, with sound") == table.columns[4:]
    assert [None, None] == list(table.rows[0].cells[4:])
    assert ("337.6", "675.2") == tuple(cell.credits_text for cell in table.rows[2].cells[:2] if cell)


def test_ratios_of_one_price_stand_together() -> None:
    """Sixteen by nine upright has the same number of pixels."""
    table = price_table(model("seedance-2.0"), calculate(model("seedance-2.0"), {}).chosen)

    assert (("16:9, 9:16", "4 s"), False) == (table.rows[0].heads, table.rows[0].repeats)
    assert (("16:9, 9:16", "5 s"), True) == (table.rows[1].heads, table.rows[1].repeats)


def test_pictures_have_their_pixels() -> None:
    """As the vendor makes them, not as arithmetic would."""
    table = price_table(model("nano-banana-2"), calculate(model("nano-banana-2"), {}).chosen)

    cell = next(row for row in table.rows if row.heads == ("16:9",)).cells[1]
    assert cell is not None
    assert ("73.5", "2752 × 1536") == (cell.credits_text, cell.pixels)


def test_a_table_is_for_as_many_outputs_as_are_chosen() -> None:
    """And says so."""
    of = model("ideogram-v3")

    table = price_table(of, calculate(of, {"outputs": "4"}).chosen)

    cell = table.rows[0].cells[0]
    assert cell is not None
    assert ("Ideogram v3: credits for 4 outputs", "100") == (table.caption, cell.credits_text)


def test_every_table_of_the_catalog_fits() -> None:
    """None is cut."""
    for of in shipped().models:
        for operation in of.operations:
            table = price_table(of, calculate(of, {"operation": operation.value}).chosen)
            assert not table.is_cut
            assert len(table.rows) * len(table.columns) <= CELLS_MAX


def test_every_price_is_explained() -> None:
    """In sentences, for every model and form."""
    for of in shipped().models:
        for form in forms_of(of):
            calculation = calculate(of, form)
            sentences = explain_price(calculation.capability, calculation.valid, calculation.quote)
            assert sentences
            assert all(sentence.endswith(".") for sentence in sentences)


def test_a_minimum_is_explained_where_it_takes_effect() -> None:
    """A thumbnail would be nearly nothing; the line that raises it is there too."""
    calculation = calculate(model("topaz"), {"input_pixels": "64x64"})

    sentences = explain_price(calculation.capability, calculation.valid, calculation.quote)

    assert "An output costs at least 1. This one would be less, and is raised to it." in sentences
    assert ("up to the minimum", 1_000_000) == (calculation.quote.lines[-1].item, calculation.quote.credits)


def test_the_seeds_example_is_shown_with_its_arithmetic() -> None:
    """1920 x 1080 at twice its size: 20 x 2.0736 x 1 is 41.472, rounded to 41."""
    calculation = calculate(model("topaz"), {"input_pixels": "1920x1080", "scale": "2x"})

    line = calculation.quote.lines[0]
    assert ("image upscale, 2x (2.0736 MP x 1)", 41_000_000) == (line.item, line.credits)


def test_a_cell_is_marked_where_it_is_chosen() -> None:
    """One, and the right one."""
    of = model("nano-banana-2")
    chosen = replace(calculate(of, {}).chosen, resolution="2K", aspect_ratio="1:1")

    cells = [cell for row in price_table(of, chosen).rows for cell in row.cells if cell is not None and cell.chosen]

    valid = validate(of, chosen)
    assert isinstance(valid, ValidRequest)
    assert [quote(of, valid)] == [cell.quote for cell in cells]


def test_a_default_is_marked_like_a_choice() -> None:
    """What the model makes by itself is what comes out; and any ratio of a group marks its row."""
    plain = calculate(model("nano-banana-2"), {"aspect_ratio": "1:1"})
    grouped = calculate(model("veo-3.1"), {"aspect_ratio": "9:16", "duration_s": "4", "audio": "true"})

    first = price_table(model("nano-banana-2"), plain.chosen).rows[0].cells[0]
    second = price_table(model("veo-3.1"), grouped.chosen).rows[0].cells[1]
    assert first is not None
    assert second is not None
    assert (True, True) == (first.chosen, second.chosen)
    assert "9:16" == second.form["aspect_ratio"]
