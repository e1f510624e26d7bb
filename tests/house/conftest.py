"""The files the house rules are about."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def files_in(*folders: str, suffix: str) -> list[Path]:
    """Every file below these folders with that ending, relative to the project, in order."""
    found = (path for folder in folders for path in (ROOT / folder).rglob(f"*{suffix}"))
    return sorted(path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts)


@pytest.fixture
def root() -> Path:
    """The project's own directory."""
    return ROOT


@pytest.fixture
def modules() -> list[Path]:
    """Every module of the package."""
    return files_in("gatekeeper", suffix=".py")


@pytest.fixture
def test_files() -> list[Path]:
    """Every Python file of the tests."""
    return files_in("tests", suffix=".py")


@pytest.fixture
def scripts() -> list[Path]:
    """Every Lua script that is called; the prelude is put in front of them and has no contract of its own."""
    return [path for path in files_in("gatekeeper", suffix=".lua") if path.name != "prelude.lua"]


@pytest.fixture
def texts() -> list[Path]:
    """Everything else that people read: documents, configuration, scripts."""
    patterns = ("*.md", "*.toml", "Makefile", "docs/**/*.md", "config/**/*.yaml", "gatekeeper/**/*.lua")
    return sorted(path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern))
