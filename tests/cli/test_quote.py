"""`gatekeeper quote`: the price with its lines, or what is wrong and what would do."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.scene import Run

pytestmark = pytest.mark.usefixtures("configured")


def test_price_with_its_lines(run: Run) -> None:
    """A price is shown line by line with its sum and its price list."""
    result = run("quote", "a-model", "--resolution", "2k", "--outputs", "2", "--aspect-ratio", "16:9")

    lines = [line.rstrip() for line in result.stdout.splitlines() if line.strip()]
    assert [
        "A Model (a-model)",
        "Item                 Credits each   Times   Credits",
        "───────────────────────────────────────────────────",
        "image generate, 2K           73.5       2       147",
        "in all                                          147",
    ] == lines[:5]
    assert lines[5].startswith("Price list test-list@")
    assert lines[5].endswith("dated 2026-01-01.")
    assert (0, "") == (result.exit_code, result.stderr)


def test_quote_for_scripts(run: Run) -> None:
    """With --json the quote is the document of POST /v1/quotes, without what only a team knows."""
    result = run("quote", "an-alias", "--resolution", "2K", "--outputs", "3", "--json")

    document = json.loads(result.stdout, parse_float=Decimal)
    line = {"item": "image generate, 2K", "unit_credits": Decimal("73.5"), "times": 3, "credits": Decimal("220.5")}
    assert "a-model" == document["model"]
    assert Decimal("220.5") == document["credits"]
    assert [line] == document["lines"]
    assert ([], True, []) == (document["violations"], document["admissible"], document["alternatives"])
    assert document["price_list"].startswith("test-list@")
    assert "available" not in document


def test_price_of_an_upscale(run: Run) -> None:
    """The size of the image that goes in is given with --input."""
    result = run("quote", "b-model", "--scale", "4x", "--input", "1024x768", "--json")

    assert 40 == json.loads(result.stdout)["credits"]


def test_every_violation_at_once(run: Run) -> None:
    """What is wrong is told with what is allowed, the nearest, and alternatives with prices; the exit code is 1."""
    result = run("quote", "a-model", "--resolution", "8K", "--aspect-ratio", "15:9", "--outputs", "9")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert 1 == result.exit_code
    assert "A Model does not do this:" in lines
    assert "resolution 8K 1K, 2K 2K" in lines
    assert "aspect_ratio 15:9 1:1, 16:9 16:9" in lines
    assert "outputs 9 1 to 4 4" in lines
    assert "It does, cheapest first:" in lines
    assert "1K 16:9 4 196" in lines


def test_violations_for_scripts(run: Run) -> None:
    """With --json a refusal is a document too, and the exit code is still 1."""
    result = run("quote", "a-model", "--aspect-ratio", "15:9", "--json")

    document = json.loads(result.stdout)
    violation = {
        "code": "unsupported_aspect_ratio",
        "field": "aspect_ratio",
        "requested": "15:9",
        "supported": ["1:1", "16:9"],
        "nearest": "16:9",
    }
    assert 1 == result.exit_code
    assert (None, [], False) == (document["credits"], document["lines"], document["admissible"])
    assert [violation] == document["violations"]
    assert ["unsupported_aspect_ratio"] == document["codes"]
    assert {"resolution": "1K", "aspect_ratio": "16:9", "credits": 49} in document["alternatives"]


def test_settings_the_model_has_not(run: Run) -> None:
    """Duration and sound are read, and refused where a model makes pictures."""
    result = run("quote", "a-model", "--duration", "8s", "--audio", "--json")

    assert ["unsupported_duration", "unsupported_audio"] == json.loads(result.stdout)["codes"]


def test_what_cannot_be_read(run: Run) -> None:
    """A value that is not of its kind is told with what would be."""
    result = run("quote", "a-model", "--duration", "soon")

    assert 1 == result.exit_code
    assert "duration_s" in result.stdout
    assert 'a number such as 2, "2" or "2s"' in result.stdout


def test_unknown_model(run: Run) -> None:
    """A model that is not there is answered with the near ones, on one line."""
    result = run("quote", "a-modle")

    assert "No model 'a-modle' in the catalog. Near: a-model, b-model.\n" == result.stderr
    assert (1, "") == (result.exit_code, result.stdout)


def test_retired_offer_is_mentioned(run: Run) -> None:
    """A price is given for a model whose offers end, with a word about them."""
    result = run("quote", "a-model")

    assert "Mind: acme acme-0 (retired 2026-02-01, use b-model)" in result.stdout
    assert "acme-1" not in result.stdout


def test_input_that_is_no_size(run: Run) -> None:
    """A command line that cannot be read exits with 2."""
    result = run("quote", "b-model", "--input", "large")

    assert 2 == result.exit_code
    assert "'large' is no size in pixels" in result.stderr


def test_the_packaged_catalog(run: Run, home: Path) -> None:
    """Without any config the catalog that comes with the package is asked."""
    (home / "gatekeeper.yaml").unlink()
    result = run("quote", "nano-banana-2", "--resolution", "2K", "--json")

    assert 73.5 == json.loads(result.stdout)["credits"]


def test_a_providers_own_id_is_priced_as_the_model_it_is(run: Run) -> None:
    """Whoever copies it from the provider's pages gets a price, and the name that the catalog has."""
    result = run("quote", "acme-1")

    assert (0, "A Model (a-model)") == (result.exit_code, result.stdout.splitlines()[0].strip())


def test_what_nobody_sells_has_a_price_and_cannot_be_asked_for(run: Run) -> None:
    """It is in the catalog without an offer, and no provider takes the catalog's names: the exit code is 1."""
    told = run("quote", "b-model", "--scale", "2x", "--input", "64x64")
    document = json.loads(run("quote", "b-model", "--scale", "2x", "--input", "64x64", "--json").stdout)

    assert 1 == told.exit_code
    assert "It cannot be asked for: no provider sells it." in told.stdout
    assert (10, False, ["model_not_found"]) == (document["credits"], document["admissible"], document["codes"])


def test_what_is_retired_everywhere_cannot_be_asked_for(run: Run, home: Path) -> None:
    """Its offers say what to use instead."""
    path = home / "catalog.yaml"
    path.write_text(path.read_text().replace("status: active", "status: retired, replacement: b-model"))

    result = run("quote", "a-model")

    assert 1 == result.exit_code
    assert "Mind: acme acme-1 (retired, use b-model)" in result.stdout
    assert "It cannot be asked for: it is retired everywhere." in result.stdout


def test_a_provider_that_takes_the_catalogs_names_sells_it(run: Run, home: Path) -> None:
    """As far as its patterns go."""
    config = home / "gatekeeper.yaml"
    provider = "providers: {mine: {dialect: native, base_url: 'http://127.0.0.1:1', models: ['b-*'], credential: none}}"
    config.write_text(config.read_text() + provider + chr(10))

    assert 0 == run("quote", "b-model", "--scale", "2x", "--input", "64x64").exit_code
