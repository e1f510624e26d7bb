"""A dialect's routes as a table: templates in, `Route` values out.

A template is a path in which `{name}` stands for one segment, `{name:}`
for one with colons in it, and `{name*}` for several. What a name matches is plain
(letters, digits and a few signs, never a dot in front), so that a path goes upstream exactly as it was understood.
`{model}`, `{job}` and `{file}` end up in the route; other names only in its path. What matches nothing is not open.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gatekeeper.core.request import Operation
from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.dialects.complaints import no_job

SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9._~@=-]{0,255}"
"""One segment. No colon: Google's verbs stand behind one."""

SEGMENT_WITH_COLONS: Final = r"[A-Za-z0-9][A-Za-z0-9._~@=:-]{0,255}"

SEGMENTS_MAX: Final = 8
"""What `{name*}` takes at most; fal's longest ids have five."""

_PLACE = re.compile(r"\{([a-z_]+)([*:]?)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: `upstream` is the template of the path at the provider, the same one if it is None."""

    method: str
    template: str
    route: Route
    upstream: str | None = None


def row(  # noqa: PLR0913  # the facts of one line, all but four of them by name
    method: str,
    template: str,
    kind: RouteKind,
    name: str,
    operation: Operation | None = None,
    *,
    upstream: str | None = None,
    query: frozenset[str] = frozenset(),
    base: str = "",
    takes_body: bool = False,
) -> Row:
    """A line of a table, with the route's own facts beside its template."""
    return Row(method, template, Route(name, kind, "", operation, query, base=base, takes_body=takes_body), upstream)


def job_in_path(route: Route, query: Mapping[str, str], body: Sequence[bytes]) -> str:
    """The job, or the file of one, that the path names: `job_named` of every format that names them there."""
    if route.job is None:
        raise no_job()
    return route.job


class RouteTable:
    """The open routes of a dialect. `prefixes` may stand before any of them, and do not go upstream."""

    def __init__(self, *rows: Row, prefixes: tuple[str, ...] = ("",)) -> None:
        self._rows = rows
        self._prefixes = prefixes
        self._fixed: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Row]] = []
        for each in rows:
            if "{" in each.template:
                self._patterns.append((each.method, _pattern(each.template), each))
            else:
                self._fixed[each.method, each.template] = replace(each.route, upstream_path=_upstream(each, {}))

    def routes(self) -> tuple[tuple[str, str, Route], ...]:
        """Every line: method, the template behind the first prefix, and the route, whose path is a template still."""
        return tuple(
            (each.method, self._prefixes[0] + each.template, replace(each.route, upstream_path=_template(each)))
            for each in self._rows
        )

    def find(self, method: str, path: str) -> Route | None:
        """The route of this path, or None."""
        for prefix in self._prefixes:
            if path.startswith(prefix):
                found = self._find(method, path[len(prefix) :])
                if found is not None:
                    return found
        return None

    def _find(self, method: str, path: str) -> Route | None:
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed
        for known_method, pattern, each in self._patterns:
            if known_method == method and (match := pattern.fullmatch(path)) is not None:
                values = match.groupdict()
                return replace(
                    each.route,
                    upstream_path=_upstream(each, values),
                    model=values.get("model"),
                    job=values.get("job") or values.get("file"),
                )
        return None


def _template(each: Row) -> str:
    return each.template if each.upstream is None else each.upstream


def _upstream(each: Row, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], _template(each))


def _pattern(template: str) -> re.Pattern[str]:
    """The template as a pattern: what stands between the names is taken letter by letter."""
    parts, at = list[str](), 0
    for place in _PLACE.finditer(template):
        parts.append(re.escape(template[at : place.start()]))
        one = SEGMENT_WITH_COLONS if place[2] == ":" else SEGMENT
        several = rf"(?:/{SEGMENT}){{0,{SEGMENTS_MAX - 1}}}" if place[2] == "*" else ""
        parts.append(f"(?P<{place[1]}>{one}{several})")
        at = place.end()
    return re.compile("".join(parts) + re.escape(template[at:]))
