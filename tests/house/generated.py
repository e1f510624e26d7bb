"""The parts of the documents that come from the code: `make generate` writes them, a test compares them.

A document keeps its own words; what is generated stands between two marks:

    <!-- generated: NAME -->
    ...
    <!-- end -->
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import typer

from gatekeeper.catalog import Catalog, load_catalog
from gatekeeper.cli.root import make_app
from gatekeeper.core.rejection import FACTS
from gatekeeper.dialects.base import Dialect, RouteKind, Traits
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.events import LEVELS, Event, GenerationFacts
from gatekeeper.eventschema import log_event_schema
from gatekeeper.ledger.states import ROWS
from tests.house.admintables import api_text, problem_table, route_table
from tests.house.metrictable import label_table, metric_table
from tests.house.settingstable import settings_reference

ROOT = Path(__file__).parents[2]

SCHEMA = Path("docs/log-events.schema.json")

ADMIN_API = Path("docs/admin-api.json")

BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def rejection_table() -> str:
    """Every code with what is true of it."""
    rows = ["| code | status | whose fault | retry | in words |", "|---|---|---|---|---|"]
    rows += [
        f"| `{code}` | {facts.status} | {facts.fault} | {'yes' if facts.retryable else 'no'} | {facts.title} |"
        for code, facts in FACTS.items()
    ]
    return "\n".join(rows)


def event_table() -> str:
    """Every event with its level and what it means."""
    rows = ["| event | level | says |", "|---|---|---|"]
    for each in get_args(Event):
        name = each.__dataclass_fields__["event"].default
        meaning = " ".join((each.__doc__ or "").split())
        rows.append(f"| `{name}` | {LEVELS.get(name, 'info')} | {meaning} |")
    return "\n".join(rows)


def generation_facts() -> str:
    """The fields that every event about a generation has."""
    return ", ".join(f"`{name}`" for name in GenerationFacts.__dataclass_fields__)


def state_table() -> str:
    """The state machine of a hold, row by row."""
    rows = ["| in | when | answer | then | journal | that is |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {', '.join(row.states)} | {'; '.join(row.events)} | {f'`{row.reply}`' if row.reply else ''} "
        f"| {row.after or ''} | {row.entry or ''} | {row.effect} |"
        for row in ROWS
    ]
    return "\n".join(rows)


HOW = {
    RouteKind.GENERATION: "gated",
    RouteKind.FREE: "free",
    RouteKind.POLL: "poll of a job",
    RouteKind.CANCEL: "cancel of a job",
    RouteKind.DOWNLOAD: "download of a job's output",
}
"""What becomes of a request on each kind of route."""

PLACES = {"query": "query parameter", "json": "field", "form": "field of the form"}


def provider_sections() -> str:
    """Every wire format: its routes, what is read, what is settled from, what is not supported."""
    catalog = load_catalog(sorted((ROOT / "config" / "catalog").glob("*.yaml")))
    return "\n\n".join(_provider_section(name, dialect, catalog) for name, dialect in DIALECTS.items())


def _provider_section(name: str, dialect: Dialect, catalog: Catalog) -> str:
    traits = dialect.TRAITS
    routes = ["| route | | operation |", "|---|---|---|"]
    routes += [
        f"| `{method} {re.sub(r'[*:]}', '}', path)}` | {HOW[route.kind]} | {route.operation or ''} |"
        for method, path, route in dialect.routes()
    ]
    pointed = [f"- pointed here: {traits.pointed}"] if traits.pointed else []
    facts = [
        *([f"- `base_url`: {traits.address}"] if traits.address else []),
        *pointed,
        f"- models in the shipped catalog: {_models_sold(name, catalog)}",
        f"- answers: {_answers(dialect)}",
        f"- credential: {_credential(traits)}",
        f"- read: {', '.join(f'`{field}`' for field in traits.reads)}",
        f"- settled from: {traits.settles_from}",
        f"- out of credits: {traits.sdk}",
        *[f"- address `{segment}`: `/{segment}/...` leads to {url}" for segment, url in traits.bases.items()],
        *([f"- webhook: {_webhook(traits)}"] if traits.webhook else []),
        *[f"- not supported: {corner}" for corner in traits.corners],
    ]
    billing = ["", "| a job that | is charged | by |", "|---|---|---|"]
    billing += [f"| {rule.end} | {rule.charged} | {rule.source} |" for rule in traits.billing]
    parts = [f"### `{name}`: {traits.title}", "", *routes, "", *facts, *(billing if traits.billing else [])]
    return "\n".join(parts)


def _models_sold(provider: str, catalog: Catalog) -> str:
    """The provider's own ids for what it sells still."""
    offers = [offer for model in catalog.models for offer in model.offers]
    ids = sorted(offer.upstream_id for offer in offers if offer.provider == provider and not offer.is_retired)
    return ", ".join(f"`{each}`" for each in ids) or "none"


