"""Where tests stand: in the folder that mirrors the package they are about, or in one that looks at the whole."""

from pathlib import Path

WHOLE = {"system", "browser", "screenshots", "house", "docs", "torture", "benchmarks"}
"""Folders of tests about the running gateway, the console in a browser and its pictures, the repository itself, its
documents, about all of it when everything fails, and about what measures it."""

IN_ONE_FILE = {"yamlfile"}
"""Packages whose tests are one file beside the folders."""


def folders(root: Path, files: list[Path]) -> set[str]:
    """The first folder of each file that is in one."""
    return {path.parts[1] for path in files if len(path.parts) > 2}


def test_folders_of_tests_mirror_the_package(root: Path, modules: list[Path], test_files: list[Path]) -> None:
    """Whoever looks for the tests of a package finds them under its name."""
    packages, tested = folders(root, modules), folders(root, test_files)

    assert packages - IN_ONE_FILE == tested - WHOLE
