"""Every choice an operator makes, typed once; `settings.load` fills it."""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings.alerting import ROUTES, AlertingSettings, IntegrationsSettings
from settings.connections import (
    AuditSettings,
    CascadeSettings,
    DeliverySettings,
    ExporterSettings,
    PrefectSettings,
)
from settings.credentials import CredentialsSettings
from settings.figures import (
    AnomalySettings,
    BookSettings,
    HealthSettings,
    OperationsSettings,
    QualitySettings,
    WindowsSettings,
)
from settings.oncall import OnCallSettings
from settings.running import (
    EngineSettings,
    IngestionSettings,
    MaintenanceSettings,
    PhasesSettings,
    PortfolioSettings,
    RetentionSettings,
    ShadowSettings,
)
from settings.value_types import (
    Folder,
    PiiKey,
)

Environment = Literal["development", "staging", "production"]
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)

PREFIX = "TAPEWATCH_"
NESTING = "__"
RUNBOOK_NAMES: dict[tuple[str, ...], str] = {
    ("environment",): "PIPELINE_ENV",
    ("root_dir",): "TAPEWATCH_DATA_DIR",
    ("cascade", "session_cookie"): "CASCADE_SESSION_COOKIE",
    ("cascade", "export_url"): "CASCADE_EXPORT_URL",
    ("cascade", "proxy"): "CASCADE_PROXY",
    ("audit", "url"): "SUPABASE_URL",
    ("audit", "service_role"): "SUPABASE_SERVICE_ROLE",
    ("audit", "service_role_key"): "SUPABASE_SERVICE_ROLE_KEY",
    ("audit", "db_url"): "SUPABASE_DB_URL",
    ("integrations", "slack", "bot_token"): "SLACK_BOT_TOKEN",
    ("integrations", "slack", "webhook_token"): "SLACK_WEBHOOK_TOKEN",
    **{
        ("integrations", "slack", "webhooks", route): f"SLACK_WEBHOOK_{route.upper()}"
        for route in ROUTES
    },
    ("integrations", "pagerduty", "routing_key"): "PAGERDUTY_ROUTING_KEY",
}


_VALUE_SETTINGS: dict[str, bool | set[str]] = {
    "portfolio": {"time_zone", "currency"},
    "book": True,
    "windows": True,
    "quality": True,
    "health": True,
}


@dataclass(frozen=True)
class Paths:
    """Where every output goes: all that Tapewatch writes lies in these folders.

    Staging has data of its own, so that it can run beside production in one folder: neither waits
    for the lock of the other, and the exports of the drop folder are there for both.
    """

    root_dir: Path
    is_staging: bool = False

    @property
    def data_dir(self) -> Path:
        """Raw bytes, sealed runs, attempts and the lock."""
        return self.root_dir / ("data-staging" if self.is_staging else "data")

    @property
    def logs_dir(self) -> Path:
        """One folder an attempt, under `runs/`."""
        return self.root_dir / "logs"

    @property
    def prefect_home(self) -> Path:
        """What Prefect keeps: its database and its profiles."""
        return self.root_dir / (".prefect-staging" if self.is_staging else ".prefect")

    @property
    def pii_key_file(self) -> Path:
        """The masking key of a development machine; other environments never read it."""
        return self.data_dir / "pii.key"


class Settings(BaseSettings):
    """The settings of one process. `settings.load.load_settings` makes it; nothing else does."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter=NESTING,
    )

    environment: Environment = "production"
    root_dir: Folder = Field(default_factory=Path.cwd)
    pii_key: PiiKey
    portfolio: PortfolioSettings
    engine: EngineSettings
    cascade: CascadeSettings
    audit: AuditSettings
    delivery: DeliverySettings
    exporter: ExporterSettings
    prefect: PrefectSettings
    alerting: AlertingSettings
    integrations: IntegrationsSettings
    credentials: CredentialsSettings
    oncall: OnCallSettings
    ingestion: IngestionSettings
    book: BookSettings
    windows: WindowsSettings
    quality: QualitySettings
    health: HealthSettings
    operations: OperationsSettings
    anomaly: AnomalySettings
    shadow: ShadowSettings
    phases: PhasesSettings
    retention: RetentionSettings
    maintenance: MaintenanceSettings

    @property
    def paths(self) -> Paths:
        """The folders under `root_dir`."""
        return Paths(self.root_dir, self.environment == "staging")

    @property
    def drop_folder(self) -> Path:
        """Where senders put the exports of this portfolio."""
        return self.drop_folder_of(self.portfolio.name)

    def drop_folder_of(self, portfolio: str) -> Path:
        """Return where senders put the exports of a portfolio."""
        folder = self.root_dir / self.ingestion.drop_folder
        return folder if portfolio == "default" else folder.with_name(f"{folder.name}-{portfolio}")

    def pii_key_bytes(self) -> bytes:
        """Return the key for every HMAC over a customer's data: the text's own UTF-8 bytes."""
        return self.pii_key.get_secret_value().encode()

    def pii_key_id(self) -> str:
        """Return a short name of the key that is safe to publish; another key has another id."""
        return hmac.new(self.pii_key_bytes(), b"tapewatch-key-id", "sha256").hexdigest()[:16]

    def value_settings(self) -> dict[str, JsonValue]:
        """Return the settings that change a value, in plain JSON types: part of the run's id."""
        chosen = self.model_dump(include=_VALUE_SETTINGS)
        return {name: canonical(value) for name, value in sorted(chosen.items())}


def variables() -> dict[str, tuple[str, ...]]:
    """Return every variable an operator may set, with the path of the one setting it sets."""
    return {
        RUNBOOK_NAMES.get(path) or PREFIX + NESTING.join(path).upper(): path
        for path, _ in _fields(Settings, ())
    }


def secrets() -> frozenset[tuple[str, ...]]:
    """Return the path of every setting that nobody may read in a log or on a screen."""
    return frozenset(path for path, field in _fields(Settings, ()) if _is_secret(field.annotation))


def _is_secret(annotation: object) -> bool:
    """Return whether it is a SecretStr, also one with a law that may be absent."""
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def canonical(value: object) -> JsonValue:
    """Return `value` in plain JSON types, keys sorted; 0.010 and 0.01 have one spelling."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {name: canonical(item) for name, item in sorted(items)}
    if isinstance(value, tuple):
        return [canonical(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{(value + 0).normalize():f}"  # + 0 turns -0 into 0
    return cast("str | int", value)


def _fields(
    section: type[BaseModel], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, (*above, name))
        else:
            yield (*above, name), field
