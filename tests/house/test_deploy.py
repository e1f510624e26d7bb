"""Kubernetes manifests and the systemd unit against the definitions of both, the tools where they are, and the code."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.settings import ServerSettings
from tests.house.deployfiles import KINDS, documents, is_setting, kubernetes_problems, read
from tests.house.generated import ROOT, commands

BASE = ROOT / "deploy/kustomize/base"
COMPONENTS = ROOT / "deploy/kustomize/components"
PRODUCTION = ROOT / "deploy/kustomize/overlays/production"
UNIT = ROOT / "deploy/systemd/gatekeeper.service"
GRACE_S = ServerSettings().shutdown_grace_s


def base() -> list[Any]:
    """What the base names, as it stands in its files."""
    (kustomization,) = documents(BASE / "kustomization.yaml")
    return [each for name in kustomization["resources"] for each in documents(BASE / name)]


def kustomized(directory: Path) -> list[Any]:
    """What kubectl makes of a directory, by itself and without a cluster; nothing where there is no kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return []
    alone = {"PATH": os.environ["PATH"], "KUBECONFIG": os.devnull, "HOME": os.devnull}
    command = [kubectl, "kustomize", str(directory)]
    done = subprocess.run(command, env=alone, capture_output=True, text=True, check=True)
    return read(done.stdout)


@pytest.fixture(name="gateway")
def _gateway() -> Any:
    (found,) = [each for each in base() if each["kind"] == "StatefulSet"]
    return found


@pytest.fixture(name="pod")
def _pod(gateway: Any) -> Any:
    return gateway["spec"]["template"]["spec"]


@pytest.fixture(name="container")
def _container(pod: Any) -> Any:
    (found,) = pod["containers"]
    return found


@pytest.mark.parametrize("document", base(), ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_kubernetes_has_nothing_against_it(document: Any) -> None:
    """Every field is one of Kubernetes 1.30, with its type."""
    assert [] == kubernetes_problems(document)


def test_a_field_that_kubernetes_does_not_have_is_found() -> None:
    """The definitions are strict."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": []}}

    assert kubernetes_problems(service)


@pytest.mark.parametrize("directory", [BASE, PRODUCTION], ids=["base", "production"])
def test_what_kustomize_makes_of_it(directory: Path) -> None:
    """Kinds, selectors and references fit together, as kubectl puts them together where it is installed."""
    made = kustomized(directory)

    assert [] == [
        problem
        for document in made
        if (document["apiVersion"], document["kind"]) in KINDS
        for problem in kubernetes_problems(document)
    ]
    for document in made:
        if document["kind"] == "StatefulSet":
            (config,) = [each["metadata"]["name"] for each in made if each["kind"] == "ConfigMap"]
            volumes = document["spec"]["template"]["spec"]["volumes"]
            assert [config] == [volume["configMap"]["name"] for volume in volumes if "configMap" in volume]


def test_kustomize_changes_no_selector() -> None:
    """Whom policies, services and budgets mean is what stands in the files, also where that is a neighbour."""
    written = {(each["kind"], each["metadata"]["name"]): each for each in base()}
    kinds = {"NetworkPolicy", "Service"}

    for document in kustomized(PRODUCTION):
        if document["kind"] in kinds:
            assert written[document["kind"], document["metadata"]["name"]]["spec"] == document["spec"]


def test_everybody_means_the_gateways() -> None:
    """The label of the pods is the selector of all that is about them."""
    label = {"app.kubernetes.io/name": "gatekeeper"}
    specs = {(each["kind"], each["metadata"]["name"]): each.get("spec", {}) for each in base()}
    gateways = specs["StatefulSet", "gatekeeper"]

    assert label == gateways["template"]["metadata"]["labels"] == gateways["selector"]["matchLabels"]
    assert label == specs["PodDisruptionBudget", "gatekeeper"]["selector"]["matchLabels"]
    assert label == specs["NetworkPolicy", "gatekeeper"]["podSelector"]["matchLabels"]
    assert [label] * 2 == [spec["selector"] for (kind, _), spec in specs.items() if kind == "Service"]


def test_everything_in_the_folders_is_used() -> None:
    """No manifest lies beside a kustomization that does not name it."""
    for kustomization in sorted((ROOT / "deploy/kustomize").rglob("kustomization.yaml")):
        (found,) = documents(kustomization)
        files = {name for each in found.get("configMapGenerator", ()) for name in each["files"]}
        named = {*found.get("resources", ()), *files, *found.get("components", ())}
        there = {path.name for path in kustomization.parent.iterdir()} - {"kustomization.yaml"}
        assert there == {name for name in named if "/" not in name}
        assert all((kustomization.parent / name).exists() for name in named)


def test_a_gateway_keeps_its_disk(gateway: Any, container: Any) -> None:
    """What waits in its outbox comes back with it, whoever deletes or scales it."""
    (claim,) = gateway["spec"]["volumeClaimTemplates"]
    data = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}

    assert claim["metadata"]["name"] == data["/var/lib/gatekeeper"]
    assert {"whenDeleted": "Retain", "whenScaled": "Retain"} == gateway["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert gateway["spec"]["replicas"] == 2


def test_a_gateway_may_do_little(pod: Any, container: Any) -> None:
    """No root, no capability, nothing to write to but its volume and /tmp, no token of the cluster's."""
    allowed = container["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert "RuntimeDefault" == pod["securityContext"]["seccompProfile"]["type"]
    assert (False, True, ["ALL"]) == (
        allowed["allowPrivilegeEscalation"], allowed["readOnlyRootFilesystem"], allowed["capabilities"]["drop"],
    )  # fmt: skip
    assert not pod["automountServiceAccountToken"]


def test_it_is_asked_what_it_answers(container: Any) -> None:
    """Alive is not ready: a store that is away does not have gateways killed."""
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert ["/healthz", "/healthz", "/readyz"] == [probe["path"] for probe in paths.values()]
    assert {"admin"} == {probe["port"] for probe in paths.values()}
    assert {"data": ServerSettings().port, "admin": ServerSettings().admin_port} == ports


def test_it_is_started_with_what_it_has(container: Any) -> None:
    """A command, settings that there are, secrets by reference."""
    names = {each["name"] for each in container["env"]}

    assert container["args"][0] in commands()
    assert {"OPENAI_API_KEY"} == {name for name in names if not is_setting(name)}
    assert {"gatekeeper"} == {each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"]}


def test_what_is_in_flight_may_settle(pod: Any) -> None:
    """Kubernetes and systemd wait longer than the gateway."""
    stop = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)

    assert stop is not None
    assert min(pod["terminationGracePeriodSeconds"], int(stop[1])) > 2 * GRACE_S


def test_the_admin_port_is_kept_in() -> None:
    """Anybody may reach the data port; the admin port only who watches and who is meant to."""
    (policy,) = [each for each in base() if each["kind"] == "NetworkPolicy"]
    (anybody,) = [rule for rule in policy["spec"]["ingress"] if "from" not in rule]

    assert [{"port": "data"}] == anybody["ports"]
    assert {"Ingress", "Egress"} == set(policy["spec"]["policyTypes"])
    assert all(rule.get("to") for rule in policy["spec"]["egress"])


def test_the_monitor_has_the_job_of_the_alerts() -> None:
    """Its name comes from a label that the admin service has, and is `gatekeeper`."""
    (monitor,) = documents(ROOT / "deploy/kustomize/components/servicemonitor/servicemonitor.yaml")
    (admin,) = [each for each in base() if each["metadata"]["name"] == "gatekeeper-admin"]

    assert "gatekeeper" == monitor["spec"]["selector"]["matchLabels"][monitor["spec"]["jobLabel"]]
    assert admin["metadata"]["labels"].items() <= monitor["spec"]["selector"]["matchLabels"].items()
    assert admin["spec"]["ports"][0]["name"] == monitor["spec"]["endpoints"][0]["port"]


def with_tls(directory: Path) -> list[Any]:
    """What kubectl makes of the base with both components."""
    parts = [os.path.relpath(COMPONENTS / name, directory.resolve()) for name in ("servicemonitor", "admin-tls")]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(BASE, directory.resolve())],
        "components": parts,
    }
    (directory / "kustomization.yaml").write_text(json.dumps(kustomization))
    return kustomized(directory)


