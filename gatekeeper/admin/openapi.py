"""The OpenAPI 3.1 document of the admin API, made from the route table and from the models of bodies and answers."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gatekeeper import __version__
from gatekeeper.admin.problems import TITLES, ProblemDocument
from gatekeeper.admin.routes import ROUTES
from gatekeeper.admin.routing import ACTOR, RETRY_AFTER_S, WHY, Route

OPENAPI_PATH = "/admin/v1/openapi.json"

ALWAYS = (
    "malformed_request",
    "unauthenticated",
    "too_many_attempts",
    "host_not_known",
    "invalid",
    "ledger_unavailable",
    "internal_error",
)
"""Problems that any route may answer with."""

TITLE_OF_STATUS = {200: "Done, or as it is.", 201: "Made.", 422: "Not done; the problems say why."}

_REF = "#/components/schemas/{model}"
_PROBLEM_MEDIA = "application/problem+json"


def openapi_document() -> dict[str, Any]:
    """The document, in the order of the route table."""
    schemas, refs = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    paths[OPENAPI_PATH] = {"get": _own()}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "gatekeeper admin API",
            "version": __version__,
            "summary": "Teams, keys, credits, limits, holds and books of a gatekeeper.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8081", "description": "the admin port, on loopback by default"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _problem(codes, refs) for status, codes in _by_status(ALWAYS).items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "GATEKEEPER_ADMIN_TOKEN"}},
        },
    }


@cache
def openapi_text() -> bytes:
    """The same as it goes out."""
    return orjson.dumps(openapi_document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


Refs = dict[tuple[type[BaseModel], str], dict[str, Any]]
"""Where each model's schema is, as it is read or as it is written."""


def _schemas() -> tuple[dict[str, Any], Refs]:
    read = {(route.body, "validation") for route in ROUTES if route.body is not None}
    written = {(route.answer, "serialization") for route in ROUTES if route.answer is not None}
    wanted: list[Any] = sorted({*read, *written, (ProblemDocument, "serialization")}, key=lambda each: each[0].__name__)
    refs, document = models_json_schema(wanted, ref_template=_REF)
    return document["$defs"], {(model, mode): ref for (model, mode), ref in refs.items()}  # type: ignore[misc]


def _operation(route: Route, refs: Refs) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query), *_who_parameters(route)],
        "responses": _responses(route, refs),
    }
    if route.body is not None:
        is_needed = any(field.is_required() for field in route.body.model_fields.values())
        content = {"application/json": {"schema": refs[route.body, "validation"]}}
        operation["requestBody"] = {"required": is_needed, "content": content}
    return operation


def _tag(path: str) -> str:
    words = [word for word in path.split("/")[3:] if not word.startswith("{")]
    return words[1] if len(words) > 1 and words[0] == "teams" else words[0]


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [word[1:-1] for word in path.split("/") if word.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    needed = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": _bare(each)}
        for name, each in schema.get("properties", {}).items()
    ]


def _who_parameters(route: Route) -> list[dict[str, Any]]:
    if route.method == "GET":
        return []
    told = {
        ACTOR: "who does it, for the journal; admin by default",
        WHY: "why, for the journal; a body may say it too",
    }
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in told.items()
    ]


def _responses(route: Route, refs: Refs) -> dict[str, Any]:
    shown = {"type": "string"} if route.answer is None else refs[route.answer, "serialization"]
    content = {media: {"schema": shown if media == "application/json" else {"type": "string"}} for media in route.media}
    done = {str(status): {"description": TITLE_OF_STATUS[status], "content": content} for status in route.answers}
    codes = [*ALWAYS, *route.problems, *(["team_not_found"] if "{team}" in route.path else [])]
    codes += ["payload_too_large"] if route.body else []
    problems: dict[str, Any] = {}
    for status, found in _by_status(codes).items():
        usual = found == _by_status(ALWAYS).get(status) and str(status) not in done
        problems[str(status)] = {"$ref": f"#/components/responses/{status}"} if usual else _problem(found, refs)
        if str(status) in done:
            content = done[str(status)]["content"] | problems[str(status)]["content"]
            problems[str(status)] = done[str(status)] | {"content": content}
    return dict(sorted((done | problems).items()))


def _by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(TITLES[code][0], []).append(code)
    return found


def _problem(codes: list[str], refs: Refs) -> dict[str, Any]:
    told = "; ".join(f"`{code}`: {TITLES[code][1]}" for code in codes)
    found = {"description": told, "content": {_PROBLEM_MEDIA: {"schema": refs[ProblemDocument, "serialization"]}}}
    if "ledger_unavailable" in codes:
        schema = {"type": "integer", "const": RETRY_AFTER_S}
        found["headers"] = {"Retry-After": {"description": "seconds", "schema": schema}}
    return found


def _own() -> dict[str, Any]:
    answer = {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": "getOpenapi", "summary": "This document.", "tags": ["openapi"], "responses": {"200": answer}}


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "title"}
