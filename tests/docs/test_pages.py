"""What single pages promise: every code has its chapter, every word its example, every price its arithmetic."""

import re
import shlex
from fractions import Fraction
from typing import Final, get_args

from gatekeeper.catalog.prices import PRICE_KINDS
from gatekeeper.core.rejection import FACTS
from gatekeeper.core.rules import AddOnTrigger
from gatekeeper.events import Event
from gatekeeper.settings import Settings
from tests.cases import case, each_case
from tests.docs.reader import understood
from tests.docs.snippets import ROOT, documents
from tests.house.metrictable import described

CHAPTER: Final = re.compile(r"^### `([\w-]+)`\n\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
WORD: Final = re.compile(r"^\*\*(.+?)\*\*: (.*?)(?=^\*\*|^##|\Z)", re.MULTILINE | re.DOTALL)
SUM: Final = re.compile(r"`([\d.,+x()/ ]+) = ([\d.,]+)`")
METRIC: Final = re.compile(r"\bgatekeeper_[a-z_]+")
NAMED: Final = re.compile(
    r"`((?:generation|job|hold|settle|webhook|limit|budget|allowance|alert|worker|ledger|credential|server|store|jobs"
    r"|webhooks|signals|log)\.[a-z_]+)`"
)
COMMAND: Final = re.compile(r"`gatekeeper ([a-z][^`]*)`")

NO_METRICS: Final = {"gatekeeper_session"}
"""The console's cookie."""

WORDS: Final = [
    "credit",
    "team",
    "project",
    "member",
    "key",
    "model",
    "operation",
    "resolution",
    "aspect-ratio",
    "size",
    "output",
    "price-list",
    "quote",
    "hold",
    "settle",
    "release",
    "expire",
    "unknown",
    "late",
    "grant",
    "allowance",
    "limit",
    "cap",
    "provider",
    "dialect",
    "offer",
    "job",
    "rejection",
    "violation",
    "alternative",
    "phase",
    "journal",
    "outbox",
]
"""The words that the page explains: one term, one meaning."""


def page(name: str) -> str:
    """A page's text."""
    return (ROOT / "docs" / name).read_text()


def test_every_code_has_its_chapter() -> None:
    """In troubleshooting.md, each once, and none for a code that is gone."""
    assert sorted(FACTS) == sorted(name for name, _ in CHAPTER.findall(page("troubleshooting.md")))


@each_case("code, facts", FACTS.items(), ids=map(str, FACTS))
def test_a_chapter_is_true_and_whole(code: str, facts: object) -> None:
    """It begins with what the vocabulary says of the code, and says what is seen, where to look, what to change."""
    text = dict(CHAPTER.findall(page("troubleshooting.md")))[code]
    known = FACTS[code]  # type: ignore[index]

    assert text.startswith(f"*{known.status} · {known.fault} · {'yes' if known.retryable else 'no'}*\n")
    assert ["Sees", "Look", "Change"] == re.findall(r"^- \*\*(\w+)\*\*: ", text, re.MULTILINE)


def test_every_word_is_explained_once_with_an_example() -> None:
    """In concepts.md: the word, what it means, and a sentence that begins with "For instance"."""
    found = WORD.findall(page("concepts.md"))

    assert sorted(WORDS) == sorted(word.lower().replace(" ", "-") for word, _ in found)
    assert [] == [word for word, text in found if text.count("*For instance*") != 1]


@each_case("name", ["openai", "google-genai", "fal", "replicate", "bfl", "runway", "luma", "curl"])
def test_a_recipe_is_whole(name: str) -> None:
    """What a caller has to know is on the page of each SDK: the price, a refusal, how to send again."""
    text = page(f"cookbook/{name}.md")

    assert f"({name}.md)" in page("cookbook/index.md")
    assert re.search(r"Gatekeeper-Credits-|gatekeeper-credits-|/v1/quotes", text)
    assert re.search(r"^## .*refusal", text, re.MULTILINE)
    assert "402" in text or name == "curl"
    assert "Idempotency-Key" in text


def test_every_kind_of_price_has_its_chapter() -> None:
    """In pricing.md, in the order of the catalog's guide, each with a sum and a command that prints its result."""
    kinds = [kind.model_fields["kind"].annotation.__args__[0] for kind in PRICE_KINDS]  # type: ignore[union-attr]
    chapters = dict(CHAPTER.findall(page("pricing.md")))

    assert sorted(kinds) == sorted(chapters)
    for kind, text in chapters.items():
        with case(kind):
            results = [result for _, result in SUM.findall(text)]
            assert results
            assert results[-1] in re.findall(r"^(?:in all|at most) (.*)$", text, re.MULTILINE)


def test_every_add_on_is_named() -> None:
    """In pricing.md, each word of the catalog's for it."""
    assert [] == [each for each in AddOnTrigger if f"`{each}`" not in page("pricing.md")]


@each_case("name", [name for name in documents() if SUM.search((ROOT / name).read_text())])
def test_every_sum_is_right(name: str) -> None:
    """Each `a x b = c` is done again, exactly."""
    for left, right in SUM.findall((ROOT / name).read_text()):
        with case(left):
            exact = re.sub(r"\d[\d.,]*", lambda found: f"Fraction('{found[0].replace(',', '')}')", left)
            assert Fraction(right.replace(",", "")) == eval(exact.replace("x", "*"), {"Fraction": Fraction})


@each_case("name", documents())
def test_every_command_in_a_sentence_is_one(name: str) -> None:
    """`gatekeeper …` between backticks is understood by the command line, names in capitals being anything. What leaves
    something out, or names a command alone, is passed by."""
    for command in COMMAND.findall((ROOT / name).read_text()):
        words = shlex.split(command)
        if "…" in command or "..." in command or len(words) < 4:
            continue
        with case(command):
            understood(words)


@each_case("name", documents())
def test_every_metric_that_is_named_is_one(name: str) -> None:
    """Whoever asks for it in a query gets figures."""
    known = {sample for each in described() for sample in each.samples} | {each.name for each in described()}

    assert set() == set(METRIC.findall((ROOT / name).read_text())) - known - NO_METRICS


@each_case("name", documents())
def test_every_log_event_and_setting_that_is_named_is_one(name: str) -> None:
    """Whoever looks for it in the log, or sets it, may do so."""
    events = {each.__dataclass_fields__["event"].default for each in get_args(Event)}
    sections = {each: field.annotation for each, field in Settings.model_fields.items()}
    settings = {f"{each}.{key}" for each, model in sections.items() for key in getattr(model, "model_fields", {})}

    assert set() == set(NAMED.findall((ROOT / name).read_text())) - events - settings
