"""High resolutions that a project keeps for its final phase."""

import pytest

from gatekeeper.core.credits import MICRO
from gatekeeper.core.rejection import Code, Rejected, Rejection
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.validate import validate
from gatekeeper.ledger.teamrecord import Project, TeamRecord
from gatekeeper.proxy.phases import check_phase
from tests.factories import a_model, a_request

TEAM = TeamRecord("studio", projects=(Project("spring", 1000, high_in_final_only=True), Project("autumn", 1000)))
MODEL = a_model()


def refused(resolution: str | None, project: str | None, phase: str | None, ratio: str = "16:9") -> Rejection | None:
    """What the rule says to one picture."""
    asked = a_request(resolution=resolution, aspect_ratio=ratio)
    valid = validate(MODEL, asked)
    assert isinstance(valid, ValidRequest)
    try:
        check_phase(MODEL, asked, valid, TEAM, project, phase)
    except Rejected as found:
        return found.rejection
    return None


@pytest.mark.parametrize(
    ("resolution", "project", "phase"),
    [("1K", "spring", None), ("4K", "spring", "final"), ("4K", "autumn", None), ("4K", None, None)],
)
def test_all_else_goes_by(resolution: str, project: str | None, phase: str | None) -> None:
    """Low ones, finals, projects without the rule, and requests on no project's account."""
    assert refused(resolution, project, phase) is None


@pytest.mark.parametrize("phase", [None, "iteration", "fix"])
def test_a_high_resolution_is_refused_outside_the_final_phase(phase: str | None) -> None:
    """With what was asked, what may be, and the same picture at that with its price."""
    found = refused("2K", "spring", phase)

    assert found is not None
    assert (Code.RESOLUTION_NOT_IN_PHASE, 403) == (found.code, found.status)
    (violation,) = found.violations
    assert ("2K", ("1K",), "1K") == (violation.requested, violation.supported, violation.nearest)
    assert [("1K", "16:9", 49 * MICRO)] == [(a.resolution, a.aspect_ratio, a.credits) for a in found.alternatives]
    assert "Project spring" in found.detail
    assert "Gatekeeper-Phase: final" in found.detail


def test_what_is_left_open_is_refused_too() -> None:
    """It might come out at 4K."""
    found = refused("auto", "spring", None)

    assert found is not None
    assert "auto" == found.violations[0].requested
