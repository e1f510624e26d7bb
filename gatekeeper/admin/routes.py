"""The admin API's routes, all of them: the table that the application and its OpenAPI document are made from."""

import orjson

from gatekeeper.admin import bodies, bookdocuments, documents, signaldocuments
from gatekeeper.admin.operations import books, grants, holds, keys, limits, plans, teams, wallet
from gatekeeper.admin.operations.asking import team_of
from gatekeeper.admin.routing import Asked, Reply, Route, written
from gatekeeper.signals.report import report
from gatekeeper.web.usagereport import csv_name, usage_csv, usage_document

TEAMS = "/admin/v1/teams"
TEAM = f"{TEAMS}/{{team}}"
MADE = (201, 200)
"""A create: made now, or there already."""


async def _reload(asked: Asked) -> Reply:
    done = await asked.parts.reloaded()
    return done if done.ok else written(done.json_text(), 422)


async def _usage(asked: Asked) -> Reply:
    found = await books.read_usage(asked.ledger, asked.team, asked.query)
    if not found.query.as_csv:
        return written(orjson.dumps(usage_document(found), option=orjson.OPT_APPEND_NEWLINE), 200)
    answer = written(usage_csv(found).encode(), 200, "text/csv")
    answer.charset = "utf-8"
    answer.headers["Content-Disposition"] = f'attachment; filename="{csv_name(found)}"'
    return answer


async def _signals(asked: Asked) -> Reply:
    await team_of(asked.ledger, asked.team)
    found = await report(asked.ledger, asked.parts.catalog(), asked.team)
    return written(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE), 200)


async def _verify(asked: Asked) -> Reply:
    found = await books.verify(asked.ledger, asked.query.team or None)
    if not asked.query.team:
        asked.parts.metrics.verified(sum(len(verdict.differences) for verdict in found.teams))
    return found


TEAM_ROUTES = (
    Route(
        method="GET", path=TEAMS, name="listTeams", summary="Teams by id.",
        call=lambda a: teams.list_teams(a.ledger, a.query),
        query=bodies.PageQuery, answer=documents.TeamList,
    ),
    Route(
        method="POST", path=TEAMS, name="createTeam", summary="A new team; the same again changes nothing.",
        call=lambda a: teams.create_team(a.ledger, a.body, a.who),
        body=bodies.TeamBody, answer=documents.TeamDocument, answers=MADE, problems=("already_exists",),
    ),
    Route(
        method="GET", path=TEAM, name="getTeam", summary="One team with its credits.",
        call=lambda a: teams.get_team(a.ledger, a.team), answer=documents.TeamDocument,
    ),
    Route(
        method="PATCH", path=TEAM, name="changeTeam", summary="Change what the body says, a freeze too.",
        call=lambda a: teams.change(a.ledger, a.team, a.body, a.who),
        body=bodies.TeamPatch, answer=documents.TeamDocument, problems=("changed_meanwhile",),
    ),
    Route(
        method="DELETE", path=TEAM, name="removeTeam", summary="Freeze a team and remove its keys; its books stay.",
        call=lambda a: teams.remove_team(a.ledger, a.team, a.who.because(a.body.why)),
        body=bodies.NoBody, answer=documents.TeamRemoved, problems=("changed_meanwhile",),
    ),
)  # fmt: skip

KEY_ROUTES = (
    Route(
        method="GET", path=f"{TEAM}/keys", name="listKeys", summary="The team's keys by id, without their secrets.",
        call=lambda a: keys.list_keys(a.ledger, a.team, a.query),
        query=bodies.PageQuery, answer=documents.KeyList,
    ),
    Route(
        method="POST", path=f"{TEAM}/keys", name="createKey", summary="A new key; its secret is shown this once.",
        call=lambda a: keys.create_key(a.ledger, a.team, a.body, a.who),
        body=bodies.KeyBody, answer=documents.KeyCreated, answers=MADE, problems=("already_exists",),
    ),
    Route(
        method="GET", path=f"{TEAM}/keys/{{key}}", name="getKey", summary="One key.",
        call=lambda a: keys.get_key(a.ledger, a.team, a.ids["key"]),
        answer=documents.KeyDocument, problems=("key_not_found",),
    ),
    Route(
        method="PATCH", path=f"{TEAM}/keys/{{key}}", name="changeKey", summary="Change what the body says; revoke it.",
        call=lambda a: keys.change_key(a.ledger, a.team, a.ids["key"], a.body, a.who),
        body=bodies.KeyPatch, answer=documents.KeyDocument, problems=("key_not_found", "changed_meanwhile"),
    ),
    Route(
        method="DELETE", path=f"{TEAM}/keys/{{key}}", name="removeKey", summary="Forget a key, which stops working.",
        call=lambda a: keys.remove_key(a.ledger, a.team, a.ids["key"], a.who.because(a.body.why)),
        body=bodies.NoBody, answer=documents.KeyRemoved, problems=("key_not_found", "changed_meanwhile"),
    ),
    Route(
        method="POST", path=f"{TEAM}/keys/{{key}}/rotate", name="rotateKey",
        summary="A new secret, shown this once; those the key has work for the overlap more.",
        call=lambda a: keys.rotate_key(a.ledger, a.team, a.ids["key"], a.body, a.who),
        body=bodies.RotateBody, answer=documents.KeyCreated, problems=("key_not_found", "changed_meanwhile"),
    ),
)  # fmt: skip

