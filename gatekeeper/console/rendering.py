"""Templates: everything that is put into one is escaped, and a name that nobody gave is a mistake, not nothing."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gatekeeper import __version__
from gatekeeper.console.statics import Statics
from gatekeeper.console.words import FILTERS


def make_templates(statics: Statics) -> Environment:
    """The console's templates."""
    found = Environment(
        loader=PackageLoader("gatekeeper.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters.update(FILTERS)
    found.globals.update(static=statics.url, version=__version__)
    return found


def rendered(templates: Environment, name: str, values: dict[str, Any]) -> str:
    """A page's text."""
    return templates.get_template(name).render(values)
