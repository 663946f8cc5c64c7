"""Every choice an operator makes, typed once; `settings.load` fills it."""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, cast, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings.alerting import ROUTES, AlertingSettings, IntegrationsSettings
from settings.credentials import CredentialsSettings
from settings.errors import ConfigError
from settings.oncall import OnCallSettings
from settings.thresholds import Thresholds
from settings.value_types import (
    Anchors,
    AtLeastOne,
    BaseUrl,
    Count,
    DatabaseSecret,
    Days,
    Factor,
    File,
    Folder,
    HeaderSecret,
    Host,
    Pattern,
    PiiKey,
    PortfolioName,
    ProxySecret,
    Ratio,
    Seconds,
    Section,
    ShortSeconds,
    Size,
    TimeZone,
)

Environment = Literal["development", "staging", "production"]
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)
Phase = Literal["ingestion", "transformation", "calculation", "output"]

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


def _check_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address, such as 127.0.0.1 or 0.0.0.0") from None


Address = Annotated[str, AfterValidator(_check_address)]

_VALUE_SETTINGS: dict[str, bool | set[str]] = {
    "portfolio": {"time_zone", "currency"},
    "book": True,
    "windows": True,
    "quality": True,
    "health": True,
}


class HalfConfiguredError(ConfigError):
    """Of the session cookie and the export URL, one is set without the other."""

    code = "CASCADE_HALF_CONFIGURED"


class AuditHalfConfiguredError(ConfigError):
    """Of the Supabase URL and its key, one is set without the other, or two keys disagree."""

    code = "AUDIT_HALF_CONFIGURED"


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


class PortfolioSettings(Section):
    """The book a run is about."""

    name: PortfolioName
    time_zone: TimeZone
    currency: Literal["USD"]

    def yesterday(self, now: datetime) -> date:
        """Return the last day that has ended in the portfolio's time zone."""
        return now.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)


class EngineSettings(Section):
    """What DuckDB may use of the machine; none of it changes a value."""

    memory_limit: Size
    threads: AtLeastOne | None = None  # None: one a core
    max_temp_size: Size


class IngestionSettings(Section):
    """Where exports are dropped, and how much one archive may hold; none of it changes a value."""

    drop_folder: Path  # under `root_dir` unless absolute
    settle_seconds: Annotated[int, Field(ge=0, le=3_600)]
    max_members: AtLeastOne
    max_unpacked_size: Size


class CascadeSettings(Section):
    """Where Cascade's export is fetched over HTTP, and the limits of doing so."""

    session_cookie: HeaderSecret | None = None
    export_url: HeaderSecret | None = None  # its query may carry a token
    base_url: BaseUrl
    allowed_hosts: tuple[Host, ...]  # this machine is always allowed, also over http
    ca_file: File | None = None  # trusted beside the public authorities
    proxy: ProxySecret | None = None  # its URL may carry a password
    connect_seconds: ShortSeconds
    read_seconds: ShortSeconds
    total_seconds: ShortSeconds  # of one fetch, every try and wait included
    max_bytes: Size
    requests_per_minute: AtLeastOne
    max_tries: Annotated[AtLeastOne, Field(le=10)]
    breaker_failures: AtLeastOne
    breaker_seconds: Seconds

    @property
    def is_configured(self) -> bool:
        """Whether the export is fetched over HTTP: both the cookie and the URL are set.

        Raises:
            HalfConfiguredError: Only one of them is.
        """
        missing = {
            name
            for name, value in {
                "CASCADE_SESSION_COOKIE": self.session_cookie,
                "CASCADE_EXPORT_URL": self.export_url,
            }.items()
            if value is None or not value.get_secret_value()
        }
        if len(missing) == 1:
            (name,) = missing
            (other,) = {"CASCADE_SESSION_COOKIE", "CASCADE_EXPORT_URL"} - missing
            raise HalfConfiguredError(f"{other} is set, {name} is not", fix=f"export {name}=...")
        return not missing


