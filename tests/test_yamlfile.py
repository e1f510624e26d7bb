"""Config files: what comes out of them, on which line, and what is said of a file that is wrong."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from gatekeeper.yamlfile import ConfigError, Mistake, YamlFile, load_yaml, parse_yaml, problems_of, raise_mistakes
from tests.cases import each_case

HERE = Path("some.yaml")


def data_of(text: str) -> Any:
    return parse_yaml(text, HERE).data


def problems_in(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, HERE)
    return str(caught.value).splitlines()


@each_case(
    ("text", "expected"),
    [
        ("16:9", "16:9"),
        ("[16:9, 1:1, 4:3]", ["16:9", "1:1", "4:3"]),
        ("{16:9: 1344x768, 1:1: 1024x1024}", {"16:9": "1344x768", "1:1": "1024x1024"}),
        ("16:9: 1344x768", {"16:9": "1344x768"}),
        ("2x", "2x"),
        ("off", "off"),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("2026-10-23", date(2026, 10, 23)),
        ("2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T00:00:00", datetime(2026, 11, 1)),  # noqa: DTZ001 - a time without a zone stays one
        ("73.5", Decimal("73.5")),
        ("0.1", Decimal("0.1")),
        ("1e3", Decimal(1000)),
        ("010", 10),
        ("0x10", 16),
        ("-1", -1),
        ("true", True),
        ("~", None),
        ("", None),
        ("'15'", "15"),
        ('"true"', "true"),
        ("|\n  12\n", "12\n"),
        ("{512: 1}", {"512": 1}),
    ],
)
def test_scalars_are_read_by_the_rules_of_yaml_1_2(text: str, expected: object) -> None:
    """Ratios stay text, decimals exact, and only true, false and numbers are anything else."""
    data = data_of(text)

    assert (expected, type(expected)) == (data, type(data))


def test_no_float_comes_out_of_a_file() -> None:
    """A decimal is a Decimal wherever it stands."""
    data = data_of("a: [1.5, {b: 2.25}]\nc: 1.e-3")

    assert {"a": [Decimal("1.5"), {"b": Decimal("2.25")}], "c": Decimal("0.001")} == data


def test_every_value_knows_its_line() -> None:
    """Keys, list entries and what is nested in one line have the line they stand on."""
    file = parse_yaml("a: 1\nb:\n  - c: 2\n  - {d: 3,\n     e: 4}\n", HERE)

    assert [1, 2, 3, 4, 5] == [file.line_of(path) for path in (("a",), ("b",), ("b", 0, "c"), ("b", 1), ("b", 1, "e"))]


def test_what_is_missing_has_the_line_of_what_is_around_it() -> None:
    """A key that is not there is looked for where it should be."""
    file = parse_yaml("a: 1\nb:\n  - c: 2\n", HERE)

    assert 3 == file.line_of(("b", 0, "missing"))


def test_a_list_entry_is_named_by_its_id() -> None:
    """People know their models by name, not by number."""
    file = parse_yaml("models: [{id: painter, offers: [{provider: acme}]}]", HERE)

    assert "models[painter].offers[0].provider" == file.where(("models", 0, "offers", 0, "provider"))


@each_case(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", ["some.yaml:2: `a` is already given on line 1. Keep one of the two."]),
        ("a: 1\nb: 2\na: 3\nb: 4\n", [
            "some.yaml:3: `a` is already given on line 1. Keep one of the two.",
            "some.yaml:4: `b` is already given on line 2. Keep one of the two."]),
        ("a: {b: 1,\n    b: 2}", ["some.yaml:2: a: `b` is already given on line 1. Keep one of the two."]),
        ("a: &x 1\nb: *x\n", [
            "some.yaml:1: `&x` marks a value for reuse. Remove it and write each value out.",
            "some.yaml:2: `*x` points to another place. Write the value out here."]),
        ("a: !!str 1", ["some.yaml:1: a value has a type tag (`!...`). Remove the tag; plain values need none."]),
        ("b:\n  <<: {a: 1}", ["some.yaml:2: b: `<<` merges another mapping. Write its keys out here."]),
        ("a: 1\n---\nb: 2\n", [
            "some.yaml:2: a second document starts here. Remove the `---` or make it a file of its own."]),
        ("%YAML 1.1\n---\na: 1", [
            "some.yaml:2: asks for another YAML version. Remove the %YAML line: these files are YAML 1.2."]),
        ("a:\n\t- b", ["some.yaml:2: not readable as YAML: found character '\\t' that cannot start any token. "
                       "Indent with spaces, not tabs."]),
        ("a: .inf", ["some.yaml:1: a: `.inf` is no finite number. "
                     "Correct the value, or quote it if it is meant as text."]),
        ("- 1e999", ["some.yaml:1: [0]: `1e999` is too long for a number. "
                     "Correct the value, or quote it if it is meant as text."]),
        ("a: 2026-13-01", ["some.yaml:1: a: `2026-13-01` is no date in the calendar. "
                           "Correct the value, or quote it if it is meant as text."]),
        ("[a, b]: c", ["some.yaml:1: a key is not plain text. Write the key as one word."]),
        ("[" * 100, ["some.yaml:1: nests deeper than 24 levels. Nothing in these files is that deep."]),
    ],
)  # fmt: skip
def test_a_wrong_file_says_where_what_and_how_to_mend_it(text: str, expected: list[str]) -> None:
    """Each mistake of form has its line and its way out; several come together."""
    problems = problems_in(text)

    assert expected == problems


def test_a_file_that_expands_without_end_is_refused_at_once() -> None:
    """Nine lines of anchors would be a billion values; they are refused where they stand."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]

    problems = problems_in("\n".join(["l0: &l0 lol", *levels]))

    assert 91 == len(problems)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    """The path is named, and no foreign exception comes out."""
    with pytest.raises(ConfigError) as caught:
        load_yaml(tmp_path / "no.yaml")

    assert f"{tmp_path}/no.yaml:1: there is no such file. Check the path and the file that names it." == str(
        caught.value
    )


