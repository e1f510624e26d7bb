"""What is decided before the ledger is asked, where it depends on who sells a model."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.catalog import Catalog
from gatekeeper.core.credits import MICRO
from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.spec import Offer
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.proxy import admission as admitting
from gatekeeper.proxy.admission import Admission, admit
from gatekeeper.proxy.past import ENFORCED
from tests.factories import a_model, a_video_capability

TEAM = TeamRecord("studio")
NOBODY: dict[str, Any] = {"project": None, "phase": None}
ROW = a_video_capability(resolution_default="720P", duration_default=Fraction(5), audio_default=True)
OFFERS = (
    Offer("acme", "mover"),
    Offer("other", "mover", resolution_default="1080P", duration_default=Fraction(10)),
)
CATALOG = Catalog.of([a_model(ROW, offers=OFFERS)], "made up")


def a_seller(name: str) -> Any:
    """As much of a provider as finds its offer."""
    return SimpleNamespace(name=name, offers_of=name, models=(), default_model=None)


@pytest.mark.parametrize(
    ("provider", "resolution", "credits"), [("acme", "720P", 15), ("other", "1080P", 30)], ids=["row", "own"]
)
def test_nothing_said_is_what_this_seller_makes(provider: str, resolution: str, credits: int) -> None:  # noqa: A002
    """5 seconds with sound at 3 credits, or 10 at 3: the hold is for what will come out there."""
    admission = admit(CATALOG, (a_seller(provider),), TEAM, GenerationRequest(model="mover", prompt_length=5), **NOBODY)

    assert (resolution, credits * MICRO) == (admission.valid.resolution, admission.quote.credits)


def test_what_is_said_counts_everywhere() -> None:
    """A default is no limit."""
    asked = GenerationRequest(model="mover", resolution="720P", duration_s=Fraction(5), audio=False, prompt_length=5)

    found = {admit(CATALOG, (a_seller(name),), TEAM, asked, **NOBODY).quote.credits for name in ("acme", "other")}

    assert {10 * MICRO} == found


_requests = st.builds(
    GenerationRequest,
    model=st.sampled_from(("mover", "other", None)),
    resolution=st.sampled_from((None, "720P", "1080P", "8K")),
    duration_s=st.sampled_from((None, Fraction(5), Fraction(10), Fraction(99))),
    audio=st.sampled_from((None, True, False)),
    prompt_length=st.sampled_from((None, 0, 5)),
)
_teams = st.sampled_from((TEAM, TeamRecord("few", models_allow=("other-*",)), TeamRecord("no", models_deny=("mov*",))))
SELLERS = {name: a_seller(name) for name in ("acme", "other", "nobody")}


@given(_requests, _teams, st.sampled_from(sorted(SELLERS)))
def test_what_is_remembered_is_what_would_be_let_in(asked: GenerationRequest, team: TeamRecord, seller: str) -> None:
    """A request that was let in before is let in on the same terms, and what was refused is refused again."""

    def told(let_in: Any) -> Admission | str:
        try:
            return let_in()  # type: ignore[no-any-return]
        except Rejected as refused:
            return repr(refused.rejection)

    sellers = (SELLERS[seller],)
    expected = told(lambda: admitting._admit(CATALOG, sellers, team, asked, None, None, ENFORCED))
    found = [told(lambda: admit(CATALOG, sellers, team, asked, **NOBODY)) for _ in range(2)]

    assert [expected, expected] == found
