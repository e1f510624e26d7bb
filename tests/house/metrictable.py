"""Every metric as a table: written into docs/metrics.md, and asked by the tests of dashboards and alerts."""

from dataclasses import dataclass
from typing import Any, Final

from gatekeeper.core.rejection import Code
from gatekeeper.metrics import Metrics
from gatekeeper.traffic import ENDS
from gatekeeper.upstream.failure import Reason
from gatekeeper.vitals import HOLD_STATES
from gatekeeper.workers.figures import GAUGES

BOUNDS: Final = {
    "provider": "the configured ones, and none",
    "model": "those of the catalog that were asked for, and none",
    "operation": "the eight there are, and none; of a ledger call: the names of scripts",
    "outcome": "how a generation or a job ended: a closed list",
    "kind": "three: what time did",
    "status": "what the ledger answered: a closed list",
    "result": "a closed list",
    "grade": "one at a time, of five",
    "via": "four: who resolved a hold, or learnt of a job's end",
    "percent": "points that teams state, 1 to 100",
    "diagnosis": "the causes that docs/budgets.md defines",
    "state": f"{len(HOLD_STATES)}: {', '.join(HOLD_STATES)}",
    "reason": f"{len(Reason)}: {', '.join(Reason)}",
    "version": "one at a time",
    "python": "one at a time",
    "catalog": "one at a time",
}  # fmt: skip
"""What bounds each label."""

CODE_BOUND: Final = f"the {len(Code)} of docs/rejections.md"


OF_MANY: Final = {"sum": "sum", "max": "largest", "own": "the leader's"}


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as it is declared. `name` is the one that is scraped, but for the ends of a histogram's."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str
    of_many: str

    @property
    def samples(self) -> frozenset[str]:
        """The names that queries may use."""
        if self.kind == "histogram":
            return frozenset(f"{self.name}_{end}" for end in ("bucket", "sum", "count"))
        return frozenset({self.name})


def described() -> list[Described]:
    """All metrics, by name."""
    metrics = Metrics()
    labels = dict(map(_declared, metrics._registry._collector_to_names))
    found = [
        Described(
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            labels.get(family.name, ()),
            family.documentation,
            OF_MANY[GAUGES[family.name]] if family.type == "gauge" else "sum",
        )
        for family in metrics.families()
    ]
    return sorted(found, key=lambda each: each.name)


def _declared(collector: Any) -> tuple[str, tuple[str, ...]]:
    """A collector's name and labels; those of the library keep them to themselves."""
    if hasattr(collector, "_labelnames"):
        return collector._name, tuple(collector._labelnames)
    return getattr(collector, "name", ""), tuple(getattr(collector, "labels", ()))


def metric_table() -> str:
    """Every metric with type, labels and meaning."""
    rows = ["| metric | type | labels | says | of many processes |", "|---|---|---|---|---|"]
    for each in described():
        labels = " ".join(f"`{label}`" for label in each.labels)
        rows.append(f"| `{each.name}` | {each.kind} | {labels} | {each.about} | {each.of_many} |")
    return "\n".join(rows)


def label_table() -> str:
    """Every label with what bounds it."""
    used: dict[str, list[str]] = {}
    for each in described():
        for label in each.labels:
            used.setdefault(label, []).append(each.name)
    bounds = BOUNDS | {
        "code": f"{CODE_BOUND}; of `gatekeeper_requests_total` also how a request ended: {', '.join(ENDS)}"
    }
    rows = ["| label | values | on |", "|---|---|---|"]
    rows += [
        f"| `{label}` | {bounds[label]} | {', '.join(f'`{name}`' for name in names)} |"
        for label, names in sorted(used.items())
    ]
    return "\n".join(rows)
