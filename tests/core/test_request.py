"""What a request's three fields about size mean, each read for itself."""

from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.sizes import TEXT_LENGTH_MAX, Auto, Pixels, Ratio, SizeMeaning, Tier, Unreadable
from tests.cases import each_case


def test_nothing_said_is_nothing_asked() -> None:
    """Fields that the caller left out do not appear."""
    assert () == GenerationRequest().sizes_asked()


def test_size_comes_first() -> None:
    """`size` is read before the fields that may contradict it."""
    request = GenerationRequest(aspect_ratio="1:1", resolution="1K", size="1024x1024")

    assert ["size", "resolution", "aspect_ratio"] == [field for field, _ in request.sizes_asked()]


@each_case(
    ("field", "text", "meaning"),
    [
        ("size", "1024x1024", Pixels(1024, 1024)),
        ("size", "2k", Tier("2K")),
        ("size", "16:9", Ratio("16:9")),
        ("size", "auto", Auto()),
        ("resolution", "2k", Tier("2K")),
        ("resolution", "auto", Auto()),
        ("resolution", "16:9", Unreadable("16:9")),
        ("resolution", " 1024x1024 ", Unreadable("1024x1024")),
        ("aspect_ratio", "16x9", Ratio("16:9")),
        ("aspect_ratio", "landscape_16_9", Ratio("16:9")),
        ("aspect_ratio", "auto", Auto()),
        ("aspect_ratio", "2K", Unreadable("2K")),
        ("aspect_ratio", "1024x1024", Unreadable("1024x1024")),
    ],
)
def test_each_field_takes_what_makes_sense_in_it(field: str, text: str, meaning: SizeMeaning) -> None:
    """`size` takes every spelling, the other two their own and "auto"."""
    request = GenerationRequest(**{field: text})  # type: ignore[arg-type]

    assert ((field, meaning),) == request.sizes_asked()


@each_case("field", ["size", "resolution", "aspect_ratio"])
@each_case("text", ["y" * 100_000, " " * 100_000 + "1024x1024"])
def test_a_long_text_is_not_carried_on(field: str, text: str) -> None:
    """No field makes a refusal repeat a text of any length."""
    ((_, meaning),) = GenerationRequest(**{field: text}).sizes_asked()  # type: ignore[arg-type]

    assert len(str(meaning)) < TEXT_LENGTH_MAX * 2
