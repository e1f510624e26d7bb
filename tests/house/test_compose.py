"""The container files against the code and the Compose Specification. That Docker builds and starts them is not shown
here; what the gateways in them do is, in `tests/system/test_deployed.py`."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT

from gatekeeper.admin.hostnames import HostNames
from gatekeeper.settings import ServerSettings
from gatekeeper.web.senders import FORWARDED_FOR
from gatekeeper.yamlfile import load_yaml
from tests.house.deployfiles import GIVEN, compose_problems, composed, dockerfile, image_environment, is_setting
from tests.house.generated import ROOT, commands

GATEWAYS = ("gateway-1", "gateway-2")


@pytest.fixture(scope="module", name="compose")
def _compose() -> Any:
    return composed()


@pytest.fixture(scope="module", name="services")
def _services(compose: Any) -> Any:
    return compose["services"]


@pytest.fixture(name="gateways")
def _gateways(services: Any) -> list[Any]:
    return [services[name] for name in GATEWAYS]


def mounts(services: Any) -> Iterator[tuple[str, str]]:
    """What is mounted where, in all services."""
    for service in services.values():
        yield from ((volume.split(":")[0], volume.split(":")[1]) for volume in service.get("volumes", ()))


def test_the_specification_has_nothing_against_it(compose: Any) -> None:
    """Every word of it is Compose's, with the type that it has there."""
    assert [] == compose_problems(compose)


def test_a_word_that_compose_does_not_have_is_found(compose: Any) -> None:
    """The schema is one that closes its lists."""
    assert compose_problems({"services": {"a": {"image": "b", "helthcheck": {}}}})


def test_without_a_secret_nothing_is_started() -> None:
    """Whoever forgets one is told which, before a container runs."""
    for name in GIVEN:
        with pytest.raises(LookupError, match=name):
            composed(**{name: ""})


def test_the_gateways_are_started_with_a_command_they_have(gateways: list[Any]) -> None:
    """Image and services run commands of the command line, with a config file that is mounted."""
    (default,) = re.findall(r"^CMD (.*)$", dockerfile(), re.MULTILINE)

    for gateway in gateways:
        command, *options = gateway["command"]
        source, target, _ = gateway["volumes"][0].split(":")
        assert {command, *json.loads(default)} <= set(commands())
        assert ["--config", f"{target}/gatekeeper.yaml"] == options
        assert (ROOT / source / "gatekeeper.yaml").is_file()


def test_every_variable_is_a_setting_or_a_credential_that_the_config_names(gateways: list[Any]) -> None:
    """No variable is misspelled, in either file."""
    named = {*gateways[0]["environment"], *image_environment()} - {"GATEKEEPER_CONFIG", OTEL_EXPORTER_OTLP_ENDPOINT}
    config = (ROOT / "config" / "gatekeeper.yaml").read_text()

    assert [] == [name for name in sorted(named) if not is_setting(name) and f"{{env: {name}}}" not in config]


def test_two_gateways_share_a_store_and_nothing_on_disk(services: Any, gateways: list[Any]) -> None:
    """Their outboxes and events are their own; everything else about them is the same but the admin port outside."""
    one, other = (
        {key: value for key, value in each.items() if key not in {"volumes", "ports", "networks"}} for each in gateways
    )
    data = [volume.split(":")[0] for gateway in gateways for volume in gateway["volumes"][1:]]
    host = re.search(r"redis://([\w-]+):6379", one["environment"]["GATEKEEPER_STORE__URL"])

    assert one == other
    assert list(GATEWAYS) == data
    assert host is not None
    assert {host[1]} == set(one["depends_on"]) <= set(services)