CREDIT_ROUTES = (
    Route(
        method="GET", path=f"{TEAM}/grants", name="listGrants", summary="What the team was given, by id.",
        call=lambda a: grants.list_grants(a.ledger, a.team, a.query),
        query=bodies.PageQuery, answer=documents.GrantList,
    ),
    Route(
        method="POST", path=f"{TEAM}/grants", name="giveGrant", summary="Give credits, once per id.",
        call=lambda a: grants.give_grant(a.ledger, a.team, a.body, a.who),
        body=bodies.GrantBody, answer=documents.GrantDocument, answers=MADE, problems=("already_exists",),
    ),
    Route(
        method="GET", path=f"{TEAM}/grants/{{grant}}", name="getGrant", summary="One grant.",
        call=lambda a: grants.get_grant(a.ledger, a.team, a.ids["grant"]),
        answer=documents.GrantDocument, problems=("grant_not_found",),
    ),
    Route(
        method="GET", path=f"{TEAM}/refunds", name="listRefunds", summary="What the team was given back, by id.",
        call=lambda a: wallet.list_refunds(a.ledger, a.team, a.query),
        query=bodies.PageQuery, answer=documents.RefundList,
    ),
    Route(
        method="POST", path=f"{TEAM}/refunds", name="giveRefund",
        summary="Give back what a hold was charged, or a part of it, once per id.",
        call=lambda a: wallet.give_refund(a.ledger, a.team, a.body, a.who),
        body=bodies.RefundBody, answer=documents.RefundMade, answers=MADE,
        problems=("already_exists", "charge_not_found"),
    ),
    Route(
        method="GET", path=f"{TEAM}/transfers", name="listTransfers", summary="What the team handed on, by id.",
        call=lambda a: wallet.list_transfers(a.ledger, a.team, a.query),
        query=bodies.PageQuery, answer=documents.TransferList,
    ),
    Route(
        method="POST", path=f"{TEAM}/transfers", name="makeTransfer",
        summary="Hand credits on to a team of the same organisation, once per id.",
        call=lambda a: wallet.make_transfer(a.ledger, a.team, a.body, a.who),
        body=bodies.TransferBody, answer=documents.TransferDocument, answers=MADE,
        problems=("already_exists", "changed_meanwhile"),
    ),
    Route(
        method="GET", path=f"{TEAM}/allowances", name="getAllowances", summary="What the team is given anew.",
        call=lambda a: plans.get_allowances(a.ledger, a.team), answer=documents.AllowancesDocument,
    ),
    Route(
        method="PUT", path=f"{TEAM}/allowances", name="putAllowances",
        summary="All recurring grants, in place of those there are; what was given stays given.",
        call=lambda a: plans.put_allowances(a.ledger, a.team, a.body, a.who),
        body=bodies.AllowancesBody, answer=documents.AllowancesDocument, problems=("changed_meanwhile",),
    ),
)  # fmt: skip

