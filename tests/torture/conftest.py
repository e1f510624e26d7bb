"""Directories for runs, short enough for the path of a unix socket."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="gk-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)
