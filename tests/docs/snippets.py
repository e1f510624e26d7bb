"""Every fenced block of the README and of docs/, and what becomes of each: what is run where, and what cannot be.

A block that stands in neither list is run by `tests/docs/test_snippets.py`. So a new one is run unless somebody says
here why it cannot be.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

FENCE: Final = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)

LANGUAGES: Final = {"sh", "console", "python", "yaml", "json"}
"""What is run or read. A block of another language is for people alone."""

FOR_PEOPLE: Final = {"", "http"}
"""What is only shown: a request line, an answer's headers, a formula, an address."""

RUN_ELSEWHERE: Final = {
    "README.md": ("tests/house/test_readme.py", {"python", "json"}),
    "docs/admin.md": ("tests/system/test_admin_docs.py", {"sh"}),
    "docs/catalog.md": ("tests/catalog/test_docs.py", {"yaml"}),
    "docs/custom.md": ("tests/system/test_custom.py", {"yaml"}),
    "docs/decisions.md": ("tests/system/test_decisions_document.py", {"console", "python"}),
    "docs/shadow.md": ("tests/cli/test_shadow_doc.py", {"console"}),
    "docs/teams.md": ("tests/house/test_teams_guide.py", {"console", "yaml"}),
}
"""Blocks that have a world of their own, with the test that runs them."""

NOT_RUN: Final = {
    "pip install /path/to/gatekeeper": "it installs into the environment that runs the tests",
    "uv sync --locked --inexact --extra otel": "as the line before it; the tests have it already",
    "make test": "it would run this test",
    "docker compose up --build --detach --wait": "there is no Docker where tests run",
    "docker compose exec gateway-1 gatekeeper health": "there is no Docker where tests run",
    "valkey-cli CONFIG SET auto-aof-rewrite-percentage 0": "it asks for a server; tests/system/test_backup.py does it",
    "valkey-cli INFO persistence | grep aof_rewrite_in_progress   # until it says 0": "as the line before it",
    "cp -a /data/appendonlydir /backup/appendonlydir": "as the line before it",
    "valkey-cli CONFIG SET auto-aof-rewrite-percentage 100": "as the line before it",
    "git clone https://github.com/your-organisation/gatekeeper.git": "it stands for wherever the project is kept",
    "cd gatekeeper": "the tests are there",
}
"""Commands that no test can type, each with the reason."""

LEFT_OUT: Final = "..."
"""What a program says in place of something that is the reader's."""

ONLY_COMPILED: Final = {
    "docs/webhooks.md": "a model and its input are left out; tests/system/test_webhooks.py sends such requests",
}
"""Pages with a program that leaves something out, of which only the syntax is looked at."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block. `file` is where the page says that it is to be written."""

    document: str
    number: int
    language: str
    text: str
    file: str

    @property
    def name(self) -> str:
        return f"{self.document}:{self.number}:{self.language}"


def documents() -> list[str]:
    """Every page."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return ["README.md", *(str(path.relative_to(ROOT)) for path in pages)]


def snippets(document: str) -> Iterator[Snippet]:
    """Every block of a page, in order."""
    for number, found in enumerate(FENCE.finditer((ROOT / document).read_text())):
        yield Snippet(document, number, found["language"], found["text"], found["file"] or "")


def is_run_elsewhere(snippet: Snippet) -> bool:
    """Whether another test has it."""
    return snippet.language in RUN_ELSEWHERE.get(snippet.document, ("", set()))[1]


def run_here(document: str) -> list[Snippet]:
    """The blocks of a page that `test_snippets.py` runs or reads."""
    return [each for each in snippets(document) if each.language in LANGUAGES and not is_run_elsewhere(each)]
