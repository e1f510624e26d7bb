"""The process's settings: one YAML file, every key of it also as `GATEKEEPER_SECTION__KEY` in the environment.

The environment is read by `environment.py`, but for where the file is, which `cli/locate.py` finds. Each limit is a
named setting with its reason; `config/gatekeeper.yaml` repeats them with their defaults. Teams and models are not
settings: they have files of their own.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    SkipValidation,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gatekeeper.custom_settings import CustomSettings
from gatekeeper.environment import DELIMITER, PREFIX, EnvironmentSource, at_its_variable, with_environment
from gatekeeper.sections import (
    HttpAddress,
    NamedCredential,
    NamedSecret,
    Section,
    ServerSettings,
    SignalSettings,
    TracingSettings,
)
from gatekeeper.yamlfile import (
    ConfigError,
    DataPath,
    Mistake,
    Problem,
    YamlFile,
    load_yaml,
    mistake,
    problems_of,
    raise_mistakes,
)

PROVIDER_NAME = re.compile(r"^[a-z][a-z0-9-]{0,31}$")
"""A provider's name is a path segment and a metric label, so it is short and plain."""

RESERVED_PREFIXES = frozenset({"v1", "admin", "decisions"})
"""First path segments that are the gateway's own."""

HOST_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$")
"""A host name as a `Host` header has it, in lower case."""

WEBHOOK_HOST = re.compile(
    r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?|[0-9a-f:]{2,39}|\[[0-9a-f:]{2,39}\]:[0-9]{1,5})$"
)
"""A host that may be called: a name or an address, with a port or for all of them."""

CUSTOM = "custom"
"""The dialect that config describes."""

DAY_S = 86_400
"""What happens more rarely than once a day is not looked after."""

ADMIN_TOKEN_CHARS_MIN = 16
"""Whoever has it has everything, and whoever guesses it is slowed down but not kept from guessing."""

MONTH_S = 30 * DAY_S
"""As long as the ledger follows a job at most."""


class StoreSettings(Section):
    """Where credits live: `embedded` runs a server of its own under `data_dir`."""

    url: str = Field("embedded", repr=False)
    data_dir: Path = Path("./data")
    wait_replicas: int = Field(0, ge=0, le=10, description="Replicas that have to have a write before it counts.")
    wait_fsync: bool = Field(
        False,
        description="Whether disks have to have it too, the master's and those replicas': a slow fsync is waited for.",
    )
    wait_timeout_ms: int = Field(
        1500, ge=10, le=3000, description="How long one batch waits for them; a call may take 5 s in all."
    )
    outbox_max_mb: int = Field(
        64, ge=1, le=4096, description="About 200,000 outcomes while the store is away; beyond that time resolves them."
    )


