"""Tables in a narrow terminal: gaps shrink first, then lines break between words."""

from rich.console import Console

from gatekeeper.cli.fitting import fit
from gatekeeper.cli.tables import breakable, new_table
from tests.cases import each_case

USAGE = {"Project": "spring", "Member": "amy", "Model": "nano-banana-2", "Resolution": "1K", "Credits": "1234.5"}
USAGE |= {"Generations": "25", "Released": "1", "Outputs": "26"}
LIMIT = {"Scope": "member:amy", "Per": "month", "Limit": "200", "Raised": "400 until 2026-11-30T23:00:00Z"}
LIMIT |= {"Used": "49", "Held": "0", "Resets": "2026-11-30T23:00:00Z", "Exhausted": "no"}


def printed(row: dict[str, str], width: int) -> list[str]:
    """A table of this row, line by line."""
    console = Console(width=width)
    table = new_table(*row)
    table.add_row(*map(breakable, row.values()))
    with console.capture() as lines:
        console.print(fit(table, console))
    return [line.rstrip() for line in lines.get().splitlines()]


@each_case(("row", "width", "gap"), [(USAGE, 120, 3), (USAGE, 80, 1), ({"Team": "a"}, 20, 3)])
def test_what_fits_stays_on_one_line(row: dict[str, str], width: int, gap: int) -> None:
    """With the widest gap that it fits with."""
    lines = printed(row, width)

    assert 3 == len(lines)
    assert lines[0].startswith((" " * gap).join([*row][:1]))
    assert max(map(len, lines)) <= width
    assert list(row) == lines[0].split()


def test_a_time_breaks_between_its_day_and_its_hour() -> None:
    """Never within either, and no heading is broken."""
    words = " ".join(printed(LIMIT, 80)).split()

    assert {"2026-11-30", "23:00:00Z", "member:amy", "Exhausted"} <= {*words}
    assert max(map(len, printed(LIMIT, 80))) <= 80


def test_what_is_too_narrow_for_a_word_breaks_it() -> None:
    """Nothing is lost."""
    text = "".join("".join(printed({"Key": "abcdefghijklmnop"}, 10)[2:]).split())

    assert "abcdefghijklmnop" == text
