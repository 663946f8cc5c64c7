"""What is written for one machine is what is shipped, but for what the settings say."""

import json
import re
from pathlib import Path

import pytest

from prometheus.configuration import (
    FROM_SETTINGS,
    Place,
    settings_secrets,
    settings_template,
    shortened,
    watch_prefect,
    write_configuration,
)
from prometheus.server import BadCertificateError
from settings.load import load_settings
from tests.certificates import make_certificate
from tests.prometheus.binaries import run
from tests.prometheus.shipped import ALERTMANAGER, CONFIG, ROOT, RULES, TEMPLATES, read

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
HOOK = "https://hooks.slack.com/services/T0/B0/"
SECRETS = {
    "SLACK_WEBHOOK_RISK_ALERTS": f"{HOOK}risk",
    "SLACK_WEBHOOK_EXECUTIVE_BRIEFING": f"{HOOK}executive",
    "SLACK_WEBHOOK_COMPLIANCE_UPDATES": f"{HOOK}compliance",
    "SLACK_WEBHOOK_PIPELINE_FAILURES": f"{HOOK}devops",
    "PAGERDUTY_ROUTING_KEY": "p" * 32,
    "TAPEWATCH_INTEGRATIONS__HEARTBEAT_URL": "https://beat.example/x",
}

GUARDED = {"TAPEWATCH_EXPORTER__USER": "scraper", "TAPEWATCH_EXPORTER__PASSWORD": "a password"}


def written(folder, *, exporter="127.0.0.1:9464", faster=1, **variables):
    settings = load_settings(KEY | variables)
    place = Place(exporter, secrets=settings_secrets(settings), faster=faster)
    return write_configuration(folder, settings, place)


def differences(shipped, made, path=()):
    """Every place where two files differ, with what each has there."""
    if isinstance(shipped, dict) and isinstance(made, dict) and shipped.keys() == made.keys():
        for key in shipped:
            yield from differences(shipped[key], made[key], (*path, key))
    elif isinstance(shipped, list) and isinstance(made, list) and len(shipped) == len(made):
        for place, (one, other) in enumerate(zip(shipped, made, strict=True)):
            yield from differences(one, other, (*path, place))
    elif shipped != made:
        yield path, shipped, made


@pytest.mark.parametrize("path", [CONFIG, ALERTMANAGER, *RULES], ids=lambda path: path.name)
def test_faster_clocks_change_clocks_and_nothing_else(path):
    changed = {place[-1] for place, _, _ in differences(read(path), shortened(read(path), 100))}

    assert changed <= {
        "for", "keep_firing_for", "group_wait", "group_interval", "repeat_interval",
        "scrape_interval", "scrape_timeout", "evaluation_interval",
    }  # fmt: skip
    assert changed


def test_by_the_default_settings_only_the_places_of_secrets_differ(tmp_path):
    made = written(tmp_path, **SECRETS)

    assert list(differences(read(CONFIG), read(made.prometheus))) == []
    for path in RULES:
        assert read(tmp_path / "rules" / path.name) == read(path)
    [added] = differences(read(ALERTMANAGER)["global"], read(made.alertmanager)["global"])
    assert added[2]["pagerduty_url"] == "https://events.pagerduty.com/v2/enqueue"
    others = {
        place[-1]
        for place, _, _ in differences(read(ALERTMANAGER), read(made.alertmanager))
        if place != ("global",)
    }
    assert others == {"api_url_file", "routing_key_file"}


def test_every_secret_file_is_there_absolute_private_and_as_the_settings_have_it(tmp_path):
    made = written(tmp_path, **SECRETS)

    named = re.findall(r"(?:api_url_file|routing_key_file): (\S+)", made.alertmanager.read_text())
    held = {Path(file).name: Path(file).read_text() for file in named}
    assert sorted(held.values()) == sorted(SECRETS.values())
    assert all(Path(file).is_absolute() for file in named)
    assert {Path(file).stat().st_mode & 0o777 for file in named} == {0o600}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            assert not any(secret in path.read_text() for secret in SECRETS.values())