class AuditSettings(Section):
    """Where audit rows are sent: a Supabase project over REST, or its Postgres directly."""

    url: BaseUrl | None = None
    service_role: HeaderSecret | None = None
    service_role_key: HeaderSecret | None = None  # the same by its other name
    db_url: DatabaseSecret | None = None  # outranks the URL and its key
    ca_file: File | None = None  # who signed the database's certificate; for REST one more
    connect_seconds: ShortSeconds
    send_seconds: ShortSeconds  # of one item, connecting included
    export_folder: Folder | None = None  # cold storage: each export is a folder in it

    @property
    def is_configured(self) -> bool:
        """Whether there is a store to send to.

        Raises:
            AuditHalfConfiguredError: The URL is set without a key, or a key without the URL.
        """
        return self.db_url is not None or self.rest_key() is not None

    @property
    def has_key(self) -> bool:
        """Whether the key is set, by either name."""
        return self.service_role is not None or self.service_role_key is not None

    def rest_key(self) -> str | None:
        """Return the key for the REST interface, None when neither URL nor key is set.

        Raises:
            AuditHalfConfiguredError: The URL is set without a key, a key without the URL, or
                the two names of the key hold different ones.
        """
        names = {
            "SUPABASE_SERVICE_ROLE": self.service_role,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_role_key,
        }
        found = {name: key.get_secret_value() for name, key in names.items() if key is not None}
        if len(set(found.values())) > 1:
            told = f"{' and '.join(found)} hold different keys"
            raise AuditHalfConfiguredError(told, fix="set one of them, or both to the same")
        if self.url is None and found:
            told = f"{next(iter(found))} is set, SUPABASE_URL is not"
            raise AuditHalfConfiguredError(told, fix="export SUPABASE_URL=https://...")
        if self.url is not None and not found:
            told = "SUPABASE_URL is set, SUPABASE_SERVICE_ROLE is not"
            raise AuditHalfConfiguredError(told, fix="export SUPABASE_SERVICE_ROLE=...")
        return next(iter(found.values()), None)


class DeliverySettings(Section):
    """How long what a run has to tell is sent, and when it is tried again."""

    run_seconds: Annotated[ShortSeconds, Field(le=5)]  # all that a run waits, for every receiver
    total_seconds: ShortSeconds  # of one `tapewatch deliver`: less than until the next
    retry_seconds: Seconds  # before the first retry; it doubles with each
    retry_max_seconds: Seconds
    message_cooldown_minutes: Annotated[int, Field(ge=0, le=1_440)]  # between two of one kind
    messages_a_day: (
        AtLeastOne  # of the environment; critical ones and summaries are never held back
    )
    message_days: Days  # an older message is not sent any more, and that is told


class ExporterSettings(Section):
    """Where Prometheus finds the metrics, and what it must know to get them."""

    address: Address
    port: Annotated[int, Field(ge=0, le=65_535)]  # 0: any that is free
    user: Annotated[str, StringConstraints(pattern=r"^[!-9;-~]+$")] | None = None  # no colon
    password: HeaderSecret | None = None
    cert_file: File | None = None  # PEM, the whole chain
    key_file: File | None = None
    allow_unprotected: bool  # whoever reaches the address may read every figure


class PrefectSettings(Section):
    """The Prefect server of `make serve`."""

    address: Address
    port: Annotated[int, Field(ge=1, le=65_535)]
    auth_string: HeaderSecret | None = None  # user:password; must be set beyond this machine
    kept_days: Days  # of flow runs in Prefect's own database; attempts/ keeps all of them


class BookSettings(Section):
    """When a loan leaves the live book."""

    closed_below_ratio: Annotated[Ratio, Field(lt=1)]
    written_off_after_days: Days


class WindowsSettings(Section):
    """How far back each KPI looks."""

    collection_days: Days
    rdr_event_days: Days
    rdr_workout_days: Days
    rdr_min_events: AtLeastOne
    books_months: AtLeastOne
    quiet_ledger_days: Days

    @model_validator(mode="after")
    def _events_reach_further_than_workout(self) -> Self:
        if self.rdr_event_days <= self.rdr_workout_days:
            raise ValueError("rdr_event_days must be more than rdr_workout_days")
        return self


