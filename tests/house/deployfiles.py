"""The files that run the gateway elsewhere, as plain data: with their anchors followed and their variables put in."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import BaseModel
from ruamel.yaml import YAML

from gatekeeper.settings import Settings
from tests.house.generated import ROOT

SCHEMAS = ROOT / "tests/schemas"

GIVEN = {"OPENAI_API_KEY": "sk-of-nobody", "GATEKEEPER_ADMIN_TOKEN": "a-token-of-the-tests", "GRAFANA_PASSWORD": "none"}
"""What docker-compose.yml asks for."""

VARIABLE = re.compile(r"\$\{(\w+)(:-|:\?)([^}]*)\}")


def documents(path: Path) -> list[Any]:
    """Every YAML document of a file, as Docker and Kubernetes read it."""
    return read(path.read_text())


def read(text: str) -> list[Any]:
    """Every YAML document in a text."""
    return [each for each in YAML(typ="safe", pure=True).load_all(text) if each is not None]


def composed(**given: str) -> Any:
    """docker-compose.yml with these variables, or what it asks for, put in."""
    known = GIVEN | given

    def value(found: re.Match[str]) -> str:
        if found[2] == ":?" and not known.get(found[1]):
            raise LookupError(found[1])
        return known.get(found[1]) or (found[3] if found[2] == ":-" else "")

    text = VARIABLE.sub(value, (ROOT / "docker-compose.yml").read_text())
    (document,) = read(text)
    return document


def dockerfile() -> str:
    """The Dockerfile, its continued lines joined."""
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def image_environment() -> dict[str, str]:
    """The gateway's settings that the image has."""
    return dict(re.findall(r"\b(GATEKEEPER_\w+)=(\S+)", dockerfile()))


def is_setting(variable: str) -> bool:
    """Whether GATEKEEPER_SECTION__KEY names a setting."""
    model: Any = Settings
    for name in variable.removeprefix("GATEKEEPER_").lower().split("__"):
        field = model.model_fields.get(name) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            return False
        model = field.annotation
    return True


@cache
def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text())


def compose_problems(document: Any) -> list[str]:
    """What the Compose Specification has against it."""
    validator = jsonschema.Draft202012Validator(_schema("compose-spec.json"))
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(document)]


KINDS = {
    ("apps/v1", "StatefulSet"): "apps.v1.StatefulSet",
    ("v1", "Service"): "core.v1.Service",
    ("v1", "ServiceAccount"): "core.v1.ServiceAccount",
    ("v1", "ConfigMap"): "core.v1.ConfigMap",
    ("policy/v1", "PodDisruptionBudget"): "policy.v1.PodDisruptionBudget",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networking.v1.NetworkPolicy",
}
"""What Kubernetes 1.30 itself defines; a ServiceMonitor is an operator's."""


def kubernetes_problems(document: Any) -> list[str]:
    """What Kubernetes's own definition of this kind has against it, with every unknown field."""
    name = KINDS[document["apiVersion"], document["kind"]]
    schema = _schema("kubernetes-1.30.json") | {"$ref": f"#/$defs/io.k8s.api.{name}"}
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(document)]
