"""What the documents say about the code is what the code says."""

import re
from pathlib import Path

from gatekeeper.core.rejection import Code
from tests.cases import case, each_case
from tests.house.generated import BLOCK, BLOCKS, documents, with_blocks


def test_a_document_is_up_to_date(root: Path) -> None:
    """The generated parts are as the code would write them now (`make generate` does)."""
    for document, wanted in documents().items():
        with case(document):
            assert wanted == (root / document).read_text()


def test_every_block_stands_in_a_document(root: Path) -> None:
    """What can be generated is in exactly one document."""
    texts = [path.read_text() for path in (*root.glob("*.md"), *root.glob("docs/*.md"))]

    assert sorted(BLOCKS) == sorted(found[1] for text in texts for found in BLOCK.findall(text))


@each_case("code", Code)
def test_every_code_is_documented(root: Path, code: Code) -> None:
    """docs/rejections.md has a row for every code."""
    assert f"| `{code}` |" in (root / "docs/rejections.md").read_text()


def test_every_code_is_raised_somewhere(root: Path, modules: list[Path]) -> None:
    """The list promises nothing that cannot happen."""
    elsewhere = [path for path in modules if path.name != "rejection.py"]
    used = re.compile(r"\b(?:Refusal)?Code\.([A-Z_]+)")
    raised = {name for path in elsewhere for name in used.findall((root / path).read_text())}

    assert {code.name for code in Code} - raised == set()


def test_a_stale_block_is_replaced_and_nothing_else() -> None:
    """The words around a block stay."""
    stale = "Before.\n<!-- generated: rejections -->\nold\n<!-- end -->\nAfter.\n"

    fresh = with_blocks(stale)

    assert fresh.startswith("Before.\n<!-- generated: rejections -->\n| code |")
    assert fresh.endswith("|\n<!-- end -->\nAfter.\n")
