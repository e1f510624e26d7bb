"""One bad file for each mistake, with the exact message next to it."""

from pathlib import Path

import pytest

from gatekeeper.catalog import load_catalog
from gatekeeper.yamlfile import ConfigError
from tests.cases import each_case

BAD = Path(__file__).parent / "bad"
NAMES = sorted(path.stem for path in BAD.glob("*.yaml"))


def messages(*names: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_catalog([Path(f"{name}.yaml") for name in names])
    return str(caught.value).splitlines()


def expected_of(name: str) -> list[str]:
    return (BAD / f"{name}.txt").read_text().splitlines()


@each_case("name", NAMES)
def test_a_mistake_has_its_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, line, place, what is wrong and how to mend it, word for word."""
    monkeypatch.chdir(BAD)

    found = messages(name)

    assert expected_of(name) == found


def test_every_bad_file_has_its_message_and_every_message_its_file() -> None:
    """Nobody adds one without the other."""
    texts = sorted(path.stem for path in BAD.glob("*.txt"))

    assert texts == NAMES


def test_the_mistakes_are_many() -> None:
    """At least the twenty-five that were asked for."""
    count = len(NAMES)

    assert count >= 25


def test_all_problems_of_all_files_come_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the order they are named, problems by line; one that cannot be read at all hides no other."""
    monkeypatch.chdir(BAD)

    found = messages("several_at_once", "tab_indent", "price_key_unknown")

    here = [m for m in found if "already" not in m]
    assert expected_of("several_at_once") + expected_of("tab_indent") + expected_of("price_key_unknown") == here


def test_names_clash_across_files_even_when_another_mistake_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not load still holds its id and its offers."""
    monkeypatch.chdir(BAD)

    found = messages("outputs_zero", "price_negative")

    assert [
        "price_negative.yaml:6: models[painter].id: `painter` is already the id of painter (outputs_zero.yaml:6). "
        "Give each model its own ids and aliases.",
        "price_negative.yaml:9: models[painter].offers[0].upstream_id: `painter-1` at acme is already offered as "
        "painter (outputs_zero.yaml:9). One upstream id can stand for one model only: correct one.",
    ] == [message for message in found if "already" in message]


def test_no_files_at_all_is_a_config_error() -> None:
    """An empty list of files is a mistake in the settings, not an empty catalog."""
    assert ["catalog:1: no file is named. Name at least one, like catalog/*.yaml."] == messages()
