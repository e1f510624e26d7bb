"""Videos on the command line: their price, what is wrong with a request, and how the list shows them."""

import json
from decimal import Decimal

import pytest

from tests.cli.scene import Run


@pytest.mark.parametrize(
    ("options", "credits"),
    [
        (("veo-3.1", "--duration", "8", "--audio", "--resolution", "1080p"), "675.2"),
        (("veo-3.1", "--duration", "8s", "--no-audio", "--resolution", "720p"), "337.6"),
        (("kling-2.5-turbo-pro", "--duration", "10"), "147.7"),
        (("grok-imagine-video", "--duration", "8", "--resolution", "480p", "--reference-images", "1"), "84.822"),
        (("seedance-2.0", "--duration", "5", "--aspect-ratio", "16:9", "--input-video"), "560.304"),
        (("kling-3.0", "--duration", "auto", "--resolution", "4k"), "1329.3"),
    ],
)
def test_the_price_of_a_video(run: Run, options: tuple[str, ...], credits: str) -> None:  # noqa: A002
    """By its length, tier, sound and what goes in."""
    result = run("quote", *options, "--json")

    assert Decimal(credits) == json.loads(result.stdout, parse_float=Decimal)["credits"]


def test_a_length_that_a_tier_does_not_have(run: Run) -> None:
    """What is allowed, and both ways out with their prices."""
    result = run("quote", "hailuo-02", "--duration", "10", "--resolution", "1080p")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert 1 == result.exit_code
    assert "duration_s 10 s at 1080P 6 6" in lines
    assert ["Resolution Duration Credits", "1080P 6 s 103.39", "768P 10 s 118.16"] == [lines[-4], *lines[-2:]]


def test_the_list_shows_lengths_and_sound(run: Run) -> None:
    """Below the operations; a price for each choice that has one."""
    result = run("models", "--operation", "video.generate", COLUMNS="160")

    text = " ".join(result.stdout.split())
    assert 0 == result.exit_code
    for words in ("audio optional", "3 to 15 s", "4, 6, 8 s", "1080P 8 s audio 675.2", "768P 10 s 118.16"):
        assert words in text
