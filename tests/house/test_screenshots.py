"""The pictures of the console that the documents show are there, described, and small."""

import re
from pathlib import Path

from tests.screenshots.pictures import BYTES_MAX, SCHEMES, SCREENS, SHOTS

PICTURE = re.compile(r"!\[([^\]]+)\]\((screenshots/[\w-]+\.png)\)")


def test_every_picture_is_shown_and_described(root: Path) -> None:
    """Each page, light and dark, at a desk and on a phone, with words for whoever does not see it; and no others."""
    wanted = {f"{shot.name}-{screen}-{scheme}.png" for shot in SHOTS for screen in SCREENS for scheme in SCHEMES}

    shown = PICTURE.findall((root / "docs/console.md").read_text())
    there = {path.name for path in (root / "docs/screenshots").iterdir()}

    assert wanted == there == {path.rpartition("/")[2] for _, path in shown}
    assert len(wanted) == len({words for words, _ in shown})


def test_the_pictures_are_small(root: Path) -> None:
    """A clone stays quick."""
    large = [path.name for path in (root / "docs/screenshots").iterdir() if path.stat().st_size > BYTES_MAX]

    assert [] == large
