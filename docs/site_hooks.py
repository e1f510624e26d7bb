"""What the site needs beside the pages of docs/: the documents of the project's own directory, and their links.

README and its neighbours stand outside docs/, where whoever opens the project looks for them. The site has them as
`project/*.md`. A link from a page to one of them leads there; one from there into docs/ to the page. A link to another
file of the project has no page: its words stay, and the link goes.
"""

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]

OUTSIDE: Final = {
    "README.md": "project/readme.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}

LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)]*)?\)")

FENCE: Final = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)


def on_config(config: Any) -> Any:
    """A page that the list of the navigation forgets is found at its end."""
    listed = (ROOT / "mkdocs.yml").read_text()
    pages = sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md"))
    if forgotten := [page for page in pages if not re.search(rf"(?:^|\s){re.escape(page)}$", listed, re.MULTILINE)]:
        config.nav.append({"More": forgotten})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the documents from outside as pages."""
    for name, path in OUTSIDE.items():
        files.append(File.generated(config, path, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page with its links as the site has them. Code is left alone."""
    where = next((name for name, path in OUTSIDE.items() if path == page.file.src_uri), f"docs/{page.file.src_uri}")
    parts = FENCE.split(markdown)
    return "".join(part if n % 2 else _linked(part, where, page.file.src_uri) for n, part in enumerate(parts))


def _linked(text: str, where: str, here: str) -> str:
    """`where` a page stands in the project, and `here` in the site."""

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(where), target))
        if path in OUTSIDE:
            return f"[{words}]({posixpath.relpath(OUTSIDE[path], posixpath.dirname(here))}{anchor})"
        if path.startswith("docs/"):
            return f"[{words}]({posixpath.relpath(path.removeprefix('docs/'), posixpath.dirname(here))}{anchor})"
        if (ROOT / path).exists():
            return words
        return found[0]

    return LINK.sub(link, text)