def test_every_volume_is_declared_and_every_file_is_there(compose: Any, services: Any) -> None:
    """Named volumes and networks are those that are declared; what is mounted of the project exists."""
    mounted = dict(mounts(services))
    networks = {name for service in services.values() for name in service["networks"]}

    assert set(compose["volumes"]) == {name for name in mounted if not name.startswith(".")}
    assert set(compose["networks"]) == networks
    assert [] == [name for name in mounted if name.startswith(".") and not (ROOT / name).exists()]


def test_a_gateway_that_is_made_anew_has_its_address_again(compose: Any, gateways: list[Any]) -> None:
    """Each its own in the balancer's network, for nginx asks for names once; and the stores' network has no way out."""
    (subnet,) = compose["networks"]["serving"]["ipam"]["config"]
    addresses = {ip_address(gateway["networks"]["serving"]["ipv4_address"]) for gateway in gateways}

    assert len(gateways) == len(addresses)
    assert all(address in ip_network(subnet["subnet"]) for address in addresses)
    assert compose["networks"]["storing"]["internal"]


def test_the_gateways_trust_the_balancer_alone(services: Any, gateways: list[Any]) -> None:
    """It says who calls, in the header that is asked for; nobody else in its network is believed."""
    balancer = services["balancer"]["networks"]["serving"]["ipv4_address"]
    header = f"proxy_set_header {FORWARDED_FOR} $proxy_add_x_forwarded_for;"

    assert header in (ROOT / "config/balancer/nginx.conf").read_text()
    for gateway in gateways:
        assert [balancer] == json.loads(gateway["environment"]["GATEKEEPER_SERVER__TRUSTED_PROXIES"])


def test_every_name_of_the_files_leads_to_the_admin_port(compose: Any, gateways: list[Any]) -> None:
    """That of the services, by which it is scraped; others are to be named."""
    named = json.loads(gateways[0]["environment"]["GATEKEEPER_SERVER__ADMIN_HOSTS"])
    hosts = HostNames.of("0.0.0.0", named)

    assert [] == [name for name in (*compose["services"], "localhost", "127.0.0.1") if hosts.refusal(f"{name}:8081")]
    assert hosts.refusal("evil.test")


def test_every_store_keeps_credits(services: Any) -> None:
    """Every write is on disk before it counts, nothing is evicted; a cluster is only there when it is asked for."""
    stores = {name: each for name, each in services.items() if each.get("command", [""])[0] == "valkey-server"}

    assert {"store", *(f"node-{n}" for n in range(1, 7))} == set(stores)
    for name, store in stores.items():
        command = " ".join(store["command"])
        assert "--appendonly yes --appendfsync always" in command
        assert "--maxmemory-policy noeviction" in command
        assert ("--cluster-enabled yes" in command, ["cluster"]) == (
            name != "store",
            store.get("profiles", ["cluster"]),
        )
        assert ["storing"] == store["networks"]
        assert any(volume.endswith(":/data") for volume in store["volumes"])


def test_the_cluster_is_made_of_all_six_nodes_once(services: Any, tmp_path: Path) -> None:
    """The script of `cluster-init`, run by a shell with a valkey-cli that only says what it is asked. In the
    end each master has a replica; where the cluster is there, nothing is done."""
    *shell, script = services["cluster-init"]["command"]

    def run(state: str) -> list[str]:
        answers = {
            "valkey-cli": f'echo "$@" >> {tmp_path}/asked; echo cluster_state:{state}',
            "getent": 'echo "10.0.0.1 $2"',
        }
        for name, body in answers.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "asked").write_text("")
        path = f"{tmp_path}:{os.environ['PATH']}"
        subprocess.run([*shell, script.replace("$$", "$")], env={"PATH": path}, check=True, capture_output=True)
        return (tmp_path / "asked").read_text().splitlines()

    asked = run("fail")

    nodes = " ".join(["10.0.0.1:6379"] * 6)
    assert [f"--cluster create {nodes} --cluster-replicas 1 --cluster-yes"] == asked[1:]
    assert ["-h node-1 cluster info"] == run("ok")
    assert set(services["cluster-init"]["depends_on"]) == {f"node-{n}" for n in range(1, 7)}