def test_a_directory_is_a_config_error(tmp_path: Path) -> None:
    """What cannot be opened says so."""
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load_yaml(tmp_path)


def test_text_that_is_not_utf8_is_refused_on_its_line(tmp_path: Path) -> None:
    """A Latin-1 umlaut on line 2 is found on line 2."""
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xfc\n")

    with pytest.raises(ConfigError, match=r"latin\.yaml:2: is not UTF-8 text\. Save it in UTF-8\."):
        load_yaml(tmp_path / "latin.yaml")


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    """A wrong path to a huge file costs a megabyte of reading, no more."""
    (tmp_path / "big.yaml").write_bytes(b"#" * (1024 * 1024 + 1))

    with pytest.raises(ConfigError, match=r"is larger than 1048576 bytes\. Split it"):
        load_yaml(tmp_path / "big.yaml")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert {"a": 1} == load_yaml(tmp_path / "bom.yaml").data


@given(st.text(alphabet=st.sampled_from(list("ab:-,[]{}&*!|>'\"#%@` \n\t?~019.eE+x")), max_size=60))
def test_any_text_is_data_or_a_config_error(text: str) -> None:
    """Nothing else comes out of the reader, whatever goes in."""
    try:
        parsed: object = parse_yaml(text, HERE)
    except ConfigError as error:
        parsed = error

    assert isinstance(parsed, YamlFile | ConfigError)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Flat(Strict):
    kind: Literal["flat"]
    credits: int


class Tiered(Strict):
    kind: Literal["tiered"]
    tiers: dict[str, int]


class Shop(Strict):
    name: str = Field(min_length=1)
    open: bool = True
    since: AwareDatetime | None = None
    seats: int = Field(default=1, ge=1)
    prices: list[Annotated[Flat | Tiered, Field(discriminator="kind")]] = Field(default_factory=list)
    secret: int | None = None
    words: list[str] = Field(default_factory=list)

    @field_validator("words")
    @classmethod
    def _no_shouting(cls, words: list[str]) -> list[str]:
        raise_mistakes([Mistake((i,), f"`{w}` shouts", "Say it softly.") for i, w in enumerate(words) if w.isupper()])
        return words


