"""Who is told of what: the runbook's table through Alertmanager's own routing."""

import json
import re

import pytest

from settings.kpis import load_catalogue
from settings.load import load_settings
from tests.prometheus.binaries import run
from tests.prometheus.shipped import ALERTMANAGER, alerts, read, routes

CONFIG = read(ALERTMANAGER)
RECEIVERS = {receiver["name"]: receiver for receiver in CONFIG["receivers"]}
OWNERS = {kpi.name: kpi.owner for kpi in load_catalogue()}
TOLD = [  # one row a rule of the runbook, and of each team's other levels
    ("par_90 critical", ["page", "executive", "risk"]),
    ("par_90 escalation", ["page", "executive", "risk"]),
    ("par_90 warning", ["risk"]),
    ("collection_rate critical", ["risk"]),
    ("collection_rate warning", ["risk"]),
    ("rdr_90 critical", ["risk"]),
    ("rdr_90 warning", ["risk"]),
    ("portfolio_health critical", ["risk"]),
    ("portfolio_health warning", ["risk"]),
    ("RunFailed critical", ["page", "devops-oncall"]),
    ("RunMissing critical", ["page", "devops-oncall"]),
    ("RunMissing warning", ["devops"]),
    ("RunTooLong critical", ["devops-oncall"]),
    ("RunTooLong warning", ["devops"]),
    ("RunErrorsRepeated critical", ["devops-oncall"]),
    ("RunErrorsRepeated warning", ["devops"]),
    ("DataStale critical", ["page", "devops-oncall"]),
    ("DataStale warning", ["devops"]),
    ("DeliveryStuck critical", ["devops-oncall"]),
    ("DeliveryStuck warning", ["devops"]),
    ("DeliveryRefused critical", ["devops-oncall"]),
    ("CredentialExpiring critical", ["devops-oncall"]),
    ("CredentialExpiring warning", ["devops"]),
    ("DiskLow critical", ["devops-oncall"]),
    ("DiskLow warning", ["devops"]),
    ("ExporterDown critical", ["devops-oncall"]),
    ("SourceUnreadable critical", ["devops-oncall"]),
    ("ThresholdsMissing critical", ["devops-oncall"]),
    ("KpiMissing critical", ["devops-oncall"]),
    ("ComplianceViolation critical", ["page", "compliance-counsel"]),
    ("SealBroken critical", ["page", "compliance-counsel"]),
    ("ReconciliationBroken critical", ["page", "compliance-counsel"]),
    ("VerificationOverdue critical", ["compliance"]),
    ("VerificationOverdue warning", ["compliance"]),
    ("VerificationMissing warning", ["compliance"]),
    ("QuarantineAboveLine critical", ["compliance"]),
    ("QuarantineAboveLine warning", ["compliance"]),
    ("RestatedPast warning", ["compliance"]),
    ("Watchdog none", ["heartbeat"]),
]
CALLED = {
    "executive": "cfo",
    "compliance-counsel": "general-counsel",
    "devops-oncall": "sre-oncall",
}
CHANNELS = {
    "risk": "#risk-monitoring",
    "executive": "#executive-briefing",
    "compliance": "#compliance-team",
    "compliance-counsel": "#compliance-team",
    "devops": "#devops-alerts",
    "devops-oncall": "#devops-alerts",
}


def labels_of(about):
    """The labels that an alert, or a KPI past one of its lines, brings to Alertmanager."""
    name, severity = about.split()
    if name in OWNERS:
        [level] = [k.alert[severity] for k in load_catalogue() if k.name == name]
        alert = f"KpiBeyond{severity.capitalize()}"
        labels = {"severity": severity, "level": level, "team": OWNERS[name], "kpi": name}
    else:
        both = [rule for rule in alerts() if rule["alert"] == name]
        [rule] = [rule for rule in both if rule["labels"]["severity"] == severity]
        alert, labels = name, rule["labels"]
        if name == "KpiMissing":
            labels = labels | {"kpi": "par_90"}
    return labels | {"alertname": alert, "portfolio": "p"}


def told(labels):
    pairs = [f"{name}={value}" for name, value in labels.items()]
    done = run("amtool", "config", "routes", "test", "--config.file", ALERTMANAGER, *pairs)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split(",")