def test_the_programs_take_what_is_written(tmp_path):
    made = written(
        tmp_path,
        TAPEWATCH_ALERTING__MENTIONS_BY="alertmanager",
        TAPEWATCH_ALERTING__MENTIONS__CFO="U0CFO",
        TAPEWATCH_ALERTING__RUNBOOKS_URL="https://git.example/runbooks",
        **GUARDED,
        **SECRETS,
    )

    for done in (
        run("promtool", "check", "config", made.prometheus),
        run("amtool", "check-config", made.alertmanager),
    ):
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_target_that_was_switched_on_stays_on(tmp_path):
    shipped = {path.name: path.read_text() for path in (ROOT / "prometheus/targets").iterdir()}
    written(tmp_path)
    first = {path.name: path.read_text() for path in (tmp_path / "targets").iterdir()}
    switched = "- targets: ['127.0.0.1:4200']\n"
    (tmp_path / "targets" / "prefect-server.yml").write_text(switched)

    written(tmp_path)

    assert first == shipped
    assert (tmp_path / "targets" / "prefect-server.yml").read_text() == switched


def test_a_channel_that_the_settings_name_replaces_the_shipped_one(tmp_path):
    name = "TAPEWATCH_INTEGRATIONS__SLACK__ALERT_CHANNELS__RISK_ALERTS"
    made = written(tmp_path, **{name: "#credit"})

    slack = [
        sender["channel"]
        for receiver in read(made.alertmanager)["receivers"]
        for sender in receiver.get("slack_configs", ())
        if "channel" in sender
    ]
    assert "#credit" in slack
    assert "#risk-monitoring" not in slack


def test_the_runbooks_and_the_exporter_are_where_the_settings_say(tmp_path):
    config = read(
        written(
            tmp_path,
            exporter="exporter:9464",
            TAPEWATCH_ALERTING__RUNBOOKS_URL="https://git.example/runbooks",
            **GUARDED,
        ).prometheus
    )

    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "tapewatch"]
    assert job["static_configs"] == [{"targets": ["exporter:9464"]}]
    assert job["basic_auth"] == {"username": "scraper", "password_file": "exporter_password"}
    assert (tmp_path / "exporter_password").read_text() == "a password"
    assert "scheme" not in job
    assert config["global"]["external_labels"]["runbooks"] == "https://git.example/runbooks"


def test_prefects_own_metrics_are_scraped_where_a_server_runs_with_its_password(tmp_path):
    watch_prefect(tmp_path, "127.0.0.1:4200")
    auth = {"TAPEWATCH_PREFECT__AUTH_STRING": "admin:a password"}
    made = written(tmp_path, **auth)

    [job] = [
        job
        for job in read(made.prometheus)["scrape_configs"]
        if job["job_name"] == "prefect-server"
    ]
    assert read(tmp_path / "targets" / "prefect-server.yml") == [{"targets": ["127.0.0.1:4200"]}]
    assert job["basic_auth"] == {"username": "admin", "password_file": "prefect_password"}
    assert (tmp_path / "prefect_password").read_text() == "a password"


def test_quiet_hours_are_those_of_the_portfolio(tmp_path):
    made = written(tmp_path, TAPEWATCH_PORTFOLIO__TIME_ZONE="Europe/Madrid")

    text = made.alertmanager.read_text()
    assert "Europe/Madrid" in text
    assert "El_Salvador" not in text


def test_the_shipped_template_is_the_one_of_the_default_settings():
    assert (TEMPLATES / FROM_SETTINGS).read_text() == settings_template(load_settings(KEY))