LIMIT_ROUTES = (
    Route(
        method="GET", path=f"{TEAM}/limits", name="getLimits", summary="The team's limits, each with its use.",
        call=lambda a: limits.get_limits(a.ledger, a.team), answer=documents.LimitsDocument,
    ),
    Route(
        method="PUT", path=f"{TEAM}/limits", name="putLimits", summary="All limits, in place of those there are.",
        call=lambda a: limits.put_limits(a.ledger, a.team, a.body, a.who),
        body=bodies.LimitsBody, answer=documents.LimitsDocument, problems=("changed_meanwhile",),
    ),
    Route(
        method="PATCH", path=f"{TEAM}/limits", name="changeLimits", summary="Set or raise some limits, remove others.",
        call=lambda a: limits.change_limits(a.ledger, a.team, a.body, a.who),
        body=bodies.LimitsPatch, answer=documents.LimitsDocument,
        problems=("limit_not_found", "changed_meanwhile"),
    ),
    Route(
        method="GET", path=f"{TEAM}/projects", name="getProjects", summary="The team's projects with a budget.",
        call=lambda a: plans.get_projects(a.ledger, a.team), answer=documents.ProjectsDocument,
    ),
    Route(
        method="PUT", path=f"{TEAM}/projects", name="putProjects",
        summary="All projects with a budget, in place of those there are.",
        call=lambda a: plans.put_projects(a.ledger, a.team, a.body, a.who),
        body=bodies.ProjectsBody, answer=documents.ProjectsDocument, problems=("changed_meanwhile",),
    ),
    Route(
        method="GET", path=f"{TEAM}/alerts", name="getAlerts", summary="At which percents it is told, and whom.",
        call=lambda a: plans.get_alerts(a.ledger, a.team), answer=documents.AlertsDocument,
    ),
    Route(
        method="PUT", path=f"{TEAM}/alerts", name="putAlerts", summary="At which percents it is to be told, and whom.",
        call=lambda a: plans.replace_alerts(a.ledger, a.team, a.body, a.who),
        body=bodies.AlertsBody, answer=documents.AlertsDocument, problems=("changed_meanwhile",),
    ),
    Route(
        method="PATCH", path=f"{TEAM}/alerts", name="changeAlerts", summary="Change one of the two.",
        call=lambda a: plans.put_alerts(a.ledger, a.team, a.body, a.who),
        body=bodies.AlertsBody, answer=documents.AlertsDocument, problems=("changed_meanwhile",),
    ),
    Route(
        method="GET", path=f"{TEAM}/alerts/deliveries", name="listDeliveries",
        summary="The attempts to call the team's alert address, the latest first.",
        call=lambda a: plans.list_deliveries(a.ledger, a.team, a.query),
        query=bodies.PageQuery, answer=bookdocuments.DeliveryList,
    ),
)  # fmt: skip

BOOK_ROUTES = (
    Route(
        method="GET", path=f"{TEAM}/holds", name="listHolds", summary="The team's open holds, the oldest first.",
        call=lambda a: holds.list_holds(a.ledger, a.team, a.query),
        query=bodies.PageQuery, answer=bookdocuments.HoldList,
    ),
    Route(
        method="GET", path=f"{TEAM}/holds/{{hold}}", name="getHold", summary="One open hold.",
        call=lambda a: holds.get_hold(a.ledger, a.team, a.ids["hold"]),
        answer=bookdocuments.HoldDocument, problems=("hold_not_found",),
    ),
    Route(
        method="POST", path=f"{TEAM}/holds/{{hold}}/settle", name="settleHold",
        summary="End a hold by hand and charge what it came to.",
        call=lambda a: holds.settle_hold(a.ledger, a.team, a.ids["hold"], a.body, a.who),
        body=bodies.SettleBody, answer=bookdocuments.HoldEnded,
        problems=("hold_not_found", "hold_running", "hold_ended"),
    ),
    Route(
        method="POST", path=f"{TEAM}/holds/{{hold}}/release", name="releaseHold",
        summary="End a hold by hand and charge nothing.",
        call=lambda a: holds.release_hold(a.ledger, a.team, a.ids["hold"], a.body, a.who),
        body=bodies.ReleaseBody, answer=bookdocuments.HoldEnded,
        problems=("hold_not_found", "hold_running", "hold_ended"),
    ),
    Route(
        method="GET", path=f"{TEAM}/journal", name="readJournal", summary="So many journal entries behind that one.",
        call=lambda a: books.read_journal(a.ledger, a.team, a.query),
        query=bodies.JournalQuery, answer=bookdocuments.JournalDocument,
    ),
    Route(
        method="GET", path=f"{TEAM}/signals", name="readSignals",
        summary="How budgets and limits stand, and why spend runs ahead of plan.",
        call=_signals, answer=signaldocuments.SignalsDocument,
    ),
    Route(
        method="GET", path=f"{TEAM}/usage", name="readUsage", summary="What the team's credits went into.",
        call=_usage, query=bodies.UsageQuery, answer=bookdocuments.UsageDocument,
        media=("application/json", "text/csv"),
    ),
    Route(
        method="GET", path="/admin/v1/verify", name="verify", summary="Derive every figure from the journal again.",
        call=_verify, query=bodies.VerifyQuery, answer=bookdocuments.VerifyDocument, problems=("team_not_found",),
    ),
    Route(
        method="POST", path="/admin/v1/catalog/reload", name="reloadCatalog",
        summary="Read the catalog again; with problems (422) the old one stays.",
        call=_reload, answer=bookdocuments.ReloadDocument, answers=(200, 422),
    ),
)  # fmt: skip

ROUTES = (*TEAM_ROUTES, *KEY_ROUTES, *CREDIT_ROUTES, *LIMIT_ROUTES, *BOOK_ROUTES)