class QualitySettings(Section):
    """What a tape may get wrong before it is rejected, and what is worth a warning."""

    max_rejected_row_ratio: Ratio
    max_rejected_balance_ratio: Ratio
    max_balance_fall_ratio: Ratio
    max_balance_rise_factor: Factor
    apr_max: Annotated[Decimal, Field(gt=0, le=1_000, decimal_places=6)]
    term_max_days: Days
    customer_id_pattern: Pattern
    loan_tape_lists_closed_loans: bool  # a loan tape without them loses loans by being paid


class HealthSettings(Section):
    """How portfolio_health scores its components: piecewise linear through [value, score]."""

    anchors: Mapping[str, Anchors]
    weights: Mapping[str, Annotated[Ratio, Field(gt=0)]]
    optional_components: tuple[str, ...]

    @model_validator(mode="after")
    def _components_agree(self) -> Self:
        if set(self.anchors) != set(self.weights):
            raise ValueError("anchors and weights must name the same components")
        if sum(self.weights.values()) != 1:
            raise ValueError("weights must add up to 1")
        if not set(self.optional_components) < set(self.weights):
            raise ValueError("optional_components must be some, not all, of the components")
        return self


class OperationsSettings(Section):
    """The lines of the pipeline's own metrics; of each but the days left, lower is better."""

    latency_minutes: Thresholds
    freshness_hours: Thresholds
    errors: Thresholds
    last_success_hours: Thresholds
    quarantined_ratio: Thresholds  # beyond quality.max_rejected_row_ratio the tape is rejected
    verification_days: Thresholds  # since everything was verified
    drill_days: Thresholds  # since the audit store's export was last restored
    credential_days: Thresholds  # that a credential has left

    @model_validator(mode="after")
    def _lines_are_in_order(self) -> Self:
        for name in type(self).model_fields:
            better = "higher" if name == "credential_days" else "lower"
            if problem := cast("Thresholds", getattr(self, name)).misplaced(better):
                raise ValueError(f"{name}: {problem}")
        return self


class AnomalySettings(Section):
    """When a KPI is unusual against its own past; none of it changes a value."""

    points: AtLeastOne  # earlier days, the newest ones, that a value is judged by
    min_points: AtLeastOne  # fewer known values among them say nothing
    factor: Factor  # how many spreads from the median are still usual
    floor_ratio: Ratio  # of the median: the spread is never taken for less

    @model_validator(mode="after")
    def _enough_points_can_count(self) -> Self:
        if self.min_points > self.points:
            raise ValueError("min_points must not be more than points")
        return self


class ShadowSettings(Section):
    """How far a shadow run may differ from the one it runs beside; none of it changes a value."""

    kpi_tolerance_ratio: Ratio  # of the reference's value; 0: to the last digit
    row_tolerance_ratio: Ratio  # of the reference's rows of a table, and bad rows of a check
    slower_factor: Factor  # a phase that takes more than so many times as long is slower ...
    slower_seconds: Seconds  # ... when it takes so much longer as well: a second is noise
    hours: AtLeastOne  # of shadow runs before a cutover


class PhaseSettings(Section):
    """How often a phase is tried again, and how long one try may take."""

    retries: Annotated[Count, Field(le=10)]
    retry_delay_seconds: Seconds  # before the first retry; it doubles with each
    timeout_seconds: Seconds


class PhasesSettings(Section):
    """One policy a phase."""

    ingestion: PhaseSettings
    transformation: PhaseSettings
    calculation: PhaseSettings
    output: PhaseSettings

    def policy(self, phase: Phase) -> PhaseSettings:
        """Return the policy of the phase with this name."""
        return cast("PhaseSettings", getattr(self, phase))


class RetentionSettings(Section):
    """How long each output is kept; `current` and the newest run of a month always are."""

    raw_days: Days
    runs_days: Days
    logs_days: Days
    quarantine_days: Days
    predecessors: Count  # runs before `current` that stay whatever their age


class MaintenanceSettings(Section):
    """How maintenance gets along with runs and with itself."""

    lock_minutes: Annotated[int, Field(ge=0, le=1_440)]  # it waits for whoever is at work
    step_minutes: Annotated[int, Field(ge=1, le=1_440)]  # one step may take


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
        folder = self.root_dir / self.ingestion.drop_folder
        if self.portfolio.name == "default":
            return folder
        return folder.with_name(f"{folder.name}-{self.portfolio.name}")

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
