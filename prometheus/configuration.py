"""Write the shipped configuration for one machine: addresses, channels, mentions and secrets.

What is shipped beside this file runs as it is; what depends on the settings is put in here, and
nothing else is changed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from cryptography.x509 import (
    DNSName,
    ExtensionNotFound,
    IPAddress,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)

from prometheus.server import BadCertificateError
from settings.alerting import (
    ROLES,
    ROUTE_OF_SECRET,
    role_name,
    secret_files,
)
from settings.connections import ExporterSettings
from settings.model import Settings
from warehouse.durable import make_folder, replace_file

SHIPPED = Path(__file__).parent
FROM_SETTINGS = "settings.tmpl"  # the one template that is written anew

_CERTIFICATE = "exporter.pem"
_EXPORTER_PASSWORD, _PREFECT_PASSWORD = "exporter_password", "prefect_password"
_SCALED = ("for", "keep_firing_for", "group_interval", "repeat_interval")
_ONE_SECOND = ("scrape_interval", "scrape_timeout", "evaluation_interval")
# Within this an alert is silenced by another that is evaluated up to an interval later. So it must
# outlast one, and the way between the programs, which gets no shorter.
_WAIT = {"0s": "0s", "10s": "2s"}
_MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000}


@dataclass(frozen=True)
class Place:
    """Where the programs find each other, and what the secret files hold."""

    exporter: str = "127.0.0.1:9464"
    alertmanager: str = "127.0.0.1:9093"
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    pagerduty: str = ""  # its URL; that of the settings without one
    faster: int = 1  # how many times as fast the clocks run: for drills and tests alone


@dataclass(frozen=True)
class Written:
    """The two files that the programs are started with."""

    prometheus: Path
    alertmanager: Path


def settings_secrets(settings: Settings) -> dict[str, str]:
    """Return the secret files that the settings can fill, by name."""
    given = secret_files(settings.integrations)
    return {name: secret for name, secret in given.items() if secret is not None}


def write_configuration(folder: Path, settings: Settings, place: Place) -> Written:
    """Write everything that Prometheus and Alertmanager read into `folder`, private to its owner.

    Raises:
        BadCertificateError: The exporter's certificate names no server.
        StorageError: The disk refused.
    """
    for name in secret_files(settings.integrations):
        _keep(make_folder(folder / "secrets") / name, place.secrets.get(name))
    for path in sorted((SHIPPED / "templates").glob("*.tmpl")):
        replace_file(make_folder(folder / "templates") / path.name, path.read_bytes())
    text = settings_template(settings)
    replace_file(folder / "templates" / FROM_SETTINGS, text.encode())
    for path in sorted((SHIPPED / "rules").glob("*.yml")):
        _write(
            make_folder(folder / "rules") / path.name, shortened(read_shipped(path), place.faster)
        )
    for path in sorted((SHIPPED / "targets").glob("*.yml")):
        target = make_folder(folder / "targets") / path.name
        if not target.exists():  # a line that somebody has switched on stays on
            replace_file(target, path.read_bytes())
    scrape = _prometheus(read_shipped(SHIPPED / "prometheus.yml"), folder, settings, place)
    for name, password in _passwords(settings).items():
        _keep(folder / name, password)
    routes = _alertmanager(read_shipped(SHIPPED / "alertmanager.yml"), folder, settings, place)
    return Written(
        _write(folder / "prometheus.yml", shortened(scrape, place.faster)),
        _write(folder / "alertmanager.yml", shortened(routes, place.faster)),
    )


def watch_prefect(folder: Path, server: str | None) -> None:
    """Let the Prometheus that reads `folder` scrape Prefect's server at host:port, or no longer.

    Raises:
        StorageError: The disk refused.
    """
    target = make_folder(folder / "targets") / "prefect-server.yml"
    replace_file(target, f"- targets: ['{server}']\n".encode() if server else b"[]\n")


def _keep(path: Path, secret: str | None) -> None:
    """Write a secret, or remove the one of before: what is not set any more must not be used."""
    if secret is None:
        path.unlink(missing_ok=True)
    else:
        replace_file(path, secret.encode())


def _passwords(settings: Settings) -> dict[str, str | None]:
    """Return what each password file holds; a scrape names the file."""
    password, auth = settings.exporter.password, settings.prefect.auth_string
    return {
        _EXPORTER_PASSWORD: None if password is None else password.get_secret_value(),
        _PREFECT_PASSWORD: None if auth is None else auth.get_secret_value().partition(":")[2],
    }


def settings_template(settings: Settings) -> str:
    """Return the template that says whom a role is in Slack, and where a message leads."""
    alerting = settings.alerting
    calls = alerting.mentions_by == "alertmanager"
    told = [(role, alerting.mentions.mention(role) if calls else "") for role in ROLES]
    cases = [f'if eq . "{role_name(role)}" }}}}{mention}' for role, mention in told]
    mentions = "{{ " + "{{ else ".join(cases) + "{{ end }}"
    links: list[str] = []
    if alerting.grafana_url:
        links.append(f" · <{alerting.grafana_url}|Dashboards>")
    if alerting.reports_url:  # of the book that the alert is about; an alert of none has none
        page = f"{alerting.reports_url}/served/{settings.environment}-{{{{ . }}}}/report.html"
        links.append(f"{{{{ with .CommonLabels.portfolio }}}} · <{page}|Report>{{{{ end }}}}")
    return (
        "{{/* Written from the settings: who is called in Slack, by role, and where a message\n"
        "     leads. A role without an id calls nobody. */}}\n"
        f'{{{{ define "tapewatch.mentions" }}}}{mentions}{{{{ end }}}}\n'
        f'{{{{ define "tapewatch.links" }}}}{"".join(links)}{{{{ end }}}}\n'
    )


def shortened(config: dict[str, Any], faster: int) -> dict[str, Any]:
    """Return a copy whose clocks run `faster` times as fast; every scrape then takes a second."""
    return cast("dict[str, Any]", _quick("", config, faster) if faster > 1 else config)


def _quick(key: str, value: object, faster: int) -> object:
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {name: _quick(name, below, faster) for name, below in table.items()}
    if isinstance(value, list):
        return [_quick("", below, faster) for below in cast("list[object]", value)]
    if key in _ONE_SECOND:
        return "1s"
    if key == "group_wait":
        return _WAIT[str(value)]
    return _scaled(str(value), faster) if key in _SCALED else value


def _scaled(duration: str, faster: int) -> str:
    found = re.fullmatch(r"(\d+)([smh])", duration)
    assert found is not None, duration  # noqa: S101 - what we ship has no other
    return f"{int(found[1]) * _MILLISECONDS[found[2]] // faster}ms"


def read_shipped(path: Path) -> dict[str, Any]:
    """Return one of the shipped files."""
    return cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))


def _write(path: Path, config: Mapping[str, Any]) -> Path:
    text = yaml.safe_dump(dict(config), sort_keys=False, width=10_000, allow_unicode=True)
    replace_file(path, text.encode())
    return path


def _prometheus(
    config: dict[str, Any], folder: Path, settings: Settings, place: Place
) -> dict[str, Any]:
    if settings.alerting.runbooks_url:
        config["global"]["external_labels"]["runbooks"] = settings.alerting.runbooks_url
    [manager] = config["alerting"]["alertmanagers"]
    manager["static_configs"][0]["targets"] = [place.alertmanager]
    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "tapewatch"]
    job["static_configs"][0]["targets"] = [place.exporter]
    job.update(_credentials(settings.exporter, folder))
    [server] = [job for job in config["scrape_configs"] if job["job_name"] == "prefect-server"]
    if settings.prefect.auth_string is not None:
        user = settings.prefect.auth_string.get_secret_value().partition(":")[0]
        server["basic_auth"] = {"username": user, "password_file": _PREFECT_PASSWORD}
    return config


def _credentials(exporter: ExporterSettings, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if exporter.user is not None:
        told["basic_auth"] = {"username": exporter.user, "password_file": _EXPORTER_PASSWORD}
    if exporter.cert_file is not None:
        told |= {"scheme": "https", "tls_config": _trust(exporter.cert_file, folder)}
    return told


def _trust(certificate: Path, folder: Path) -> dict[str, str]:
    """Copy the exporter's certificate and ask for the name in it, wherever the exporter is."""
    try:
        pem = certificate.read_bytes()
        [first, *_] = load_pem_x509_certificates(pem)
        names = first.extensions.get_extension_for_class(SubjectAlternativeName).value
        addresses = [str(address) for address in names.get_values_for_type(IPAddress)]
        [name, *_] = [*names.get_values_for_type(DNSName), *addresses]
    except (OSError, ValueError, ExtensionNotFound):
        raise BadCertificateError(
            f"{certificate} is no certificate with a name for its server",
            fix="give a PEM certificate with a subjectAltName, the server's own first",
        ) from None
    replace_file(folder / _CERTIFICATE, pem)
    return {"ca_file": _CERTIFICATE, "server_name": name}


def _alertmanager(
    config: dict[str, Any], folder: Path, settings: Settings, place: Place
) -> dict[str, Any]:
    pagerduty = settings.integrations.pagerduty
    config["global"]["pagerduty_url"] = place.pagerduty or pagerduty.url
    for interval in config["time_intervals"]:
        for part in interval["time_intervals"]:
            part["location"] = settings.portfolio.time_zone
        if place.faster > 1:
            interval["time_intervals"] = []  # a drill is told at any hour
    for receiver in config["receivers"]:
        senders = (*receiver.get("slack_configs", ()), *receiver.get("pagerduty_configs", ()))
        for sender in senders:
            _address(sender, folder, settings)
    return config


def _address(sender: dict[str, Any], folder: Path, settings: Settings) -> None:
    """Give a sender the secret file in `folder`, and the channel that the settings name."""
    [key] = {"api_url_file", "routing_key_file"} & sender.keys()
    name = Path(sender[key]).name
    # absolute: Alertmanager would start at its working directory
    sender[key] = str((folder / "secrets" / name).absolute())
    if name in ROUTE_OF_SECRET:
        sender["channel"] = settings.integrations.slack.channel(ROUTE_OF_SECRET[name])
