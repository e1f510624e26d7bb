"""Names of metrics, and everything that is made of them: dashboard, alerts, runbooks."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatekeeper.metrics import Metrics
from gatekeeper.yamlfile import load_yaml
from tests.cases import case
from tests.house.generated import ROOT
from tests.house.metrictable import BOUNDS, described
from tests.house.promql import mistakes, names_in, promtool

ALERTS = ROOT / "config/prometheus/alerts.yml"
ALERTS_TESTS = [*map(str, sorted((ROOT / "tests/prometheus").glob("*_test.yml")))]
PROMETHEUS = ROOT / "config/prometheus/prometheus.yml"
DASHBOARD = ROOT / "config/grafana/gatekeeper.json"
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "${datasource}": "prometheus"}
FORBIDDEN = re.compile(r"milli|micro|minutes|hours|_ms\b|[A-Z-]")
"""Prometheus has base units, and names in small letters."""


def labels_of() -> dict[str, frozenset[str]]:
    """The labels of every sample that a gateway has, and of Prometheus's own."""
    found = {"up": frozenset({"job", "instance"})}
    for each in described():
        for name in each.samples:
            found[name] = frozenset(each.labels) | ({"le"} if name.endswith("_bucket") else set())
    return found


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule."""
    return [rule for group in load_yaml(ALERTS).data["groups"] for rule in group["rules"]]


def targets() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard, with its panel's title."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))
    yield from (("annotation", each["expr"]) for each in dashboard["annotations"]["list"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            inside = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert inside is not None
            yield f"variable {variable['name']}", f"max by ({inside[2]}) ({inside[1]})"


def test_names_follow_the_conventions() -> None:
    """Base units, `_total` on counters and on nothing else, no type in the name, a help text that is one line."""
    for each in described():
        assert each.name.startswith(("gatekeeper_", "process_"))
        assert not FORBIDDEN.search(each.name)
        assert (each.kind == "counter") == each.name.endswith("_total")
        assert not re.search(r"_(counter|gauge|histogram|summary)$", each.name)
        assert each.kind != "histogram" or each.name.endswith(("_seconds", "_bytes"))
        assert each.about.strip()
        assert "\n" not in each.about


def test_promtool_has_nothing_against_the_text() -> None:
    """The exposition of a gateway that has counted one of each."""
    assert "" == promtool("check", "metrics", given=asyncio.run(Metrics().shown()).decode())


def test_every_label_has_a_bound() -> None:
    """Whoever adds a label says what its values are, and no label is there that nobody has."""
    used = {label for each in described() for label in each.labels}

    assert used == set(BOUNDS) | {"code"}


def test_an_alert_asks_for_what_there_is() -> None:
    """Its metrics, their labels, and those it groups by; so do the labels that its texts name."""
    there = labels_of()
    for alert in alerts():
        with case(alert["alert"]):
            assert [] == list(mistakes(alert["expr"], there))
            texts = " ".join(alert["annotations"].values())
            known = {label for name, _ in names_in(alert["expr"]).selected for label in there[name]}
            assert set(re.findall(r"\$labels\.(\w+)", texts)) <= known | {"job", "instance"}


def test_an_alert_has_a_runbook_and_a_test() -> None:
    """Its address leads to a chapter of docs/operations.md, and the unit tests show it firing."""
    fired = {
        each["alertname"]
        for file in ALERTS_TESTS
        for test in load_yaml(Path(file)).data["tests"]
        for each in test["alert_rule_test"]
        if each.get("exp_alerts")
    }

    for alert in alerts():
        with case(alert["alert"]):
            path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE)
            assert anchor in {heading.lower() for heading in headings}
            assert alert["alert"] in fired
            assert alert["labels"]["severity"] in {"page", "ticket"}


def test_every_runbook_is_an_alerts(root: Path) -> None:
    """No chapter is about an alert that is not there any more."""
    headings = re.findall(r"^### (Gatekeeper\w+)$", (root / "docs/operations.md").read_text(), re.MULTILINE)

    assert sorted(headings) == sorted(alert["alert"] for alert in alerts())


def test_prometheus_takes_configuration_and_rules() -> None:
    """As promtool reads them, and its unit tests of the alerts."""
    assert "" == promtool("check", "config", str(PROMETHEUS))
    assert "" == promtool("test", "rules", *ALERTS_TESTS)


def test_the_dashboard_asks_for_what_there_is() -> None:
    """Each query's metrics and labels are a gateway's, and a rate is taken of what only grows."""
    there = labels_of()
    kinds = {name: each.kind for each in described() for name in each.samples}

    for panel, query in targets():
        with case(panel, query):
            assert [] == list(mistakes(query, there))
            for name, _ in names_in(query).selected:
                if re.search(rf"\b(?:rate|increase)\({name}\b", query):
                    assert kinds[name] in {"counter", "histogram"}


def test_the_dashboards_queries_are_queries(tmp_path: Path) -> None:
    """As rules that record each, promtool reads all of them."""
    rules = []
    for n, (_, query) in enumerate(targets()):
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)  # noqa: PLW2901 - one after another
        rules.append({"record": f"panel:{n}", "expr": query})
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert "" == promtool("check", "rules", str(path))


def test_the_dashboard_has_its_rows_and_variables() -> None:
    """What somebody looks for first, in order; panels do not lie over each other, and their ids are their own."""
    dashboard = json.loads(DASHBOARD.read_text())
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    places = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in dashboard["panels"])
    ]

    assert ["Traffic", "Refusals by code", "Money", "Ledger", "Jobs", "Process"] == rows
    assert ["datasource", "provider", "model", "instance"] == [v["name"] for v in dashboard["templating"]["list"]]
    assert sum(map(len, places)) == len(set().union(*places))
    assert all(place[0] <= 23 for each in places for place in each)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_metric_of_the_gateways_own_is_on_the_dashboard() -> None:
    """What is measured and never looked at is not needed."""
    shown = {name for _, query in targets() for name, _ in names_in(query).selected}

    assert [] == [each.name for each in described() if each.name.startswith("gate") and not each.samples & shown]


def test_queries_that_name_what_is_not_there_are_found() -> None:
    """A metric, a label that is asked of one, a label that is grouped by."""
    known = {"a_total": frozenset({"code"})}

    assert [] == list(mistakes('sum by (code) (rate(a_total{code=~"x|y"}[5m])) > 0.5', known))
    assert ["no metric b_total in b_total"] == list(mistakes("b_total", known))
    assert ["no label kind on a_total"] == list(mistakes('a_total{kind="x"}', known))
    assert ["no label kind to group by in sum by (kind) (a_total)"] == list(mistakes("sum by (kind) (a_total)", known))
