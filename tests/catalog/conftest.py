"""Catalog files to test with: the project's own, and small ones written for one test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.catalog import Catalog, load_catalog

CATALOG_FILES = sorted((Path(__file__).parents[2] / "config" / "catalog").glob("*.yaml"))

PRICE_LIST = "price_list: {name: test-list, effective_at: 2026-11-01T00:00:00Z, source: a test}\n"


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    """The catalog that comes with the project."""
    return load_catalog(CATALOG_FILES)


@pytest.fixture
def catalog_of(tmp_path: Path) -> Callable[..., Catalog]:
    """Writes each text as a file, with the head that every file needs, and loads them together."""

    def load(*texts: str) -> Catalog:
        paths = []
        for index, text in enumerate(texts):
            path = tmp_path / f"catalog-{index}.yaml"
            path.write_text(PRICE_LIST + text)
            paths.append(path)
        return load_catalog(paths)

    return load
