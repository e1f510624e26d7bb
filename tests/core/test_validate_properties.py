"""What validation promises for every model and every request: searched, not listed."""

from hypothesis import event, given
from hypothesis import strategies as st

from gatekeeper.core.alternatives import nearest_valid
from gatekeeper.core.price import worth
from gatekeeper.core.rejection import Code
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.spec import ModelSpec
from gatekeeper.core.validate import validate
from tests.core.strategies import PROPERTY, any_requests, models


@PROPERTY
@given(models, st.data())
def test_any_request_is_valid_or_has_violations(model: ModelSpec, data: st.DataObject) -> None:
    """For every model and every request there is one of the two answers, and every part of it can be printed."""
    found = validate(model, data.draw(any_requests(model)))

    event("valid" if isinstance(found, ValidRequest) else "refused")
    assert isinstance(found, ValidRequest) or found
    assert str(found).encode()


@PROPERTY
@given(models, st.data())
def test_a_valid_request_is_inside_the_models_set(model: ModelSpec, data: st.DataObject) -> None:
    """Whatever validation lets through is in every list of the model, and is sold."""
    found, able = validate(model, data.draw(any_requests(model))), model.capabilities[0]

    if isinstance(found, ValidRequest):
        possible = (found.resolution,) if found.resolution else found.resolutions_possible or (None,)
        assert (found.operation in able.operations, 1 <= found.outputs <= able.outputs_max) == (True, True)
        assert set(possible) <= {None, *able.resolutions}
        assert (None in possible) == (not able.resolutions)
        assert found.aspect_ratio in {None, *able.aspect_ratios}
        assert all(able.sells(tier, found.aspect_ratio) for tier in possible)
        assert (found.scale in able.scales) if able.scales else found.scale is None
        assert found.quality in {None, *able.qualities}


@PROPERTY
@given(models, st.data())
def test_every_nearest_choice_is_a_supported_one(model: ModelSpec, data: st.DataObject) -> None:
    """A refusal never names something that would be refused again."""
    found = validate(model, data.draw(any_requests(model)))

    if not isinstance(found, ValidRequest):
        enumerated = [v for v in found if v.nearest and v.code not in {Code.TOO_MANY_OUTPUTS, Code.UNSUPPORTED_SIZE}]
        assert [] == [v for v in enumerated if v.nearest not in v.supported]


@PROPERTY
@given(models, st.data())
def test_what_is_nearest_to_any_request_is_valid_and_has_a_price(model: ModelSpec, data: st.DataObject) -> None:
    """Whatever is asked: something that the model makes, or nothing; what is valid is nearest to itself."""
    asked = data.draw(any_requests(model))
    found, near = validate(model, asked), nearest_valid(model, asked)

    if isinstance(found, ValidRequest):
        assert near is not None
        assert worth(model, found).credits == worth(model, near).credits
    elif near is not None:
        assert worth(model, near).credits >= 0
