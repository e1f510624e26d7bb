"""The quick reader of plain YAML reads what the full parser reads, or leaves it to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatekeeper.yamlfile import ConfigError, YamlFile, parse_yaml
from gatekeeper.yamlfile import read as reading
from gatekeeper.yamlfile.plain import Unfit, read_plain
from tests.cases import each_case

HERE = Path("some.yaml")
SHIPPED = sorted((Path(__file__).parents[1] / "config" / "catalog").glob("*.yaml"))
LINES = [line for path in SHIPPED for line in path.read_text("utf-8").splitlines()]
ODD = [
    *"{}[],:#'\"\\-?|>&*!%@`~=+/.;$(",
    "\n",
    "\n  ",
    "\t",
    " ",
    ": ",
    "- ",
    " #",
    "<<: ",
    "...",
    "---",
    "\u00e9",
    "1e5",
]


def full(text: str) -> object:
    """The value with the kind of every part, or that there is none."""
    try:
        return repr(reading._built(text, HERE)[0])
    except ConfigError:
        return "refused"


def quick(text: str) -> object | None:
    try:
        return repr(read_plain(text))
    except Unfit:
        return None


@st.composite
def nearly_plain(draw: st.DrawFn) -> str:
    """Some lines of a shipped catalog, at the left edge, with a few characters lost or put in between."""
    start = draw(st.integers(0, len(LINES) - 1))
    lines = LINES[start : start + draw(st.integers(1, 7))]
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    text = "\n".join(line[indent:] for line in lines) + "\n"
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", *ODD])) + text[at + draw(st.integers(0, 2)) :]
    return text


@settings(max_examples=400)
@given(nearly_plain())
@example("a: b # c\nd: {e: f}\n")
@example("a:\n- b\n- c: d\n  e: [f,\n g]\nh:\n")
@example("a: b\n c: d\n")
@example("a: b: c\n")
@example("a: {b: 1, b: 2}\n")
@example("a: 'it''s'\n")
@example("a: [b,\n# c\nd]\n")
@example("a: [b#c, d #e\n]\n")
@example("a: 1\na: 2\n")
@example("- a\n- b\n")
@example("a: x\n---\nb: y\n")
@example("a: x\n...\n")
@example("a: {\n...\n}\n")
@example("a: off\nb: 0x1F\nc: 1_0\nd: 2026-02-30\n")
def test_what_is_read_quickly_is_read_alike(text: str) -> None:
    """For anything near to a catalog: the value that the full parser finds in it, or nothing."""
    found = quick(text)

    assert found in {None, full(text)}


@each_case("path", SHIPPED)
def test_shipped_files_are_read_quickly(path: Path) -> None:
    """All of them, or a large catalog would take half a minute to load."""
    assert quick(path.read_text("utf-8")) is not None


@each_case(
    "text",
    [
        "a: &b c\n",
        "a: *b\n",
        "a: !!str b\n",
        "a: |\n  b\n",
        "a: b\n  c\n",
        'a: "\\n"\n',
        "\ta: b\n",
        "a: b\r\n",
        "? a\n: b\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_full_parser(text: str) -> None:
    """It knows all of YAML, and the words for what is not taken here."""
    with pytest.raises(Unfit):
        read_plain(text)


def test_nesting_is_bounded() -> None:
    """A deep text is the full parser's, which has no recursion, and says that it is too deep."""
    with pytest.raises(Unfit):
        read_plain("a: " + "[" * 5000 + "]" * 5000 + "\n")


def test_lines_are_counted_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: a file with nothing wrong in it is read once."""
    counted = list[str]()
    build: Callable[[str, Path], tuple[Any, Any]] = reading._built

    def counting(text: str, path: Path) -> tuple[Any, Any]:
        counted.append(text)
        return build(text, path)

    monkeypatch.setattr(reading, "_built", counting)
    file: YamlFile = parse_yaml("models:\n\n  - id: a\n    name: counted\n", HERE)
    before: list[Any] = list(counted)

    assert ([], 4, 1) == (before, file.line_of(("models", 0, "name")), len(counted))