class WebhookSettings(Section):
    """Whom the gateway calls when a job has ended, and for how long it tries."""

    allow_hosts: tuple[str, ...] = ()
    allow_private: bool = Field(
        False, description="Private addresses are the gateway's own neighbours: callers are not to reach them by it."
    )
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        (443, 8443), description="Web servers are there; behind other ports are databases."
    )
    timeout_s: float = Field(15, gt=0, le=300, description="What providers grant a webhook.")
    retry_min_s: float = Field(5, gt=0, description="A receiver that restarts is back by then.")
    retry_max_s: float = Field(3600, gt=0, description="One that is back after a night hears of it within the hour.")
    give_up_after_s: float = Field(86_400, gt=0, description="After a day of silence nobody listens any more.")
    at_once: int = Field(16, ge=1, le=1000, description="Calls on their way; a slow receiver holds one for timeout_s.")
    waiting_max: int = Field(
        10_000, ge=1, description="Events on disk, a quarter of them one team's; beyond it providers are to call again."
    )
    waiting_max_mb: int = Field(256, ge=1, description="And their bytes: an event has a few KB, or pictures in it.")

    @field_validator("allow_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not WEBHOOK_HOST.match(host):
                raise mistake(f"{host!r} is no host", "Write a host name or address in lower case, perhaps with :port.")
        return hosts


class JobSettings(Section):
    """Generations that take minutes: how long they may, and how they are followed when nobody polls them."""

    image_deadline_s: float = Field(
        900, gt=0, le=MONTH_S, description="A picture that is not there by then is overdue; the slowest take 5 min."
    )
    video_deadline_s: float = Field(
        3600, gt=0, le=MONTH_S, description="A video that is not there by then is overdue; 20 min are usual at peaks."
    )
    retention_s: float = Field(
        7 * 86_400, gt=0, le=MONTH_S, description="How long after its deadline a job and its files may be asked for."
    )
    first_poll_s: float = Field(
        60, gt=0, le=DAY_S, description="SDKs poll every few seconds: after a minute of silence nobody does."
    )
    poll_min_s: float = Field(
        30, gt=0, le=DAY_S, description="Between two questions about a job; nobody is waiting for it."
    )
    poll_max_s: float = Field(600, gt=0, le=DAY_S, description="An end is known at the latest so long after it came.")
    overdue_poll_s: float = Field(
        3600, gt=0, le=DAY_S, description="For a job past its deadline: an answer is hardly to come."
    )
    poll_timeout_s: float = Field(
        30, gt=0, le=DAY_S, description="A question that takes longer is asked again another time."
    )
    polls_at_once: int = Field(20, ge=1, le=1000, description="Questions on their way; providers limit how many.")
    walk_s: float = Field(
        60,
        gt=0,
        le=DAY_S,
        description="From one look at all teams to the next, which finds the jobs of a process that is gone.",
    )


class LogSettings(Section):
    """`auto` is pretty on a terminal and one JSON object a line elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "pretty"] = "auto"


class CredentialIn(Section):
    """Where a provider's credential goes, if not where its format has it: one of the three, by name."""

    bearer: str | None = Field(None, description="`Authorization`, behind this word.")
    header: str | None = None
    query: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise mistake(
                "this is not one place", "Write {bearer: WORD}, {header: NAME} or {query: NAME}, and only one of them."
            )
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", self.name):
            raise mistake(f"{self.name!r} cannot name a place", "Use letters, digits and - . _, at most 64 of them.")
        return self

    @property
    def kind(self) -> Literal["bearer", "header", "query"]:
        """Which of the three it is."""
        return "bearer" if self.bearer is not None else "header" if self.header is not None else "query"

    @property
    def name(self) -> str:
        """The word or the name."""
        return self.bearer or self.header or self.query or ""


class TimeoutSettings(Section):
    """How long a provider may take. Generation is slow: 280 s was measured for one high-quality image."""

    connect_s: float = Field(10, gt=0)
    head_s: float = Field(600, gt=0)
    idle_s: float = Field(120, gt=0)
    total_s: float = Field(900, gt=0)


class ProviderSettings(Section):
    """An upstream with its credential."""

    dialect: str
    base_url: HttpAddress | None = Field(None, description="Where it is; the provider's own public address by default.")
    base_urls: dict[str, HttpAddress] = Field(
        default_factory=dict, description="Further addresses of formats that have several; else their public ones."
    )
    host: str | None = Field(None, description="A host name that is this provider's alone: no prefix in the path.")
    credential: NamedCredential = "none"
    credential_in: CredentialIn | None = None
    custom: CustomSettings | None = None
    webhook_secret: NamedSecret | None = None
    webhook_jwks_url: HttpAddress | None = None
    offers_of: str | None = None
    models: tuple[str, ...] = ()
    default_model: str | None = None
    timeouts: TimeoutSettings = TimeoutSettings()
    passthrough: tuple[str, ...] = ()
    on_unknown: Literal["release", "charge", "keep"] = "release"
    unknown_grace_s: float = Field(60, ge=0, description="How long an unknown outcome is waited for.")
    shadow: bool = Field(False, description="Nothing that goes to it is refused; docs/shadow.md says what is.")
    connections_max: int = Field(
        1000, ge=1, description="And as many requests at once, in each process; beyond it they wait for a place."
    )
    queue_max: int = Field(
        1000, ge=0, description="Requests that may wait for a place; the last that came gets the next."
    )
    queue_max_s: float = Field(
        2, gt=0, description="How long one waits for a place, with nothing held yet; then it is refused as overloaded."
    )

    @model_validator(mode="after")
    def _describes_its_format(self) -> Self:
        if self.dialect == CUSTOM and self.custom is None:
            raise mistake("the dialect custom is described in `custom`", "Add it; docs/custom.md has an example.")
        if self.custom is not None and self.default_model is None:
            mend = "Give fields.model, write {model} in the path, or give the provider a default_model."
            nameless = self.custom.nameless_routes()
            where: list[DataPath] = [("custom", "routes", number, "path") for number in nameless]
            raise_mistakes([Mistake(place, "no request of this route could name a model", mend) for place in where])
        return self

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str | None) -> str | None:
        if host is not None and not HOST_NAME.match(host.lower()):
            raise mistake(f"{host!r} is no host name", "Write it as a Host header has it, such as images.example.com.")
        return None if host is None else host.lower()

    @field_validator("passthrough")
    @classmethod
    def _are_routes(cls, routes: tuple[str, ...]) -> tuple[str, ...]:
        for route in routes:
            if not re.match(r"^(GET|HEAD) /[A-Za-z0-9._~/-]*$", route):
                raise mistake(
                    f"{route!r} is no free route", "Write GET or HEAD and an exact path, such as 'GET /v1/models'."
                )
        return routes


