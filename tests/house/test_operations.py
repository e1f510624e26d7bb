"""What docs/operations.md tells people to look at and to type is there."""

import re
from pathlib import Path
from typing import get_args

import pytest

from gatekeeper.core.rejection import Code
from gatekeeper.events import Event
from gatekeeper.traffic import ENDS
from tests.house.deployfiles import is_setting
from tests.house.generated import ROOT, all_commands
from tests.house.metrictable import described

TEXT = (ROOT / "docs/operations.md").read_text()
QUOTED = re.findall(r"`([^`\n]+)`", TEXT)
EVENTS = {each.__dataclass_fields__["event"].default for each in get_args(Event)}
SECTIONS = ("server", "store", "jobs", "webhooks", "signals", "log")
FILES = (".yml", ".yaml", ".py", ".md", ".jsonl", ".conf", ".rdb", ".service")


def test_every_command_is_one() -> None:
    """With its group, as somebody types it at night."""
    named = {found[1] for each in QUOTED if (found := re.match(r"gatekeeper ([a-z]+(?: [a-z]+)?)\b", each))}
    known = {name for name, _ in all_commands()}

    assert set() == {each for each in named if each not in known and each.partition(" ")[0] not in known}


def test_every_metric_is_one() -> None:
    """Also in the queries that a runbook gives."""
    known = {name for each in described() for name in each.samples}

    assert set(re.findall(r"\bgatekeeper_[a-z_]+", TEXT)) <= known


def test_every_setting_is_one() -> None:
    """As `section.key`."""
    named = {each for each in QUOTED if re.fullmatch(rf"(?:{'|'.join(SECTIONS)})\.[a-z_]+", each)} - EVENTS

    assert named
    assert [] == [each for each in sorted(named) if not is_setting(f"GATEKEEPER_{each.upper().replace('.', '__')}")]


def test_every_log_line_is_one() -> None:
    """What a runbook looks for in the log is written there."""
    dotted = {each for each in QUOTED if re.fullmatch(r"[a-z]+\.[a-z_]+", each) and not each.endswith(FILES)}

    assert {each for each in dotted if each.partition(".")[0] not in SECTIONS} <= EVENTS
    assert "error" in EVENTS


@pytest.mark.parametrize("word", ["provider_refused", "provider_failed", "unknown", "ledger_unavailable", "overloaded"])
def test_every_code_is_one(word: str) -> None:
    """Of refusals, or how requests end."""
    assert word in {*Code, *ENDS}


def test_every_file_is_there(root: Path) -> None:
    """What the table of the set-up names."""
    table = TEXT.partition("## The set-up")[2].partition("## Sizing")[0]
    named = re.findall(r"^\| `([^`]+)`(?:, `([^`]+)`)? \|", table, re.MULTILINE)

    assert len(named) > 4
    assert [] == [name for row in named for name in row if name and not (root / name).exists()]
