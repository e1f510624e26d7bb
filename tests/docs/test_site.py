"""The site: it is built without a warning, has every page, asks no other host for anything, and a bad link fails it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, documents

FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//|<link\b[^>]*\bhref=[\"']?(?:https?:)?//"
)
IN_STYLES = re.compile(r"(?:@import\s*[\"']?|url\([\"']?)(?:https?:)?//")


def built(target: Path, config: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` runs, into another directory. Told to be quiet it would count no warnings."""
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(target)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site."""
    target = tmp_path_factory.mktemp("site") / "site"
    done = built(target, ROOT / "mkdocs.yml")
    assert done.returncode == 0, done.stderr
    return target


def test_every_document_is_a_page(site: Path) -> None:
    """Those of docs/ under their names, and those of the project's own directory."""
    pages = [path.removeprefix("docs/").replace(".md", ".html") for path in documents() if path != "README.md"]
    project = [f"project/{name}.html" for name in ("readme", "architecture", "contributing", "changelog")]

    assert [] == [page for page in (*pages, *project) if not (site / page).is_file()]


def test_nothing_is_fetched_from_other_hosts(site: Path) -> None:
    """No script, style, font or picture: the site works where there is no internet."""
    pages = [str(path) for path in site.rglob("*.html") if FETCHED.search(path.read_text())]
    styles = [str(path) for path in site.rglob("*.css") if IN_STYLES.search(path.read_text())]

    assert ([], []) == (pages, styles)


def test_every_code_has_an_address(site: Path) -> None:
    """Answers and alerts may point at a chapter of the troubleshooting page."""
    text = (site / "troubleshooting.html").read_text()

    assert 'id="limit_exceeded"' in text
    assert 'id="provider_timeout"' in text


def test_what_is_copied_of_a_terminal_is_what_is_typed(site: Path) -> None:
    """No prompt and no output: the theme marks what its button copies, and the stylesheet hides them there."""
    scripts = "".join(path.read_text() for path in site.glob("assets/javascripts/bundle.*.js"))

    assert "data-md-copying" in scripts
    assert '<span class="gp">$ </span>' in (site / "quickstart.html").read_text()
    assert "[data-md-copying] :is(.gp, .go) { display: none; }" in (site / "site.css").read_text()


def test_no_bytecode_is_published(site: Path) -> None:
    """The hook of the site lies among its pages."""
    assert [] == [str(path) for path in site.rglob("__pycache__")]


def test_no_page_is_left_to_the_end() -> None:
    """Each has its place in the navigation, where the hook would put it under "More"."""
    listed = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]

    assert [] == [
        path for path in documents() if path.startswith("docs/") and f" {path.removeprefix('docs/')}\n" not in listed
    ]


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    """By the same configuration, over one page that is wrong."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text("[nowhere](nowhere.md) and [no chapter](#nothing)\n")
    config = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0].replace("docs_dir: docs", "docs_dir: pages")
    (tmp_path / "mkdocs.yml").write_text(re.sub(r"^(?:hooks|extra_css):.*\n", "", config, flags=re.MULTILINE))

    done = built(tmp_path / "site", tmp_path / "mkdocs.yml")

    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "#nothing" in done.stderr
