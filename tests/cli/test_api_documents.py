"""What a command prints with `--json` is what the admin API answers, beside a running gateway."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

from tests.cases import case
from tests.cli.scene import Run, running

TOKEN = "gka_for_this_test"
SAME = {
    "teams list": "teams",
    "teams show studio": "teams/studio",
    "keys list studio": "teams/studio/keys",
    "grants list studio": "teams/studio/grants",
    "grants refunds studio": "teams/studio/refunds",
    "grants transfers studio": "teams/studio/transfers",
    "grants allowances studio": "teams/studio/allowances",
    "limits list studio": "teams/studio/limits",
    "projects list studio": "teams/studio/projects",
    "alerts show studio": "teams/studio/alerts",
    "alerts log studio": "teams/studio/alerts/deliveries",
    "holds list studio": "teams/studio/holds",
    "journal show studio --after 1 --limit 3": "teams/studio/journal?after=1&count=3",
    "usage studio --by day,model": "teams/studio/usage?by=day,model",
    "signals studio": "teams/studio/signals",
    "verify studio": "verify?team=studio",
}
"""Each command with the route that answers the same."""


def answer(admin_url: str, path: str) -> Any:
    """What the admin API says."""
    asked = urllib.request.Request(f"{admin_url}/admin/v1/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=60) as found:
        return json.load(found)


def test_commands_say_what_the_api_says(run: Run, configured: Path) -> None:
    """Field by field, for everything that can be asked."""
    quiet = {"GATEKEEPER_ADMIN_TOKEN": TOKEN}
    with running(configured, "serve", "--port", "0", "--admin-port", "0", until="server.started", **quiet) as (
        _,
        output,
    ):
        admin_url = re.findall(r"admin_url[^h]*(http://[\d.:]+)", output.read_text())[0]
        for made in (
            "teams create studio --organisation acme --per-request 73.5",
            "grants give studio opening 1000.5 --expires 30d",
            "keys create studio ci --project spring --scope quote",
            "limits set studio team month 5000",
            "projects set studio spring 100 --part drafts=90:1K",
            "grants allow studio weekly 5 --per week --since 2999-01-01",
        ):
            assert 0 == run(*made.split()).exit_code
        for command, path in SAME.items():
            with case(command):
                said = json.loads(run(*command.split(), "--json").stdout)
                wanted = answer(admin_url, path)

                assert without_moment(wanted) == without_moment(said)


def without_moment(document: Any) -> Any:
    """A document without the moment at which it was asked for."""
    return {name: value for name, value in document.items() if name != "at"}
