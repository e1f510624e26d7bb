"""Snippets: what is shown says what was chosen, at its price, in text that a shell and Python can read."""

import ast
import shlex
from typing import Any

import orjson
import pytest

from gatekeeper.console.calculator import Calculation, calculate
from gatekeeper.console.snippets.curl import key_header
from gatekeeper.console.snippets.fitting import Door, Fit, Misfit, fits, read_again
from gatekeeper.console.snippets.python import literal
from gatekeeper.console.snippets.samples import Samples, samples
from gatekeeper.core.decide import Priced
from gatekeeper.dialects import native
from gatekeeper.dialects.base import CredentialPlace
from tests.cases import each_case
from tests.console.shop import doors, forms_of, model, shipped

URL = "http://127.0.0.1:8080"

NO_SNIPPET = frozenset({("topaz", "fal")})
"""A picture of which the size must be known stands in no address, and a data URI is no snippet."""


def samples_of(name: str, form: dict[str, str] | None = None) -> Samples:
    return samples(shipped(), calculate(model(name), form or {}), doors(), URL)


def fitting(calculation: Calculation) -> list[Fit]:
    found = [fits(shipped(), calculation.model, calculation.valid, calculation.quote, door) for door in doors()]
    return [each for each in found if isinstance(each, Fit)]


@each_case("name", [each.id for each in shipped().models])
def test_what_is_shown_is_admitted_at_the_price_shown(name: str) -> None:
    """Read by the dialect and priced by the core it is the same model at the same credits, at every provider."""
    for form in forms_of(model(name)):
        calculation = calculate(model(name), form)
        for fit in fitting(calculation):
            read = read_again(shipped(), fit.door, fit.wire, calculation.valid)

            assert read is not None
            assert isinstance(read[1], Priced)
            assert (model(name), calculation.quote.credits) == (read[0], read[1].worth.credits)


@each_case("name", [each.id for each in shipped().models if each.sold_at])
def test_every_provider_that_sells_a_model_can_be_asked(name: str) -> None:
    """Before anything is chosen, for one operation of it at least."""
    of = model(name)
    found = {
        fit.door.name for operation in of.operations for fit in fitting(calculate(of, {"operation": operation.value}))
    }

    missing = {provider for provider in of.sold_at if provider not in found and (name, provider) not in NO_SNIPPET}
    assert set() == missing


def test_what_must_be_named_is_told() -> None:
    """Runway takes pixels for a film, so that a shape that was left open is named."""
    found = {sample.provider: sample for sample in samples_of("veo-3.1", {"resolution": "4K"}).found}

    assert "16:9" in found["runway"].names
    assert "" == found["gemini"].names


def test_a_format_that_cannot_say_it_has_a_reason() -> None:
    """Runway edits no pictures; the others do."""
    shown = samples_of("nano-banana-2", {"operation": "image.edit"})

    assert ["runway"] == [each.door.name for each in shown.missing]
    assert {"gemini", "fal", "replicate", "native"} == {each.provider for each in shown.found}


def test_a_format_of_ones_own_is_its_owners() -> None:
    """It is described in the settings, so nobody here knows its SDK."""
    calculation = calculate(model("nano-banana-2"), {})
    door = Door("ours", "custom", native, "gemini")

    found = fits(shipped(), calculation.model, calculation.valid, calculation.quote, door)

    assert isinstance(found, Misfit)
    assert "settings" in found.reason


def test_a_retired_model_is_asked_of_a_backend_of_ones_own_alone() -> None:
    """Nobody sells DALL-E any more."""
    assert ["native"] == [sample.provider for sample in samples_of("dall-e-3").found]


def test_an_offer_that_ends_says_when() -> None:
    """On the day that the catalog has."""
    ends = {sample.provider: sample.ends for sample in samples_of("nano-banana").found}

    assert ends["gemini"]
    assert "" == ends["fal"]


@each_case("name", [each.id for each in shipped().models])
def test_every_text_can_be_read(name: str) -> None:
    """A shell takes curl apart into words, and Python compiles the programs; no key is in either."""
    for form in forms_of(model(name)):
        shown = samples_of(name, form)
        for code in (shown.quote, *(code for sample in shown.found for code in sample.codes)):
            if code.language == "Python":
                ast.parse(code.text)
            else:
                assert "curl" == shlex.split(code.text)[0]
            assert "$GATEKEEPER_KEY" in code.text or 'os.environ["GATEKEEPER_KEY"]' in code.text
            assert "gk_" not in code.text


def test_the_body_of_curl_is_the_request() -> None:
    """Nothing is lost between the quotes."""
    shown = next(sample for sample in samples_of("gpt-image-2").found if sample.provider == "openai")

    words = shlex.split(shown.codes[0].text)

    body = orjson.loads(words[words.index("-d") + 1])
    assert {"model": "gpt-image-2", "prompt": "a lighthouse at dusk"}.items() <= body.items()


def test_a_hostile_value_stays_inside_its_quotes() -> None:
    """Nothing of the catalog or of a form ends a string of the shell or of Python."""
    nasty = "'; rm -rf / \"#$(id)\\"

    assert nasty == ast.literal_eval(literal(nasty))
    assert {"a": [nasty]} == ast.literal_eval(literal({"a": [nasty]}))


@pytest.mark.parametrize(
    "value", [{}, [], {"a": 1}, {"long": ["x" * 60, "y" * 60], "b": {"c": None, "d": True, "e": 1.5}}]
)
def test_a_literal_is_the_value(value: Any) -> None:
    """However it is laid out."""
    assert value == ast.literal_eval(literal(value))


@pytest.mark.parametrize(
    ("place", "header"),
    [
        (CredentialPlace(), "Authorization: Bearer $GATEKEEPER_KEY"),
        (CredentialPlace("bearer", "Key"), "Authorization: Key $GATEKEEPER_KEY"),
        (CredentialPlace("header", "x-key"), "x-key: $GATEKEEPER_KEY"),
        (CredentialPlace("signed"), "Authorization: Bearer $GATEKEEPER_KEY"),
        (CredentialPlace("query", "key"), "Authorization: Bearer $GATEKEEPER_KEY"),
    ],
)
def test_the_key_goes_where_the_provider_has_its_own(place: CredentialPlace, header: str) -> None:
    """Never into an address."""
    assert header == key_header(place)


def test_an_sdk_that_cannot_be_pointed_here_is_not_shown() -> None:
    """fal's speaks https only; BFL's needs a host name."""
    plain = {sample.provider: sample for sample in samples_of("flux-dev").found}
    secure = samples(shipped(), calculate(model("flux-dev"), {}), doors(), "https://gate.example")

    assert ["curl"] == [code.language for code in plain["fal"].codes]
    assert "https" in plain["fal"].note
    assert ["curl", "Python"] == [
        code.language for sample in secure.found for code in sample.codes if sample.provider == "fal"
    ]
    assert 'base_url="http://bfl.localhost:8080"' in plain["bfl"].codes[1].text


def test_sound_that_costs_nothing_is_left_to_the_model() -> None:
    """Whoever says nothing about it does not want silence; whoever does gets it."""
    left = {sample.provider: sample.codes[0].text for sample in samples_of("seedance-2.0").found}
    silent = {sample.provider: sample.codes[0].text for sample in samples_of("seedance-2.0", {"audio": "false"}).found}

    assert "generate_audio" not in left["ark"]
    assert '"generate_audio": false' in silent["ark"]
