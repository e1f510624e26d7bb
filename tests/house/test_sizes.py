"""Small enough to read: a file in one sitting, a function on one screen."""

import ast
from pathlib import Path

MODULE_LINES_MAX = 400
TEST_LINES_MAX = 500
FUNCTION_LINES_MAX = 60


def longer_than(root: Path, files: list[Path], lines_max: int) -> dict[str, int]:
    """The files that have more lines, with how many."""
    lengths = {str(path): len((root / path).read_text().splitlines()) for path in files}
    return {path: lines for path, lines in lengths.items() if lines > lines_max}


def long_functions(root: Path, path: Path) -> dict[str, int]:
    """The functions of a file that are too long, with their lines, docstring included."""
    tree = ast.parse((root / path).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f"{path}:{each.name}": (each.end_lineno or 0) - each.lineno + 1 for each in functions}
    return {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX}


def test_a_module_is_short(root: Path, modules: list[Path]) -> None:
    """No module has more than 400 lines."""
    assert {} == longer_than(root, modules, MODULE_LINES_MAX)


def test_a_test_file_is_short(root: Path, test_files: list[Path]) -> None:
    """No file of tests has more than 500 lines."""
    assert {} == longer_than(root, test_files, TEST_LINES_MAX)


def test_a_function_is_short(root: Path, modules: list[Path], test_files: list[Path]) -> None:
    """No function has more than 60 lines."""
    found = [long_functions(root, path) for path in (*modules, *test_files)]

    assert [] == [each for each in found if each]
