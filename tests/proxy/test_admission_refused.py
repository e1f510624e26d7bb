"""Refusals are remembered, and nobody can tell but by the clock."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.decide import Priced, decide
from gatekeeper.core.memo import Memo
from gatekeeper.core.rejection import Rejected, Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.spec import ModelSpec
from gatekeeper.proxy import admission
from gatekeeper.proxy.admission import check_capability
from tests.core.strategies import PROPERTY, any_requests, models


def refusal_of(model: ModelSpec, asked: GenerationRequest) -> Rejection | None:
    """What is told of it; None where there is nothing to refuse."""
    if isinstance(decide(model, asked), Priced):
        return None
    with pytest.raises(Rejected) as refused:
        check_capability(model, asked)
    return refused.value.rejection


@PROPERTY
@given(models, models, st.data())
def test_a_remembered_refusal_is_the_one_made_anew(model: ModelSpec, other: ModelSpec, data: st.DataObject) -> None:
    """For any models and requests, in any order."""
    asked = data.draw(st.lists(any_requests(model), min_size=1, max_size=4))
    told = [(refusal_of(model, each), refusal_of(other, each)) for each in (*asked, *asked)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "_refusals", Memo[Any, Any](1))
        assert told == [(refusal_of(model, each), refusal_of(other, each)) for each in (*asked, *asked)]
