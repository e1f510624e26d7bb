"""What a wheel carries. It is built here, without a network, in a scratch directory."""

import shutil
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


def test_it_carries_the_console(wheel: zipfile.ZipFile, root: Path) -> None:
    """Its templates, styles and scripts, and what others wrote of them with their licences."""
    folders = (root / "gatekeeper" / "console" / name for name in ("templates", "static"))
    files = [path.relative_to(root).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()]

    assert set() == set(files) - set(wheel.namelist())
    assert {"htmx.LICENSE.txt", "uplot.LICENSE.txt"} <= {name.rpartition("/")[2] for name in files}


def test_it_carries_the_shipped_configuration(wheel: zipfile.ZipFile, root: Path) -> None:
    """`config/` is in it as `gatekeeper/_config`, where the commands look when there is no source tree."""
    files = [path.relative_to(root / "config") for path in (root / "config").rglob("*.yaml")]

    assert set() == {f"gatekeeper/_config/{path}" for path in files} - set(wheel.namelist())


def test_it_carries_no_data_of_a_gateway_that_ran_here(tmp_path: Path, root: Path) -> None:
    """Credits and the admin token in `config/data` stay where they are."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, tmp_path)
    for name in ("gatekeeper", "config"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("data", "__pycache__"))
    (tmp_path / "config" / "data").mkdir()
    (tmp_path / "config" / "data" / "admin-token").write_text("secret")

    (built,) = WheelBuilder(str(tmp_path)).build(directory=str(tmp_path / "dist"), versions=["standard"])

    assert [] == [name for name in zipfile.ZipFile(built).namelist() if "data" in name.split("/")]


def test_it_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, no data, no caches."""
    roots = {name.split("/")[0].split("-")[0] for name in wheel.namelist()}

    assert {"gatekeeper"} == roots
    assert [] == [name for name in wheel.namelist() if "__pycache__" in name or name.endswith(".pyc")]


def test_it_installs_the_command(wheel: zipfile.ZipFile) -> None:
    """`gatekeeper` is on the path of whoever installs it."""
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert "gatekeeper = gatekeeper.cli:main" in wheel.read(name).decode()