def rendered(tmp_path, template, data=None, **variables):
    written(tmp_path, **variables)
    about = []
    if data is not None:
        (tmp_path / "data.json").write_text(json.dumps(data))
        about = ["--template.data", tmp_path / "data.json"]
    done = run(
        "amtool", "template", "render",
        "--template.glob", tmp_path / "templates" / "*.tmpl",
        "--template.text", template, *about,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


MENTIONS = {
    "TAPEWATCH_ALERTING__MENTIONS__CFO": "U0CFO",
    "TAPEWATCH_ALERTING__MENTIONS__GENERAL_COUNSEL": "S0GC",
}


@pytest.mark.parametrize(
    ("role", "called"),
    [("cfo", "<@U0CFO>"), ("general-counsel", "<!subteam^S0GC>"), ("sre-oncall", "")],
)
def test_alertmanager_calls_whom_the_settings_name(tmp_path, role, called):
    template = f'{{{{ template "tapewatch.mentions" "{role}" }}}}'
    by = {"TAPEWATCH_ALERTING__MENTIONS_BY": "alertmanager"}

    assert rendered(tmp_path, template, **by, **MENTIONS) == called


@pytest.mark.parametrize("role", ["cfo", "general-counsel", "sre-oncall"])
def test_alertmanager_calls_nobody_when_the_flow_does(tmp_path, role):
    template = f'{{{{ template "tapewatch.mentions" "{role}" }}}}'

    assert rendered(tmp_path, template, **MENTIONS) == ""


def test_every_role_that_a_receiver_calls_is_one_of_the_settings():
    used = set(re.findall(r'tapewatch.mentions" "([\w-]+)"', ALERTMANAGER.read_text()))
    known = set(re.findall(r'eq \. "([\w-]+)"', (TEMPLATES / FROM_SETTINGS).read_text()))

    assert used == known


def test_a_message_leads_to_the_dashboards_and_to_what_its_own_book_serves(tmp_path):
    links = {
        "TAPEWATCH_ALERTING__GRAFANA_URL": "https://grafana.example",
        "TAPEWATCH_ALERTING__REPORTS_URL": "https://files.example/logs",
    }
    template = '{{ template "tapewatch.text" . }}'
    notes = {"description": "told.", "runbook_url": "https://docs.example"}
    alert = {"status": "firing", "labels": {}, "annotations": notes}
    firing = {"status": "firing", "alerts": [alert], "commonLabels": {}}
    of_a_book = firing | {"commonLabels": {"portfolio": "retail_2"}}
    both = "told.\n<https://docs.example|Runbook> · <https://grafana.example|Dashboards>"

    assert rendered(tmp_path, template, firing, **links) == both
    assert rendered(tmp_path, template, of_a_book, **links) == (
        f"{both} · <https://files.example/logs/served/production-retail_2/report.html|Report>"
    )


@pytest.mark.parametrize("name", ["DNS:metrics.example", "IP:127.0.0.1"])
def test_an_exporter_with_tls_is_asked_for_the_name_in_its_certificate(tmp_path, name):
    certificate = make_certificate(tmp_path, name)
    given = {
        "TAPEWATCH_EXPORTER__CERT_FILE": str(certificate.file),
        "TAPEWATCH_EXPORTER__KEY_FILE": str(certificate.key),
    }
    made = written(tmp_path / "made", **given)

    [job] = [j for j in read(made.prometheus)["scrape_configs"] if j["job_name"] == "tapewatch"]
    assert job["scheme"] == "https"
    assert job["tls_config"] == {"ca_file": "exporter.pem", "server_name": name.split(":")[1]}
    assert (tmp_path / "made" / "exporter.pem").read_bytes() == certificate.file.read_bytes()


def test_a_certificate_that_is_none_is_named(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    given = {
        "TAPEWATCH_EXPORTER__CERT_FILE": str(tmp_path / "cert.pem"),
        "TAPEWATCH_EXPORTER__KEY_FILE": str(tmp_path / "cert.pem"),
    }

    with pytest.raises(BadCertificateError, match=r"cert\.pem is no certificate"):
        written(tmp_path / "made", **given)


def test_a_secret_that_is_not_set_any_more_is_not_used_any_more(tmp_path):
    auth = {"TAPEWATCH_PREFECT__AUTH_STRING": "admin:a password"}
    written(tmp_path, **SECRETS, **GUARDED, **auth)

    written(tmp_path)

    assert list((tmp_path / "secrets").iterdir()) == []
    assert not (tmp_path / "exporter_password").exists()
    assert not (tmp_path / "prefect_password").exists()