class Settings(BaseSettings):
    """Everything a process needs to know. Paths are relative to the file they stand in."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, extra="forbid", frozen=True, env_ignore_empty=True
    )

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    webhooks: WebhookSettings = WebhookSettings()

    jobs: JobSettings = JobSettings()
    signals: SignalSettings = SignalSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    catalog: tuple[str, ...] = ("catalog/*.yaml",)
    teams: Path | None = None
    admin_token: SecretStr | None = None
    base_dir: Path = Path()
    source: SkipValidation[YamlFile | None] = Field(default=None, exclude=True, repr=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the signature is pydantic-settings' own
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; nothing else is read."""
        return EnvironmentSource(settings_cls), init_settings

    @field_validator("admin_token")
    @classmethod
    def _is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and 0 < len(token.get_secret_value().strip()) < ADMIN_TOKEN_CHARS_MIN:
            raise mistake(
                f"the admin token has fewer than {ADMIN_TOKEN_CHARS_MIN} characters",
                "Draw one that nobody can guess, such as `openssl rand -hex 32` gives.",
            )
        return token

    @model_validator(mode="after")
    def _providers_apart(self) -> "Settings":
        raise_mistakes([*self._misnamed(), *self._hosts_taken()])
        return self

    def _misnamed(self) -> Iterator[Mistake]:
        for name in self.providers:
            if not PROVIDER_NAME.match(name) or name in RESERVED_PREFIXES:
                mend = "Use a short lower-case word, none of 'v1', 'admin' and 'decisions'."
                yield Mistake(("providers", name), f"{name!r} cannot name a provider", mend)

    def _hosts_taken(self) -> Iterator[Mistake]:
        first: dict[str, str] = {}
        for name, each in self.providers.items():
            if each.host is not None and (other := first.setdefault(each.host, name)) != name:
                yield Mistake(("providers", name, "host"), f"{each.host!r} is the host of {other} too", "Use another.")

    def catalog_files(self) -> tuple[Path, ...]:
        """The files the patterns match, each once, in order. Raises `ConfigError` for each that matches nothing."""
        found: dict[Path, None] = {}
        problems = []
        for index, pattern in enumerate(self.catalog):
            absolute = Path(pattern).is_absolute()
            root = Path(Path(pattern).anchor) if absolute else self.base_dir
            matched = sorted(root.glob(str(Path(pattern).relative_to(root)) if absolute else pattern))
            if not matched:
                mend = f"Name catalog files that are there, relative to {self.base_dir}."
                problems.append(self.problem(("catalog", index), f"no file matches {pattern!r}", mend))
            found.update(dict.fromkeys(matched))
        if problems:
            raise ConfigError(problems)
        return tuple(found)

    def problem(self, path: tuple[str | int, ...], what: str, mend: str) -> Problem:
        """A mistake that only shows once everything is known."""
        if self.source is None:
            return Problem("built-in settings", 0, ".".join(map(str, path)), what, mend)
        return self.source.problem(path, what, mend)

    def teams_file(self) -> Path | None:
        return None if self.teams is None else self.base_dir / self.teams


def load_settings(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a file (None: defaults and environment only), `overrides` merged over it.

    Raises `ConfigError` with every problem found.
    """
    file = load_yaml(path) if path is not None else None
    data = dict(file.data) if file is not None and isinstance(file.data, dict) else {}
    if file is not None and not isinstance(file.data, dict | None):
        raise ConfigError((file.problem((), "the file is not a mapping", "Begin with 'providers:'."),))
    merged = _merge(data, overrides or {})
    merged["source"] = file
    merged["base_dir"] = (path.parent if path is not None else Path()).resolve()
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise ConfigError(_problems(error, file)) from None


def _problems(error: ValidationError, file: YamlFile | None) -> list[Problem]:
    """Each at its place: in the environment where a variable says it, else in the file."""
    read = with_environment(file or YamlFile(Path("built-in settings"), {}))
    told = problems_of(error, read, model=Settings)
    return [at_its_variable(problem) for problem in told]


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
