"""Whether traces can be had where they are wanted."""

from pathlib import Path

import pytest

from gatekeeper.app import load_all
from gatekeeper.settings import Settings, load_settings
from gatekeeper.tracing import tracing_problems, wanted
from gatekeeper.yamlfile import ConfigError


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    """A config that wants traces on its third line."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text("providers: {}\ntracing:\n  enabled: true\n")
    return load_settings(path)


def test_with_the_extra_they_can(settings: Settings) -> None:
    """Nothing stands in the way."""
    assert [] == tracing_problems(settings)


def test_without_the_extra_the_start_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the file and line that want them, with what mends it."""
    monkeypatch.setattr(wanted, "NEEDED", ("opentelemetry.nowhere.at.all",))

    (problem,) = tracing_problems(settings)

    assert (Path(problem.file).name, 3, "tracing.enabled") == ("gatekeeper.yaml", problem.line, problem.where)
    assert "traces take OpenTelemetry, which is not installed" == problem.what
    mend = "Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http beside it, or write 'enabled: false'."
    assert mend == problem.mend


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
    ],
)
def test_what_is_not_had_is_not_passed_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A variable that asks for another way to send, or to sample, is told before the start."""
    monkeypatch.setenv(name, value)

    (problem,) = tracing_problems(settings)

    assert f"the variable {name} is {value!r}" == problem.what


def test_off_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither whether the library is there, nor what its variables say."""
    monkeypatch.setattr(wanted, "NEEDED", ("opentelemetry.nowhere.at.all",))
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "sometimes")

    assert [] == tracing_problems(Settings())


def test_a_gateway_does_not_start_without_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told beside whatever else is wrong, before anything is opened or written."""
    monkeypatch.setattr(wanted, "NEEDED", ("opentelemetry.nowhere.at.all",))

    with pytest.raises(ConfigError, match=r"gatekeeper.yaml:3: tracing.enabled: .* Install opentelemetry-sdk "):
        load_all(settings)
