"""What a team is given anew, what its projects may come to, and whom to tell: lists that are replaced as a whole."""

from dataclasses import replace

from gatekeeper.admin.bodies import AlertsBody, AllowanceBody, AllowancesBody, PageQuery, ProjectBody, ProjectsBody
from gatekeeper.admin.bookdocuments import DeliveryDocument, DeliveryList
from gatekeeper.admin.documents import (
    AlertsDocument,
    AllowanceDocument,
    AllowancesDocument,
    BudgetPartDocument,
    ProjectDocument,
    ProjectsDocument,
)
from gatekeeper.admin.operations.asking import Who, change_team, team_of
from gatekeeper.admin.pieces import budget_parts
from gatekeeper.admin.problems import invalid
from gatekeeper.ledger.allowances import begins_ms
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import Allowance, Per, Project, TeamRecord


async def get_allowances(ledger: Ledger, team_id: str) -> AllowancesDocument:
    """The team's allowances."""
    return allowances_document(await team_of(ledger, team_id))


async def put_allowances(ledger: Ledger, team_id: str, body: AllowancesBody, who: Who) -> AllowancesDocument:
    """All of the team's allowances, in place of those it has. What was given stays given."""
    await team_of(ledger, team_id)
    _check_twice("allowances", [each.id for each in body.allowances])
    now_ms = await ledger.now_ms(team_id)
    record = await change_team(
        ledger, team_id, lambda team: replace(team, allowances=_allowances(team, body, now_ms)), who.because(body.why)
    )  # fmt: skip
    return allowances_document(record)


def _allowances(team: TeamRecord, body: AllowancesBody, now_ms: int) -> tuple[Allowance, ...]:
    return tuple(allowance_of(each, team, now_ms) for each in body.allowances)


def allowance_of(body: AllowanceBody, team: TeamRecord, now_ms: int) -> Allowance:
    """An allowance as the ledger keeps it; one that does not say since when began when it was first stored, with this
    period."""
    since_ms = begins_ms(team, body.id, Per(body.per), now_ms) if body.since is None else body.since
    return Allowance(body.id, body.credits, Per(body.per), since_ms, body.lasts_periods)


def allowances_document(team: TeamRecord) -> AllowancesDocument:
    """A team's allowances as an answer has them."""
    return AllowancesDocument(
        allowances=[
            AllowanceDocument(
                id=each.id, credits=each.credits, per=each.per, since=each.since_ms, lasts_periods=each.lasts_periods
            )
            for each in team.allowances
        ]
    )


async def get_projects(ledger: Ledger, team_id: str) -> ProjectsDocument:
    """The team's projects with a budget."""
    return projects_document(await team_of(ledger, team_id))


async def put_projects(ledger: Ledger, team_id: str, body: ProjectsBody, who: Who) -> ProjectsDocument:
    """All of the team's projects with a budget, in place of those it has."""
    await team_of(ledger, team_id)
    _check_twice("projects", [each.id for each in body.projects])
    projects = tuple(project_of(each) for each in body.projects)
    record = await change_team(ledger, team_id, lambda team: replace(team, projects=projects), who.because(body.why))
    return projects_document(record)


def project_of(body: ProjectBody) -> Project:
    """A project as the ledger keeps it."""
    return Project(
        body.id, body.credits, body.per, budget_parts(body.parts), tuple(body.high_resolutions),
        body.high_in_final_only, body.since, body.until,
    )  # fmt: skip


def projects_document(team: TeamRecord) -> ProjectsDocument:
    """A team's projects as an answer has them."""
    return ProjectsDocument(projects=[_project_document(each) for each in team.projects])


def _project_document(project: Project) -> ProjectDocument:
    parts = [
        BudgetPartDocument(
            name=part.name, share_percent=part.share_percent, phases=list(part.phases),
            resolutions=list(part.resolutions),
        )
        for part in project.parts
    ]  # fmt: skip
    return ProjectDocument(
        id=project.id,
        credits=project.credits,
        per=project.per,
        parts=parts,
        high_resolutions=list(project.high_resolutions),
        high_in_final_only=project.high_in_final_only,
        since=project.since_ms,
        until=project.until_ms,
    )


async def get_alerts(ledger: Ledger, team_id: str) -> AlertsDocument:
    """At which percents it is told, and whom."""
    return _alerts_document(await team_of(ledger, team_id))


async def put_alerts(ledger: Ledger, team_id: str, body: AlertsBody, who: Who) -> AlertsDocument:
    """Change what the body says; all else stays as it is."""
    said = body.model_fields_set

    def changed(team: TeamRecord) -> TeamRecord:
        thresholds = tuple(body.thresholds) if "thresholds" in said else team.thresholds
        return replace(team, thresholds=thresholds, alert_url=body.alert_url if "alert_url" in said else team.alert_url)

    return _alerts_document(await change_team(ledger, team_id, changed, who.because(body.why)))


async def replace_alerts(ledger: Ledger, team_id: str, body: AlertsBody, who: Who) -> AlertsDocument:
    """All of it; what the body leaves out is as with a new team."""
    whole = AlertsBody(thresholds=body.thresholds, alert_url=body.alert_url, why=body.why)
    return await put_alerts(ledger, team_id, whole, who)


async def list_deliveries(ledger: Ledger, team_id: str, page: PageQuery) -> DeliveryList:
    """The attempts to call the team's alert address, the latest first; a log of bounded length."""
    await team_of(ledger, team_id)
    found = await ledger.alerts.deliveries(team_id, page.limit, page.cursor)
    listed = [
        DeliveryDocument(
            at=each.at_ms, alert=each.alert, event=each.event, host=each.host, status=each.status,
            outcome=each.outcome, reason=each.reason,
        )
        for each in found
    ]  # fmt: skip
    return DeliveryList(deliveries=listed, next_cursor=found[-1].id if len(found) == page.limit else None)


def _alerts_document(team: TeamRecord) -> AlertsDocument:
    return AlertsDocument(thresholds=list(team.thresholds), alert_url=team.alert_url)


def _check_twice(field: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(field, f"{twice[0]} is there twice", "Keep one of the two.")
