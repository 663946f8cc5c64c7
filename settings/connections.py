"""What is asked, and who is told: Cascade, the audit store, deliveries, exporter, Prefect."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
)

from settings.errors import ConfigError
from settings.value_types import (
    AtLeastOne,
    BaseUrl,
    DatabaseSecret,
    Days,
    File,
    Folder,
    HeaderSecret,
    Host,
    ProxySecret,
    Seconds,
    Section,
    ShortSeconds,
    Size,
)


def _check_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address, such as 127.0.0.1 or 0.0.0.0") from None


Address = Annotated[str, AfterValidator(_check_address)]


class HalfConfiguredError(ConfigError):
    """Of the session cookie and the export URL, one is set without the other."""

    code = "CASCADE_HALF_CONFIGURED"


class AuditHalfConfiguredError(ConfigError):
    """Of the Supabase URL and its key, one is set without the other, or two keys disagree."""

    code = "AUDIT_HALF_CONFIGURED"


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
