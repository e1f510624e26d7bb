"""The rule of a project that keeps its high resolutions for the phase `final`.

Asked by the one admission, so generations, dry runs and quotes cannot disagree. It holds for requests that run on the
project's account; a key that is bound to the project has no others.
"""

from gatekeeper.core.alternatives import at_tiers
from gatekeeper.core.rejection import Code, Rejected, Rejection, Violation, quoted
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.sizes import AUTO
from gatekeeper.core.spec import ModelSpec
from gatekeeper.ledger.teamrecord import Project, TeamRecord
from gatekeeper.signals.shape import FINAL_PHASE, is_high, may_be_high


def check_phase(
    model: ModelSpec,
    asked: GenerationRequest,
    valid: ValidRequest,
    team: TeamRecord,
    project: str | None,
    phase: str | None,
) -> None:
    """Raises `Rejected` (resolution_not_in_phase) where the project keeps this resolution for its finals, with the
    lower ones that the model has. What may come out high, because it was left open, counts as high."""
    ruling = next((each for each in team.projects if each.id == project and each.high_in_final_only), None)
    if ruling is None or phase == FINAL_PHASE or not may_be_high(ruling, valid):
        return
    lower = _lower(ruling, model, valid)
    requested = quoted(valid.resolution or (AUTO if valid.resolutions_possible else str(valid.size)))
    violation = Violation(Code.RESOLUTION_NOT_IN_PHASE, "resolution", requested, lower, lower[-1] if lower else None)
    near = at_tiers(model, asked, lower)
    raise Rejected(Rejection(violation.code, _detail(ruling, model, violation), (violation,), near))


def _lower(project: Project, model: ModelSpec, valid: ValidRequest) -> tuple[str, ...]:
    capability = model.capability(valid.operation)
    return tuple(tier for tier in capability.resolutions if not is_high(project, tier)) if capability else ()


def _detail(project: Project, model: ModelSpec, violation: Violation) -> str:
    way = (
        f"{model.name} takes {', '.join(violation.supported)} in every phase"
        if violation.supported
        else f"{model.name} makes nothing lower"
    )
    open_ = ", which is what may come out when none is named" if violation.requested == AUTO else ""
    return (
        f"Project {project.id} keeps high resolutions{open_} for its final phase; {violation.requested} was asked. "
        f"{way}; for a final send Gatekeeper-Phase: {FINAL_PHASE}."
    )
