"""What the catalog answers: which model, whose offer, what else could be meant."""

import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.core.spec import Offer, Status
from tests.cases import each_case


def test_a_model_is_found_by_id_and_by_alias(shipped: Catalog) -> None:
    """Both names lead to the same row."""
    assert shipped.find("xai-grok-imagine") is shipped.find("grok-imagine")


def test_an_upstream_id_is_no_name_of_a_model(shipped: Catalog) -> None:
    """Providers' ids belong to their provider; two may use the same word for different things."""
    assert shipped.find("gpt-image-1.5") is None


def test_a_provider_offers_a_model_under_its_own_id(shipped: Catalog) -> None:
    """One model, two providers, two ids."""
    found = [shipped.offered("gemini", "gemini-3.1-flash-image"), shipped.offered("fal", "fal-ai/nano-banana-2")]

    assert ["nano-banana-2", "nano-banana-2"] == [model.id for model, _ in filter(None, found)]


def test_a_retired_offer_is_found_as_such(shipped: Catalog) -> None:
    """The caller must be told of the replacement, so the offer is not hidden."""
    found = shipped.offered("openai", "gpt-image-1")

    assert found is not None
    assert (Status.RETIRED, "nano-banana-2") == (found[1].lifecycle.status, found[1].lifecycle.replacement)


@each_case(
    ("provider", "name", "patterns", "expected"),
    [
        ("openai", "gpt-image-1.5", (), "chatgpt-1.5"),
        ("openai", "chatgpt-1.5", (), None),
        ("studio", "chatgpt-1.5", (), None),
        ("studio", "chatgpt-1.5", ("*",), "chatgpt-1.5"),
        ("studio", "grok-imagine", ("xai-*",), "xai-grok-imagine"),
        ("studio", "grok-imagine", ("grok-*",), None),
        ("studio", "no-such-model", ("*",), None),
    ],
)
def test_a_name_means_an_offer_or_what_the_patterns_allow(
    shipped: Catalog, provider: str, name: str, patterns: tuple[str, ...], expected: str | None
) -> None:
    """Patterns are on ids; an alias is allowed where its model is."""
    found = shipped.find_offer(provider, name, patterns)

    assert expected == (found[0].id if found else None)


def test_a_model_allowed_by_pattern_is_offered_as_active_under_the_name_asked(shipped: Catalog) -> None:
    """A native backend takes what the caller wrote, and its offer has no lifecycle of its own."""
    found = shipped.find_offer("studio", "chatgpt", ("*",))

    assert found is not None
    assert Offer("studio", "chatgpt") == found[1]


def test_an_explicit_offer_wins_over_a_pattern(shipped: Catalog) -> None:
    """A provider that sells a model under its own id keeps that offer's lifecycle."""
    found = shipped.find_offer("openai", "gpt-image-1", ("*",))

    assert found is not None
    assert found[1].lifecycle.status is Status.RETIRED


@each_case(
    ("name", "expected"),
    [
        ("nano-bananna-2", "nano-banana-2"),
        ("Nano-Banana-2", "nano-banana-2"),
        ("seedream-v45", "seedream-v4.5"),
        ("grok-imagin", "grok-imagine"),
        ("topas", "topaz"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_name(shipped: Catalog, name: str, expected: str) -> None:
    """The first suggestion is what was meant."""
    assert expected == shipped.suggest(name)[0]


def test_suggestions_are_of_different_models_and_few(shipped: Catalog) -> None:
    """Three names of one model would help nobody."""
    suggestions = shipped.suggest("flux")

    assert 3 == len({found.id for name in suggestions if (found := shipped.find(name)) is not None})


@pytest.mark.parametrize("name", ["", "x" * 10_000, "zzz"])
def test_a_name_near_nothing_has_no_suggestion(shipped: Catalog, name: str) -> None:
    """Nothing is better than nonsense, and a huge name is not compared at all."""
    assert () == shipped.suggest(name)


@pytest.mark.parametrize(
    ("provider", "name", "expected"),
    [("openai", "gpt-image-1.6", "gpt-image-1.5"), ("gemini", "veo-3.1-generate", "veo-3.1-generate-001")],
)
def test_a_slip_at_a_provider_is_answered_with_an_id_of_its_own(
    shipped: Catalog, provider: str, name: str, expected: str
) -> None:
    """One that it still sells."""
    found = shipped.suggest_at(provider, name)

    offers = [shipped.offered(provider, each) for each in found]
    assert expected in found
    assert [False] * len(found) == [offer is None or offer[1].is_retired for offer in offers]


def test_a_provider_that_takes_the_catalogs_ids_is_suggested_those(shipped: Catalog) -> None:
    """As far as its patterns go."""
    assert () == shipped.suggest_at("mine", "nano-banana-3")
    assert "nano-banana-2" in shipped.suggest_at("mine", "nano-banana-3", ["nano-*"])
