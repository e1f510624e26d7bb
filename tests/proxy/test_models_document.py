"""How the models document tells of videos: what they can do, and a table of prices that stays short."""

from dataclasses import replace
from fractions import Fraction

import orjson
import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import MICRO
from gatekeeper.core.price import Quote, quote
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.rules import QualityPrice
from gatekeeper.core.spec import Combination, ModelSpec, Offer
from gatekeeper.proxy import native_routes
from gatekeeper.proxy.native_routes import PRICES_SHOWN_MAX, model_document, models_document, prices
from tests.factories import a_model, a_plain_capability, a_price, a_video_capability

NO_LONG_1080P = (Combination("1080P", None, Fraction(10)),)


def read(document: object) -> object:
    """A document as the reader of its JSON sees it."""
    return orjson.loads(orjson.dumps(document))


def test_lengths_sound_and_what_does_not_go_together() -> None:
    """Numbers are numbers; a default that is not known is null."""
    model = a_model(a_video_capability(not_sold=NO_LONG_1080P, duration_default=Fraction(5, 2)))

    found = read(model_document(model)["capabilities"][0])

    assert isinstance(found, dict)
    assert ([5, 10], 2.5, "optional", None) == (
        found["durations"],
        found["duration_default"],
        found["audio"],
        found["audio_default"],
    )
    assert [{"resolution": "1080P", "duration_s": 10}] == found["not_sold"]


def test_a_sellers_own_defaults_stand_in_its_offer() -> None:
    """Null where it makes what the capability says."""
    offers = (Offer("acme", "m", duration_default=Fraction(10)), Offer("other", "m", audio_default=False))

    found = read(model_document(a_model(a_video_capability(), offers=offers))["offers"])

    assert isinstance(found, list)
    assert [(None, 10, None), (None, None, False)] == [
        (each["resolution_default"], each["duration_default"], each["audio_default"]) for each in found
    ]


def test_a_price_for_every_choice_that_is_sold() -> None:
    """Tiers times lengths times sounds, without what is not sold together."""
    found = read(model_document(a_model(a_video_capability(not_sold=NO_LONG_1080P)))["capabilities"][0]["prices"])

    assert [
        {"resolution": "720P", "duration_s": 5, "audio": False, "credits": 10},
        {"resolution": "720P", "duration_s": 5, "audio": True, "credits": 15},
        {"resolution": "720P", "duration_s": 10, "audio": False, "credits": 20},
        {"resolution": "720P", "duration_s": 10, "audio": True, "credits": 30},
        {"resolution": "1080P", "duration_s": 5, "audio": False, "credits": 15},
        {"resolution": "1080P", "duration_s": 5, "audio": True, "credits": 15},
    ] == found


def test_of_many_lengths_only_the_ends_and_the_default_are_priced() -> None:
    """Fifteen lengths are three rows for each tier and sound."""
    many = tuple(Fraction(each) for each in range(1, 16))
    able = a_video_capability(durations=many, duration_default=Fraction(8))

    shown = [labels["duration_s"] for labels, _ in prices(a_model(able), able) if labels["resolution"] == "720P"]

    assert [1, 1, 8, 8, 15, 15] == read(shown)


def test_the_table_is_bounded() -> None:
    """However many tiers a file has."""
    tiers = tuple(f"{number}P" for number in range(100, 140))
    rule = {(tier, sound): MICRO for tier in tiers for sound in (False, True)}
    able = a_video_capability(resolutions=tiers, pixels={})
    able = replace(able, price=replace(able.price, rule=replace(able.price.rule, credits=rule | {(tiers[0], True): 1})))

    assert PRICES_SHOWN_MAX == len(prices(a_model(able), able))


def test_qualities_have_their_prices() -> None:
    """`auto` is none of its own."""
    able = a_plain_capability(
        price=a_price(QualityPrice({("", "low"): MICRO, ("", "high"): 2 * MICRO})), qualities=("low", "high", "auto")
    )

    assert [("low", MICRO), ("high", 2 * MICRO)] == [
        (x["quality"], amount) for x, amount in prices(a_model(able), able)
    ]


def test_a_filter_by_credits_looks_at_the_cheapest_choice() -> None:
    """A video that can be had for so much is in the list."""
    catalog = Catalog.of((a_model(a_video_capability()),), "0")

    found = [len(models_document(catalog, {"max_credits": most})["models"]) for most in ("9", "10")]

    assert [0, 1] == found


def test_prices_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lists models again and again keeps nobody waiting: nothing is priced anew until there is another
    catalog."""
    model, of_another_catalog = a_model(a_video_capability()), a_model(a_video_capability())
    priced = list[ModelSpec]()

    def counted(model: ModelSpec, valid: ValidRequest) -> Quote:
        priced.append(model)
        return quote(model, valid)

    monkeypatch.setattr(native_routes, "quote", counted)
    first = model_document(model)
    choices = len(priced)

    again = [model_document(model), model_document(model, {"max_credits": "1000"})]
    model_document(of_another_catalog)

    assert [read(first)] * 2 == list(map(read, again))
    assert 0 < choices
    assert 2 * choices == len(priced)
