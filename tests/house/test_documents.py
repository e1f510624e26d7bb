"""What the documents point at is there, and what they count is right."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.catalog import load_catalog
from tests.cases import each_case
from tests.house.generated import ROOT, commands

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")

LINES_MAX = {"README.md": 150, "ARCHITECTURE.md": 200}

REFERENCE = re.compile(r"`((?:gatekeeper|tests|docs|config|\.ci|\.github)/[\w./-]*)(?::([\w.]+))?`")
"""A path in backticks, perhaps with the name of something that is defined in it."""

CONTRACT = re.compile(r"[Cc]ontract `([\w-]+)`")


def references(text: str) -> Iterator[tuple[str, str]]:
    """Every path that a text points at, with the name it says is defined there, or nothing."""
    return ((found[1], (found[2] or "").rpartition(".")[2]) for found in REFERENCE.finditer(text))


def is_there(root: Path, path: str, name: str) -> bool:
    """Whether the path exists and defines the name."""
    target = root / path
    if not target.exists():
        return False
    return not name or bool(
        re.search(rf"^\s*(async def|def|class) {name}\b|^{name}\b.*=", target.read_text(), re.MULTILINE)
    )


@each_case("document", [*DOCUMENTS, *(str(p.relative_to(ROOT)) for p in sorted(ROOT.glob("docs/**/*.md")))])
def test_every_path_and_name_is_there(root: Path, document: str) -> None:
    """Files that a document names exist, and define what it says they define."""
    text = (root / document).read_text()

    assert [] == [reference for reference in references(text) if not is_there(root, *reference)]


def test_every_contract_is_there(root: Path) -> None:
    """The contracts that the architecture leans on are in force."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = set(CONTRACT.findall((root / "ARCHITECTURE.md").read_text()))

    assert set() == named - {contract["id"] for contract in settings["contracts"]}


def test_every_invariant_names_what_holds_it(root: Path) -> None:
    """No invariant rests on good will: each item names a test or a contract."""
    text = (root / "ARCHITECTURE.md").read_text()
    invariants = re.findall(r"^- \*Invariant:\* .+(?:\n  .+)*", text, re.MULTILINE)

    assert text.count("*Invariant:*") == len(invariants)
    assert [] == [each for each in invariants if not CONTRACT.search(each) and "`tests/" not in each]


@pytest.mark.parametrize("document", LINES_MAX)
def test_a_document_is_short(root: Path, document: str) -> None:
    """What has to be read first can be read at once."""
    assert len((root / document).read_text().splitlines()) <= LINES_MAX[document]


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md"])
def test_the_models_are_counted_right(root: Path, document: str) -> None:
    """Who comes for a model finds as many as were promised."""
    told = re.findall(r"\b(\d+) models\b", (root / document).read_text())

    assert [str(len(load_catalog(sorted(root.glob("config/catalog/*.yaml"))).models))] == told


@each_case("document", DOCUMENTS)
def test_every_link_leads_somewhere(root: Path, document: str) -> None:
    """Relative links point at files."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (root / document).read_text())

    assert [] == [link for link in links if not (root / link).exists()]


@each_case("document", DOCUMENTS)
def test_every_make_target_is_there(root: Path, document: str) -> None:
    """`make something` in a document is a target of the Makefile."""
    named = set(re.findall(r"\bmake ([a-z-]+)`|^make ([a-z-]+)", (root / document).read_text(), re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))

    assert set() == {first or second for first, second in named} - targets


@each_case("document", DOCUMENTS)
def test_every_command_is_there(root: Path, document: str) -> None:
    """`gatekeeper something` in a document is a command."""
    named = set(re.findall(r"[`/]gatekeeper ([a-z]+)\b", (root / document).read_text()))

    assert set() == named - set(commands())
