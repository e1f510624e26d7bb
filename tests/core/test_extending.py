"""What an extension of a video is charged for: the seconds it adds."""

from fractions import Fraction

import pytest

from gatekeeper.core.credits import Rounding, parse_credits
from gatekeeper.core.outcome import Made
from gatekeeper.core.price import charge
from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.rules import SecondsPrice
from tests.factories import a_model, a_plain_capability, a_price

DURATIONS = tuple(Fraction(seconds) for seconds in range(1, 16))


@pytest.mark.parametrize(("operation", "charged"), [(Operation.VIDEO_GENERATE, "150"), (Operation.VIDEO_EXTEND, "60")])
def test_an_extension_is_not_charged_for_its_source(operation: Operation, charged: str) -> None:
    """An answer tells 15 seconds where 6 were asked: made they are charged, stitched to a source they are not."""
    price = a_price(SecondsPrice({("", False): parse_credits(10)}, Rounding.EXACT))
    model = a_model(a_plain_capability(operations=(operation,), price=price, durations=DURATIONS))
    request = ValidRequest(model=model.id, operation=operation, duration_s=Fraction(6))

    found = charge(model, request, Made(1, duration_s=Fraction(15)), parse_credits(1000))

    assert parse_credits(charged) == found.credits
