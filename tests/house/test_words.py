"""What the files say about themselves, and what none of them says."""

import ast
import re
from pathlib import Path

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
"""Words for work that somebody else will never do. Written in two halves, or this file would find itself."""

SILENT = {"gatekeeper/__init__.py"}
"""Modules that have nothing to explain."""


def test_a_module_says_what_it_is_for(root: Path, modules: list[Path]) -> None:
    """Every module begins with a docstring."""
    silent = {str(path) for path in modules if not ast.get_docstring(ast.parse((root / path).read_text()))}

    assert set() == silent - SILENT


def test_a_test_states_its_fact(root: Path, test_files: list[Path]) -> None:
    """Every test has a docstring."""
    files = [path for path in test_files if path.name.startswith("test_")]
    tops = [(path, top) for path in files for top in ast.parse((root / path).read_text()).body]
    found = [(path, node) for path, top in tops for node in (top, *getattr(top, "body", ()))]
    functions = [(p, node) for p, node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    tests = [(p, each) for p, each in functions if each.name.startswith("test_")]

    assert [] == [f"{path}:{each.name}" for path, each in tests if not ast.get_docstring(each)]


def test_nothing_is_left_for_later(root: Path, modules: list[Path], test_files: list[Path], texts: list[Path]) -> None:
    """No code, document, configuration or script holds a note about work that was not done."""
    found = [str(path) for path in (*modules, *test_files, *texts) if UNFINISHED.search((root / path).read_text())]

    assert [] == found