def test_amtool_takes_the_configuration_and_its_templates():
    done = run("amtool", "check-config", ALERTMANAGER)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("about", "receivers"), TOLD, ids=[about for about, _ in TOLD])
def test_an_alert_reaches_whom_the_runbook_names(about, receivers):
    assert told(labels_of(about)) == receivers


def test_the_table_has_every_alert_at_every_severity():
    kpis = {
        f"{k.name} {s}" for k in load_catalogue() if "risk_alerts" in k.audience for s in k.alert
    }
    ours = {f"{r['alert']} {r['labels']['severity']}" for r in alerts()}
    generic = {about for about in ours if about.startswith(("KpiBeyond", "KpiStill", "KpiUnknown"))}

    rows = {about for about, _ in TOLD} | {"collection_efficiency_30d warning"}
    assert rows | {"collection_efficiency_30d critical"} == (ours - generic) | kpis


@pytest.mark.parametrize(
    ("level", "owner", "receivers"),
    [
        ("P2", "cellar", ["page", "executive", "risk"]),
        ("P3", "cellar", ["risk"]),
        ("P4", "data", ["compliance"]),
        ("P2", "data", ["page", "compliance-counsel"]),
    ],
)
def test_a_new_kpi_is_told_by_its_level_and_team_alone(level, owner, receivers):
    labels = {"alertname": "KpiBeyondCritical", "severity": "critical", "kpi": "mold"}

    assert told(labels | {"level": level, "team": owner}) == receivers


def test_an_alert_that_nobody_foresaw_still_reaches_a_channel():
    assert told({"alertname": "Surprise"}) == ["devops"]


@pytest.mark.parametrize(("name", "channel"), CHANNELS.items())
def test_a_receiver_posts_to_its_channel_and_calls_whom_the_runbook_names(name, channel):
    [slack] = RECEIVERS[name]["slack_configs"]
    mention = re.findall(r'template "tapewatch.mentions" "([\w-]+)"', slack.get("pretext", ""))

    assert slack["channel"] == channel
    assert mention == ([CALLED[name]] if name in CALLED else [])
    assert slack["send_resolved"] is True


def test_every_receiver_is_routed_to_and_every_page_ends_with_its_alert():
    assert {r["receiver"] for r in routes(CONFIG["route"])} == RECEIVERS.keys()
    [page] = RECEIVERS["page"]["pagerduty_configs"]
    assert page["send_resolved"] is True


def test_a_secret_is_a_file_with_an_absolute_path_and_nothing_else():
    text = json.dumps(CONFIG)
    files = set(re.findall(r'"(?:api_url_file|routing_key_file)": "([^"]+)"', text))

    assert files == {
        "/etc/alertmanager/secrets/heartbeat_url",
        "/etc/alertmanager/secrets/pagerduty_routing_key",
        "/etc/alertmanager/secrets/slack_compliance_team",
        "/etc/alertmanager/secrets/slack_devops_alerts",
        "/etc/alertmanager/secrets/slack_executive_briefing",
        "/etc/alertmanager/secrets/slack_risk_monitoring",
    }
    assert not re.search(r'"(api_url|slack_api_url|routing_key|service_key|url|password)":', text)
    assert "http" not in text


def test_what_slack_refused_for_its_rate_waits_no_longer_than_a_group_interval():
    intervals = [r["group_interval"] for r in routes(CONFIG["route"]) if "group_interval" in r]

    assert intervals == ["1m"]  # Alertmanager does not retry a 429 before; 5m at most


def test_p4_alone_is_silent_outside_working_hours_in_the_portfolios_own_time():
    muted = [r for r in routes(CONFIG["route"]) if "mute_time_intervals" in r]
    zone = load_settings({"TAPEWATCH_PII_KEY": "k" * 16}).portfolio.time_zone

    assert all(r["matchers"] == ['level="P4"'] for r in muted)
    assert {r["receiver"] for r in muted} == {"risk", "compliance", "devops"}
    [hours] = CONFIG["time_intervals"]
    assert {part["location"] for part in hours["time_intervals"]} == {str(zone)}
