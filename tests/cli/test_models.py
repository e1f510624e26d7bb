"""`gatekeeper models`: the catalog as a table and as a document."""

import json

import pytest

from gatekeeper.catalog import load_catalog
from gatekeeper.cli.locate import packaged_config_dir
from gatekeeper.cli.show import plain
from gatekeeper.proxy.native_routes import models_document
from tests.cli.scene import Run

needs_config = pytest.mark.usefixtures("configured")


@needs_config
def test_a_wide_window(run: Run) -> None:
    """At 160 columns every fact has a column of its own."""
    result = run("models", COLUMNS="160")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "Id Name Operations Resolutions Aspect ratios Credits Offers" == lines[0]
    assert "a-model A Model image.generate 1K 2K 1:1 16:9 1K 49 acme acme-1" in lines
    assert "b-model B Model image.upscale 2x 10" in lines
    assert "4x 40" in lines
    assert "retired 2026-02-01" in result.stdout


@needs_config
def test_a_narrow_window(run: Run) -> None:
    """At 80 columns related facts share a column, and nothing is left out."""
    result = run("models", COLUMNS="80")

    assert 80 >= max(len(line.rstrip()) for line in result.stdout.splitlines())
    for word in ("a-model", "A Model", "image.edit", "1K 2K", "1:1 16:9", "2K 73.5", "acme acme-1"):
        assert word in result.stdout


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_real_catalog_fits(run: Run, columns: str) -> None:
    """No id, name or price of the packaged catalog is cut in a window of either width."""
    result = run("models", COLUMNS=columns)

    catalog = load_catalog(sorted(packaged_config_dir().glob("catalog/*.yaml")))
    assert int(columns) >= max(len(line.rstrip()) for line in result.stdout.splitlines())
    assert [] == [model.id for model in catalog.models if f"{model.id} " not in result.stdout]
    assert [] == [model.name for model in catalog.models if f"{model.name} " not in result.stdout]


def test_the_same_document_as_the_route(run: Run) -> None:
    """With --json it is the document of GET /v1/models."""
    result = run("models", "--json")

    catalog = load_catalog(sorted(packaged_config_dir().glob("catalog/*.yaml")))
    assert json.loads(json.dumps(plain(models_document(catalog, {})), default=float)) == json.loads(result.stdout)


@needs_config
@pytest.mark.parametrize("name", ["a-model", "acme-1"])
def test_one_model(run: Run, name: str) -> None:
    """By its id, or by what a provider calls it; `--json` has it alone, too."""
    shown, document = run("models", name, COLUMNS="160"), json.loads(run("models", name, "--json").stdout)

    assert (True, False) == ("A Model" in shown.stdout, "B Model" in shown.stdout)
    assert ["a-model"] == [each["id"] for each in document["models"]]


@needs_config
def test_one_that_is_not_there(run: Run) -> None:
    """The nearest names are told."""
    result = run("models", "a-modell")

    assert (1, True) == (result.exit_code, "No model 'a-modell' in the catalog. Near: a-model" in result.stderr)


@needs_config
def test_filters(run: Run) -> None:
    """Filters narrow the list as they do on the route."""
    result = run("models", "--operation", "image.edit", "--resolution", "2K", "--max-credits", "73.5", "--json")

    assert ["a-model"] == [model["id"] for model in json.loads(result.stdout)["models"]]


@needs_config
def test_nothing_matches(run: Run) -> None:
    """No match is no failure."""
    result = run("models", "--resolution", "16K")

    assert (0, "No model matches.\n") == (result.exit_code, result.stdout)


@needs_config
@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--operation", "image.paint", "No operation 'image.paint': image.generate, "),
        ("--max-credits", "few", "max_credits: 'few' is not a number of credits."),
    ],
)
def test_a_filter_that_cannot_be(run: Run, option: str, value: str, told: str) -> None:
    """A filter that makes no sense is told on one line."""
    result = run("models", option, value)

    assert 1 == result.exit_code
    assert result.stderr.startswith(told)
    assert 1 == len(result.stderr.splitlines())