def test_what_is_in_flight_may_settle_before_the_container_is_killed(gateways: list[Any]) -> None:
    """The grace of the container is longer than the gateway's own."""
    grace_s = int(gateways[0]["stop_grace_period"].removesuffix("s"))

    assert grace_s > 2 * ServerSettings().shutdown_grace_s


def test_the_gateways_may_do_little(gateways: list[Any]) -> None:
    """No capability, no way to more, nothing to write to but a volume and memory; seen from this machine alone."""
    for gateway in gateways:
        assert gateway["read_only"]
        assert ["ALL"] == gateway["cap_drop"]
        assert ["no-new-privileges:true"] == gateway["security_opt"]
        assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])


def test_prometheus_scrapes_every_gateway(services: Any) -> None:
    """Each by itself, at its admin port, in a network that both are in."""
    jobs = load_yaml(ROOT / "config/prometheus/prometheus.yml").data["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}

    assert [f"{name}:8081" for name in GATEWAYS] == targets["gatekeeper"]
    assert set(services["prometheus"]["networks"]) & set(services["gateway-1"]["networks"])


def test_grafana_has_its_source_and_its_dashboard(services: Any) -> None:
    """Where the provisioning looks is where the files are mounted, and the source is a service."""
    targets = dict(mounts({"grafana": services["grafana"]}))
    provisioning = ROOT / "config/grafana/provisioning"
    (provider,) = load_yaml(provisioning / "dashboards/gatekeeper.yml").data["providers"]
    (source,) = load_yaml(provisioning / "datasources/prometheus.yml").data["datasources"]

    assert "/etc/grafana/provisioning" == targets["./config/grafana/provisioning"]
    assert f"{provider['options']['path']}/gatekeeper.json" == targets["./config/grafana/gatekeeper.json"]
    assert source["url"] == "http://prometheus:9090"


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    """Every source of a COPY exists, the ports are the defaults, the user is not root and has a number."""
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile(), re.MULTILINE)
    sources = [source for line in copies for source in line.split()]
    defaults = ServerSettings()

    assert [] == [source for source in sources if not (ROOT / source).exists()]
    assert f"EXPOSE {defaults.port} {defaults.admin_port}" in dockerfile()
    assert re.search(r"^USER 10001:10001$", dockerfile(), re.MULTILINE)


def test_the_image_has_what_settings_may_ask_for() -> None:
    """Every extra, in the layer of the dependencies as behind it: whoever turns traces on needs no image of his own."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    syncs = re.findall(r"^RUN uv sync (.*)$", dockerfile(), re.MULTILINE)

    assert [sorted(extras)] * 2 == [sorted(re.findall(r"--extra (\S+)", sync)) for sync in syncs]


def test_traces_are_off_until_they_are_asked_for() -> None:
    """By one variable; where they go is OpenTelemetry's own."""
    off, on = (composed(TRACING=word)["services"]["gateway-1"]["environment"] for word in ("", "true"))

    assert ("false", "true") == (off["GATEKEEPER_TRACING__ENABLED"], on["GATEKEEPER_TRACING__ENABLED"])


def test_the_image_asks_itself_how_it_is(gateways: list[Any]) -> None:
    """By a module of ours, as the compose file does."""
    (asked,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", dockerfile(), re.MULTILINE)

    assert ["python", "-m", "gatekeeper.health"] == json.loads(asked)
    assert ["CMD", *json.loads(asked)] == gateways[0]["healthcheck"]["test"]
    assert (ROOT / "gatekeeper/health.py").is_file()


def test_the_image_pins_the_same_uv_as_the_makefile() -> None:
    """One version of the installer, wherever it runs."""
    makefile = (ROOT / "Makefile").read_text()

    assert re.findall(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE) == re.findall(r"uv==(\S+)", dockerfile())


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
