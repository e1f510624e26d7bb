"""The tables of `docs/admin.md`, from the route table and the list of problems."""

from pydantic import BaseModel

from gatekeeper.admin.openapi import openapi_text
from gatekeeper.admin.problems import TITLES
from gatekeeper.admin.routes import ROUTES, TEAM


def route_table() -> str:
    """Every route with its body or its query."""
    rows = ["| route | takes | does |", "|---|---|---|"]
    for route in ROUTES:
        path = route.path.replace(TEAM, "…")
        takes = _fields(route.body) if route.body else _fields(route.query)
        rows.append(f"| `{route.method} {path}` | {takes} | {route.summary} |")
    rows.append("| `GET /admin/v1/openapi.json` | | This API as OpenAPI 3.1. |")
    return "\n".join(rows)


def _fields(model: type[BaseModel]) -> str:
    fields = sorted(model.model_fields.items(), key=lambda each: not each[1].is_required())
    names = [f"`{field.alias or name}{'' if field.is_required() else '?'}`" for name, field in fields if name != "why"]
    return " ".join(names)


def problem_table() -> str:
    """Every code with its status."""
    rows = ["| code | status | says |", "|---|---|---|"]
    rows += [f"| `{code}` | {status} | {title} |" for code, (status, title) in TITLES.items()]
    return "\n".join(rows)


def api_text() -> str:
    """The OpenAPI document, as the file has it."""
    return openapi_text().decode()