def findings(text: str) -> list[str]:
    file = parse_yaml(text, HERE)
    with pytest.raises(ValidationError) as caught:
        Shop.model_validate(file.data)
    return [str(problem) for problem in problems_of(caught.value, file, model=Shop)]


@each_case(
    ("text", "expected"),
    [
        ("open: true", "some.yaml:1: name: is missing. Add it."),
        ("name: a\nopne: true", "some.yaml:2: unknown key `opne`. Did you mean `open`?"),
        ("name: a\nqqq: 1", "some.yaml:2: unknown key `qqq`. "
                            "Known here: name, open, since, seats, prices, secret, words."),
        ("name: 5", "some.yaml:1: name: `5` is not text. Put it in quotes."),
        ("name: ''", "some.yaml:1: name: is empty. Give at least one."),
        ("name: a\nopen: yes", "some.yaml:2: open: `yes` is not true or false. Write true or false, without quotes."),
        ("name: a\nseats: 0", "some.yaml:2: seats: `0` is out of bounds. It must be at least 1."),
        ("name: a\nseats: few", "some.yaml:2: seats: `few` is not a whole number. Write digits only, without quotes."),
        ("name: a\nsince: 2026-11-01T00:00:00", "some.yaml:2: since: `2026-11-01 00:00:00` is not a time with its "
         "zone. Write it like 2026-11-01T00:00:00Z, without quotes."),
        ("name: a\nprices: 5", "some.yaml:2: prices: `5` is not a list. "
                               "Write it like [one, two], or one `- entry` a line."),
        ("name: a\nprices:\n- kind: flot", "some.yaml:3: prices[0].kind: `flot` is not known here. "
                                           "Did you mean `flat`?"),
        ("name: a\nprices:\n- credits: 1", "some.yaml:3: prices[0].kind: is missing. Add it."),
        ("name: a\nprices:\n- kind: flat\n  credits: 1\n  teirs: 1", "some.yaml:5: prices[0]: unknown key `teirs`. "
                                                                     "Known here: kind, credits."),
        ("name: a\nprices:\n- kind: tiered\n  tiers: {1K: x}", "some.yaml:4: prices[0].tiers.1K: `x` is not a whole "
                                                               "number. Write digits only, without quotes."),
        ("name: a\nsecret: hunter2", "some.yaml:2: secret: this value is not a whole number. "
                                     "Write digits only, without quotes."),
        ("[]", "some.yaml:1: a list is not a mapping of keys and values. "
               "Write its keys indented below it, each with its value."),
        ("# nothing", "some.yaml:1: has nothing in it. Fill it, or take it off the list that names it."),
    ],
)  # fmt: skip
def test_a_schema_finding_becomes_a_problem_in_plain_words(text: str, expected: str) -> None:
    """Line, place, what and mend for each kind of finding; a secret's value is not quoted."""
    problems = findings(text)

    assert [expected] == problems


def test_several_mistakes_of_one_field_each_have_their_place() -> None:
    """A validator reports all it finds, each on its own line."""
    problems = findings("name: a\nwords:\n- HEY\n- calm\n- YOU\n")

    assert [
        "some.yaml:3: words[0]: `HEY` shouts. Say it softly.",
        "some.yaml:5: words[2]: `YOU` shouts. Say it softly.",
    ] == problems


def test_a_prefix_places_findings_of_a_part_of_the_file() -> None:
    """A schema may be for one section only; lines and places are the whole file's."""
    file = parse_yaml("other: 1\nshop:\n  name: a\n  seats: 0\n", HERE)
    with pytest.raises(ValidationError) as caught:
        Shop.model_validate(file.data["shop"])

    problems = problems_of(caught.value, file, ("shop",), Shop)

    assert ["some.yaml:4: shop.seats: `0` is out of bounds. It must be at least 1."] == [str(p) for p in problems]