def _answers(dialect: Dialect) -> str:
    """At once, as a stream, as a job, by webhook."""
    has_jobs = any(route.kind is RouteKind.POLL for *_, route in dialect.routes())
    traits = dialect.TRAITS
    ways = {"at once": True, "as a stream": traits.streams, "as a job": has_jobs, "by webhook": bool(traits.webhook)}
    return ", ".join(way for way, has_it in ways.items() if has_it)


def _credential(traits: Traits) -> str:
    place = traits.credential
    match place.kind:
        case "bearer":
            return f"`Authorization: {place.name or 'Bearer'} ...`"
        case "header":
            return f"header `{place.name}`"
        case "query":
            return f"query parameter `{place.name}`"
        case "signed":
            return "`Authorization: Bearer ...`, a token signed with the access key and the secret key"


def _webhook(traits: Traits) -> str:
    assert traits.webhook is not None
    signed = {"none": "not signed by the provider", "standard": "signed as Standard Webhooks"}
    how = signed.get(traits.webhook.signature, f"signed the way of {traits.webhook.signature}")
    return f"{PLACES[traits.webhook.place]} `{traits.webhook.field}`, {how}"


def schema_text() -> str:
    """The JSON Schema of a log line, as the file has it."""
    return json.dumps(log_event_schema(), indent=2, ensure_ascii=False) + "\n"


def commands() -> dict[str, Any]:
    """The commands by name, as the command line itself has them."""
    tree: Any = typer.main.get_command(make_app())
    return dict(tree.commands)


def all_commands() -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, those of a group after one another."""
    for name, each in commands().items():
        inside = getattr(each, "commands", None)
        yield from [(name, each)] if inside is None else ((f"{name} {word}", one) for word, one in inside.items())


def command_reference() -> str:
    """Every command with its help and its options."""
    return "\n\n".join(_command_section(name, each) for name, each in all_commands())


def _command_section(name: str, command: Any) -> str:
    takes = [_argument(p) if p.required else f"[{_argument(p)}]" for p in command.params if not _is_option(p)]
    takes += [f"{p.opts[0]} {p.metavar}" for p in command.params if _is_option(p) and p.required]
    rows = [_parameter_row(each) for each in command.params]
    usage = " ".join(["gatekeeper", name, *takes])
    return "\n".join([f"### `{usage}`", "", command.help, "", "| | takes | default | |", "|---|---|---|---|", *rows])


def _parameter_row(parameter: Any) -> str:
    spelled = " ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    name = spelled if _is_option(parameter) else f"`{_argument(parameter)}`"
    takes = parameter.metavar or "" if _is_option(parameter) else ""
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    shown = "" if default in {None, False} else f"{default:g}" if isinstance(default, float) else str(default)
    return f"| {name} | {takes} | {shown} | {parameter.help} |"


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


BLOCKS: dict[str, Callable[[], str]] = {
    "rejections": rejection_table,
    "commands": command_reference,
    "log-events": event_table,
    "generation-facts": generation_facts,
    "hold-states": state_table,
    "providers": provider_sections,
    "admin-routes": route_table,
    "admin-problems": problem_table,
    "metrics": metric_table,
    "metric-labels": label_table,
    "settings": settings_reference,
}


def with_blocks(text: str) -> str:
    """A document with each of its generated blocks as the code has it now."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[4]}", text)


def documents() -> dict[Path, str]:
    """Every document that has something generated, as it should be, by its path in the project."""
    found = {SCHEMA: schema_text(), ADMIN_API: api_text()}
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        text = path.read_text()
        if BLOCK.search(text):
            found[path.relative_to(ROOT)] = with_blocks(text)
    return found


def write() -> None:
    """Brings every document up to date, and names those that were not."""
    for path, text in documents().items():
        target = ROOT / path
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    write()
