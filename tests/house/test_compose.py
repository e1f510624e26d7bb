"""The container files against the code. Docker itself is not asked: that they build and start is not shown here."""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from gatekeeper.settings import ServerSettings, Settings
from gatekeeper.yamlfile import load_yaml
from tests.house.generated import ROOT, commands

SERVICE_KEYS = {
    "build", "command", "depends_on", "environment", "healthcheck", "image", "ports", "restart", "stop_grace_period",
    "volumes",
}  # fmt: skip
"""The words of the Compose specification that are used here."""


@pytest.fixture(scope="module")
def compose() -> Any:
    """docker-compose.yml as plain data."""
    return load_yaml(ROOT / "docker-compose.yml").data


@pytest.fixture(scope="module")
def dockerfile() -> str:
    """The Dockerfile, its continued lines joined."""
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def is_setting(variable: str) -> bool:
    """Whether GATEKEEPER_SECTION__KEY names a setting."""
    model: Any = Settings
    for name in variable.removeprefix("GATEKEEPER_").lower().split("__"):
        field = model.model_fields.get(name) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            return False
        model = field.annotation
    return True


def test_only_words_of_the_specification_are_used(compose: Any) -> None:
    """Top level and services have keys that Compose knows."""
    assert {"services", "volumes"} == set(compose)
    assert set() == {key for service in compose["services"].values() for key in service} - SERVICE_KEYS


def test_the_gateway_is_started_with_a_command_it_has(compose: Any, dockerfile: str) -> None:
    """Image and service run commands of the command line, with a config file that is mounted."""
    command, *options = compose["services"]["gatekeeper"]["command"]
    source, target, _ = compose["services"]["gatekeeper"]["volumes"][0].split(":")
    (default,) = re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE)

    assert {command, *json.loads(default)} <= set(commands())
    assert ["--config", f"{target}/gatekeeper.yaml"] == options
    assert (ROOT / source / "gatekeeper.yaml").is_file()


def test_every_variable_is_a_setting_or_a_credential_that_the_config_names(compose: Any, dockerfile: str) -> None:
    """No variable is misspelled, in either file."""
    named = {*compose["services"]["gatekeeper"]["environment"], *re.findall(r"\b(GATEKEEPER_\w+)=", dockerfile)}
    config = (ROOT / "config" / "gatekeeper.yaml").read_text()

    assert [] == [name for name in sorted(named) if not is_setting(name) and f"{{env: {name}}}" not in config]


def test_the_gateways_store_is_the_other_service(compose: Any) -> None:
    """Its address names a service, which is waited for and keeps its data on a declared volume."""
    gateway, services = compose["services"]["gatekeeper"], compose["services"]
    host = re.search(r"redis://([\w-]+):6379", gateway["environment"]["GATEKEEPER_STORE__URL"])
    kept = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}

    assert host is not None
    assert {host[1]} == set(gateway["depends_on"])
    assert set(compose["volumes"]) == {name for name in kept if not name.startswith(".")}


def test_the_store_keeps_credits(compose: Any) -> None:
    """Every write is on disk before it counts, and nothing is evicted."""
    command = " ".join(compose["services"]["store"]["command"])

    assert "--appendonly yes --appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command


def test_what_is_in_flight_may_settle_before_the_container_is_killed(compose: Any) -> None:
    """The grace of the container is longer than the gateway's own."""
    grace_s = int(compose["services"]["gatekeeper"]["stop_grace_period"].removesuffix("s"))

    assert grace_s > ServerSettings().shutdown_grace_s


def test_the_image_copies_what_is_there_and_runs_as_nobody_special(dockerfile: str) -> None:
    """Every source of a COPY exists, the ports are the defaults, the user is not root."""
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    sources = [source for line in copies for source in line.split()]
    defaults = ServerSettings()

    assert [] == [source for source in sources if not (ROOT / source).exists()]
    assert f"EXPOSE {defaults.port} {defaults.admin_port}" in dockerfile
    assert re.search(r"^USER gatekeeper$", dockerfile, re.MULTILINE)


def test_the_image_pins_the_same_uv_as_the_makefile(dockerfile: str) -> None:
    """One version of the installer, wherever it runs."""
    makefile = (ROOT / "Makefile").read_text()

    assert re.findall(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE) == re.findall(r"uv==(\S+)", dockerfile)


def test_continuous_integration_runs_the_same_check_as_a_person() -> None:
    """The workflow has one command of its own, `make check`, and leaves no test out."""
    steps = load_yaml(ROOT / ".github/workflows/ci.yml").data["jobs"]["check"]

    assert ["make check"] == [step["run"] for step in steps["steps"] if "run" in step]
    assert steps["env"] == {"GATEKEEPER_REQUIRE_ALL": "1"}


def test_the_ci_script_calls_the_readmes_command() -> None:
    """`.ci/run` can be run, and runs `make test`, which the README names."""
    script = ROOT / ".ci/run"

    assert script.stat().st_mode & 0o111
    assert re.search(r"^make test\b", script.read_text(), re.MULTILINE)
    assert "\nmake test\n" in (ROOT / "README.md").read_text()
