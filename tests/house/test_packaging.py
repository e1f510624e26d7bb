"""What a wheel carries. It is built here, without a network, in a scratch directory."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, open."""
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(built)


def test_it_is_typed(wheel: zipfile.ZipFile) -> None:
    """Type checkers of other projects may use the annotations."""
    assert "gatekeeper/py.typed" in wheel.namelist()


def test_it_carries_every_script(wheel: zipfile.ZipFile, scripts: list[Path]) -> None:
    """Every Lua script and the prelude are in it."""
    wanted = {"gatekeeper/ledger/lua/prelude.lua", *map(str, scripts)}

    assert set() == wanted - set(wheel.namelist())


def test_it_carries_every_module(wheel: zipfile.ZipFile, modules: list[Path]) -> None:
    """No module is left behind."""
    assert set() == set(map(str, modules)) - set(wheel.namelist())


def test_it_carries_the_shipped_configuration(wheel: zipfile.ZipFile, root: Path) -> None:
    """`config/` is in it as `gatekeeper/_config`, where the commands look when there is no source tree."""
    files = [path.relative_to(root / "config") for path in (root / "config").rglob("*") if path.is_file()]

    assert set() == {f"gatekeeper/_config/{path}" for path in files} - set(wheel.namelist())


def test_it_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, no data, no caches."""
    roots = {name.split("/")[0].split("-")[0] for name in wheel.namelist()}

    assert {"gatekeeper"} == roots
    assert [] == [name for name in wheel.namelist() if "__pycache__" in name or name.endswith(".pyc")]


def test_it_installs_the_command(wheel: zipfile.ZipFile) -> None:
    """`gatekeeper` is on the path of whoever installs it."""
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert "gatekeeper = gatekeeper.cli:main" in wheel.read(name).decode()
