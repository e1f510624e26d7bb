"""Names that are near to one that is none, of few names and of very many."""

from difflib import get_close_matches

from gatekeeper.catalog.naming import COMPARED_MAX, LIKENESS_MIN, ModelNames
from tests.cases import each_case

MANY = {f"painter-{number}-{kind}": f"painter-{number}" for number in range(5_000) for kind in ("fast", "pro")}


@each_case(
    ("written", "meant"),
    [
        ("painter-4711-prr", "painter-4711-pro"),
        ("paintr-7-fast", "painter-7-fast"),
        ("PAINTER-99-PRO", "painter-99-pro"),
    ],
)
def test_a_slip_is_found_among_very_many(written: str, meant: str) -> None:
    """The name that was meant is the first, as if all had been compared."""
    assert meant == ModelNames(MANY).nearest(written)[0]


def test_of_few_names_all_are_compared() -> None:
    """The nearest are those that comparing each of them finds."""
    few = dict(list(MANY.items())[:COMPARED_MAX])

    close = get_close_matches("painter-12-fasst", few, n=1, cutoff=LIKENESS_MIN)

    assert close[0] == ModelNames(few).nearest("painter-12-fasst")[0]


def test_a_part_of_a_name_finds_it_among_very_many() -> None:
    """Also where it is too short to be like the whole."""
    names = ModelNames({**MANY, "somebody/else/a-sculptor-of-stone-v2": "sculptor"})

    assert ("somebody/else/a-sculptor-of-stone-v2",) == names.nearest("sculptor")


@each_case("written", ["", "q", "zz", "x" * 80, "x" * 81])
def test_what_is_near_to_none_of_very_many_finds_none(written: str) -> None:
    """However short or long."""
    assert () == ModelNames(MANY).nearest(written)
