"""What a run starts its servers with: settings that are settings, prices that are those of the catalog."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import baselines
from benchmarks.machine import ROOT
from benchmarks.servers import BROKE_KEY, CREDITS, FREE_ROUTES, KEY, TEAMS, gateway_settings
from benchmarks.traffic import QUALITIES, SIZES, WRONG_SIZES
from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.catalog import load_catalog
from gatekeeper.settings import load_settings

GATE = (Path(baselines.__file__).parent / "nginx" / "gate.lua").read_text()


def test_the_gateway_takes_its_settings(tmp_path: Path) -> None:
    """As the run writes them, with changes to the server's own."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(json.dumps(gateway_settings("http://127.0.0.1:1", "unix:///tmp/s", body_timeout_s=7)))

    settings = load_settings(path)

    assert 7 == settings.server.body_timeout_s
    assert {FREE_ROUTES} == {settings.providers[name].passthrough for name in ("openai", "slow", "large")}


def test_the_gateway_takes_its_teams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can pay, and one that cannot."""
    monkeypatch.setenv("BENCH_KEY", KEY)
    monkeypatch.setenv("BROKE_KEY", BROKE_KEY)
    path = tmp_path / "teams.yaml"
    path.write_text(json.dumps(TEAMS))

    assert ["bench", "broke"] == [team.id for team in load_teams(path).teams]


def test_the_price_that_books_are_judged_by_is_the_catalogs() -> None:
    """Or each run would end in disagreement."""
    path = ROOT / "benchmarks" / "catalog.yaml"
    written = dict(re.findall(r"- id: (\S+).*?kind: per_output, credits: (\d+)", path.read_text(), re.DOTALL))

    known = {model.id for model in load_catalog([path]).models}

    assert {name: str(price) for name, price in CREDITS.items()} == written
    assert set(CREDITS) == known


@pytest.mark.parametrize("values", [SIZES, QUALITIES])
def test_the_gate_in_lua_knows_what_is_asked(values: tuple[str, ...]) -> None:
    """The same sizes and qualities as the catalog of the benchmarks."""
    known = set(re.findall(r'(?:\["|\b)(\w+)(?:"\])? = true', GATE))

    assert set(values) <= known


def test_no_wrong_size_is_right_by_accident() -> None:
    """Each of them is refused by both gates."""
    assert set() == {size for size in WRONG_SIZES if size in GATE}
