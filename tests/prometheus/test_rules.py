"""The rules say what they must, use no metric but ours, and fire where their tests say."""

import re

import pytest

from prometheus.metrics import METRICS, PREFIX
from tests.prometheus.binaries import run
from tests.prometheus.shipped import CONFIG, RULE_TESTS, RULES, alerts, read, rules

SUFFIXES = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
EXPORTED = {
    PREFIX + name + suffix: metric
    for name, metric in METRICS.items()
    for suffix in SUFFIXES[metric.kind]
}
COMPARES_LINES = ("kpi_line", "pipeline_line")


def one_each(name):
    return [pytest.param(rule, id=f"{rule['alert']}-{rule['labels']['severity']}") for rule in name]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_finds_nothing_to_say_about_the_rules(path):
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_configuration():
    done = run("promtool", "check", "config", "--lint-fatal", CONFIG)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rule files found" in done.stdout


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_the_rules_fire_just_past_their_line_and_end_when_back(path):
    done = run("promtool", "test", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_promtool_test_of_its_exact_text_at_each_severity():
    tested = {
        (case["alertname"], alert["exp_labels"]["severity"])
        for path in RULE_TESTS
        for group in read(path)["tests"]
        for case in group.get("alert_rule_test", ())
        for alert in case.get("exp_alerts", ())
    }

    assert tested == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}


@pytest.mark.parametrize("rule", one_each(alerts()))
def test_an_alert_says_how_bad_for_whom_what_and_where_to_read_on(rule):
    assert rule["labels"].keys() == {"severity", "level", "team"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    page = f"{{{{ $externalLabels.runbooks }}}}/{rule['alert']}.md"
    assert rule["annotations"]["runbook_url"] == page


@pytest.mark.parametrize("rule", one_each(alerts()))
def test_the_level_of_an_alert_is_that_of_the_operations_rules(rule):
    level, severity = rule["labels"]["level"], rule["labels"]["severity"]
    paging = {
        ("RunFailed", "critical"): "P1",
        ("RunMissing", "critical"): "P1",
        ("DataStale", "critical"): "P2",
        ("ComplianceViolation", "critical"): "P2",
        ("SealBroken", "critical"): "P2",
        ("ReconciliationBroken", "critical"): "P2",
    }
    other = {"critical": "P3", "warning": "P4", "none": "none"}

    if rule["alert"].startswith("Kpi") and rule["alert"] != "KpiMissing":
        assert level == "{{ $labels.level }}"  # settings/kpis.toml says
    else:
        assert level == paging.get((rule["alert"], severity), other[severity])


@pytest.mark.parametrize("rule", one_each(alerts()))
def test_kpis_and_failed_runs_are_told_at_once_and_nothing_flaps(rule):
    absences = {"KpiMissing", "ThresholdsMissing", "SourceUnreadable", "ExporterDown"}
    absences |= {"VerificationMissing"}
    late = {"KpiStillBeyondEscalation": "1h"} | dict.fromkeys(absences, "5m")

    assert rule.get("for", "0s") == late.get(rule["alert"], "0s")
    if rule["alert"] not in {*absences, "Watchdog"}:
        assert rule["keep_firing_for"] == "10m"


@pytest.mark.parametrize(("file", "rule"), rules())
def test_a_rule_uses_only_metrics_and_labels_that_are_exported_or_recorded(file, rule):
    recorded = {r["record"] for _, r in rules() if "record" in r}
    text = " ".join([rule["expr"], *rule.get("annotations", {}).values()])

    assert set(re.findall(r"tapewatch_\w+", text)) <= EXPORTED.keys()
    assert set(re.findall(r"tapewatch:[\w:]+", text)) <= recorded
    for name, matchers in re.findall(r"(tapewatch_\w+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= set(EXPORTED[name].labels)


@pytest.mark.parametrize(("file", "rule"), rules())
def test_no_rule_that_compares_with_a_published_line_holds_a_number(file, rule):
    if file == "kpis" or any(line in rule["expr"] for line in COMPARES_LINES):
        numbers = re.findall(r"(?<![\w.])\d+(?:\.\d+)?", rule["expr"])

        assert set(numbers) <= {"1"}  # one series a status: 1 is the one that holds


def test_every_metric_with_a_line_of_the_settings_alerts_at_both_severities():
    [named] = re.findall(r"\(([\w, ]+)\)", METRICS["pipeline_threshold"].help)
    compared = re.findall(
        r'pipeline_value:(?:max|min)\{metric="(\w+)"\}\s+[<>].*severity="(\w+)"',
        "\n".join(rule["expr"] for rule in alerts()),
    )

    expected = [(metric, s) for metric in named.split(", ") for s in ("critical", "warning")]
    assert sorted(compared) == sorted(expected)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_no_expression_is_a_yaml_alias(path):
    # Prometheus would take `*name` for the metric `name`: valid, and silent for ever.
    assert not re.search(r"^\s*(expr|alert|record):\s*\*", path.read_text(), re.MULTILINE)
