"""Jobs that a new generation is made from: whose they are, and what it takes over from one that its address names.

Nothing is asked of the provider, and nothing of another team's is told: what is not this team's is not found.
"""

from dataclasses import replace

from gatekeeper.catalog import Catalog
from gatekeeper.core.rejection import Code, quoted, refuse
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.spec import Status
from gatekeeper.proxy.gate import Call, Gate, Provider


async def taken_over(gate: Gate, call: Call, asked: GenerationRequest) -> GenerationRequest:
    """The request with the model, length and size of the job in its address, where that names one.

    Raises `Rejected` (job_not_found) for one that is not the team's, or the ledger's errors.
    """
    name = call.route.job
    if name is None:
        return asked
    for provider in call.candidates:
        job = await gate.desk.find(call.caller.team.id, provider.name, name)
        if job is not None:
            return _like(asked, job.record.valid, _name_at(call.catalog, provider, job.record.valid.model))
    raise _not_found(name)


async def check_sources(gate: Gate, call: Call, provider: Provider, asked: GenerationRequest) -> None:
    """Raises `Rejected` (job_not_found) for an earlier job, or a file of one, that was not this team's."""
    with call.past:
        for name in asked.sources:
            if await gate.desk.find(call.caller.team.id, provider.name, name) is None:
                raise _not_found(name)


def _not_found(name: str) -> Exception:
    return refuse(Code.JOB_NOT_FOUND, f"{quoted(name)}, which this is made from, is no job or file of this team.")


def _like(asked: GenerationRequest, earlier: ValidRequest, model: str) -> GenerationRequest:
    """What the earlier one left to its model is left open here too, so that the dearest is held."""
    return replace(
        asked,
        model=model,
        size=None if earlier.size is None else str(earlier.size),
        resolution=earlier.resolution if earlier.size is None else None,
        aspect_ratio=earlier.aspect_ratio if earlier.size is None else None,
        duration_s=earlier.duration_s,
        duration_auto=earlier.duration_s is None,
    )


def _name_at(catalog: Catalog, provider: Provider, model_id: str) -> str:
    """What the provider calls the model now."""
    model = catalog.find(model_id)
    offers = () if model is None else (o for o in model.offers if o.provider == provider.offers_of)
    return next((o.upstream_id for o in offers if o.lifecycle.status is not Status.RETIRED), model_id)