def test_with_tls_everybody_asks_by_it(tmp_path: Path) -> None:
    """Probes and Prometheus, of a port whose certificate is mounted where the settings name it."""
    made = {each["kind"]: each for each in with_tls(tmp_path)}
    if not made:
        return
    (container,) = made["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    stated = {each["name"]: each.get("value", "") for each in container["env"]}
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "admin-tls"]
    (endpoint,) = made["ServiceMonitor"]["spec"]["endpoints"]
    files = [stated[f"GATEKEEPER_SERVER__ADMIN_TLS_{name}"] for name in ("CERTIFICATE", "KEY")]

    assert [] == kubernetes_problems(made["StatefulSet"])
    assert [(path, "HTTPS") for path in ("/healthz", "/healthz", "/readyz")] == [
        (probe["path"], probe["scheme"]) for probe in probes
    ]
    assert [f"{mount['mountPath']}/tls.{end}" for end in ("crt", "key")] == files
    assert [] == [name for name in stated if not is_setting(name) and name != "OPENAI_API_KEY"]
    assert ("https", "/metrics", "gatekeeper-admin") == (
        endpoint["scheme"], endpoint["path"], endpoint["tlsConfig"]["serverName"],
    )  # fmt: skip


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """As systemd itself verifies it where it is installed, with a program that is there; and it is shut in well."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    verified = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    judged = subprocess.run(
        [analyze, "security", "--offline=true", str(unit)], capture_output=True, text=True, check=False
    )
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)

    assert (0, "") == (verified.returncode, verified.stderr)
    assert exposure is not None
    assert float(exposure[1]) < 2


def test_the_unit_starts_a_command_and_reloads_as_the_gateway_does() -> None:
    """`serve` with the configuration, SIGHUP for a reload, variables that are settings."""
    lines = dict(line.partition("=")[::2] for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]", line))
    names = [each.partition("=")[0] for each in lines["Environment"].split() if each.startswith("GATEKEEPER_")]

    assert lines["ExecStart"].split()[1] in commands()
    assert "/bin/kill -HUP $MAINPID" == lines["ExecReload"]
    assert [] == [name for name in names if not is_setting(name)]
    assert ("mixed", "strict", "yes") == (lines["KillMode"], lines["ProtectSystem"], lines["NoNewPrivileges"])
    assert "/var/lib/gatekeeper" == re.findall(r"DATA_DIR=(\S+)", lines["Environment"])[0]
