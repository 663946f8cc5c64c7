"""What `explain` says of alerts is what Prometheus makes of the rules, over the same metrics."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from prometheus import raised
from prometheus.raised import raised_alerts
from tests.prometheus.binaries import run
from tests.prometheus.data_folder import CLEAN, MORNING, DataFolder, Scrape, kpi
from tests.prometheus.shipped import RULES, alerts
from warehouse.delivery_box import delivery_folder
from warehouse.durable import make_folder
from warehouse.verification import keep_whole, verification_file

LATER = MORNING + timedelta(hours=2)
START = 7_200  # the promtool clock begins at 0: every moment is moved so that LATER is here
LOUDER = {"KpiBeyondCritical": ("Warning",), "KpiBeyondEscalation": ("Warning", "Critical")}
SPOILT = {
    **CLEAN,
    "checks": {"float_noise": 3, "restated_past": 2},
    "quarantine": {"bad_rows": 4, "row_ratio": "0.002"},
    "reconciliation": {"matched": 39, "compared": 40},
    "restated": {"run": "x", "as_of": "2025-12-25", "changed": 2, "kpis": []},
}


WHOLE = {  # on the warning line: inside
    "par_90": "0.03",
    "collection_rate": "0.015",
    "collection_efficiency_30d": "0.9",
    "rdr_90": "0.5",
    "portfolio_health": "5",
}


def whole_book(**worse):
    return [kpi(name, value) for name, value in {**WHOLE, **worse}.items()]


def good_night(folder):
    folder.publish(*whole_book())
    folder.attempt("a1", "published")


def bad_book(folder):
    folder.publish(
        *whole_book(par_90="0.12", collection_rate="0.009", portfolio_health="4.9", rdr_90=None),
        quality=SPOILT,
    )
    folder.attempt("a1", "published", seconds=780)  # 13 minutes: beyond 12, within 15


def failed_nights(folder):
    folder.publish(*whole_book(), day=date(2025, 12, 25), sealed_at=MORNING - timedelta(days=1))
    first = MORNING - timedelta(hours=29)  # 31 h before LATER: beyond 26 h, and 30 h
    folder.attempt("a0", "published", first)
    for number in range(6):  # beyond 5
        folder.attempt(f"b{number}", "failed", MORNING + timedelta(minutes=10 * number))


def never_a_good_one(folder):
    folder.attempt("a1", "abandoned", code="ABANDONED")


def lost_seal_and_letters(folder):
    folder.publish(*whole_book())
    folder.attempt("a1", "published")
    at = verification_file(folder.layout, "production", "runs")
    keep_whole(at, {"2025-12-26-x": 1}, MORNING)
    refused = make_folder(delivery_folder(folder.layout, "production") / "audit_store" / "refused")
    (refused / "x.json").write_text("{}")


def proven_long_ago(folder):
    folder.publish(*whole_book())
    folder.attempt("a1", "published")
    for kind, days in {"runs": 9, "audit": 60, "drill": 1}.items():
        at = verification_file(folder.layout, "production", kind)
        keep_whole(at, {}, LATER - timedelta(days=days))


def never_proven(folder):
    folder.publish(*whole_book())
    for number in range(15):  # more than 14
        folder.attempt(f"a{number:02}", "published", MORNING - timedelta(hours=number + 1))


def promtool_file(scrape, expected):
    """A promtool test of the scrape's series: no alert but the expected ones may fire."""
    series = []
    for family in scrape.families:
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            value = sample.value
            if sample.name.endswith("timestamp_seconds"):
                value += START - LATER.timestamp()
            series.append({"series": f"{sample.name}{{{labels}}}", "values": f"{value!r}x200"})
    series.append({"series": 'up{job="tapewatch"}', "values": "1x200"})
    return {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": "group by (alertname, severity, level, portfolio) "
                        '(ALERTS{alertstate="firing", '
                        'alertname!~"Watchdog|KpiMissing|KpiStillBeyondEscalation"})',
                        "eval_time": f"{START}s",
                        "exp_samples": [{"labels": told, "value": 1} for told in sorted(expected)],
                    }
                ],
            }
        ],
    }


def as_labels(one):
    told = {
        "alertname": one.alert,
        "severity": one.severity,
        "level": one.level,
        "portfolio": one.portfolio,
    }
    return "{" + ", ".join(f'{name}="{value}"' for name, value in told.items() if value) + "}"


def with_milder(one):
    """The alerts that fire beside one, and that Alertmanager does not tell."""
    yield one
    if one.alert in LOUDER:
        for name in LOUDER[one.alert]:
            yield replace(
                one, alert=f"KpiBeyond{name}", severity=name.lower(), level=_level(one, name)
            )
    elif one.severity == "critical" and one.alert in ("RunMissing", "DataStale"):
        yield replace(one, severity="warning", level="P4")


def _level(one, name):
    return {"Warning": "P4", "Critical": "P2"}[name]  # PAR 90's; of the others only the warning


@pytest.mark.parametrize(
    ("night", "told"),
    [
        (good_night, set()),
        (
            bad_book,
            {
                "KpiBeyondEscalation P2",
                "KpiBeyondCritical P3",
                "KpiBeyondWarning P4",
                "KpiUnknown P4",
                "QuarantineAboveLine P4",
                "ReconciliationBroken P2",
                "RestatedPast P4",
                "RunTooLong P4",
            },
        ),
        (
            failed_nights,
            {"RunFailed P1", "RunMissing P1", "ComplianceViolation P2", "RunErrorsRepeated P4"},
        ),
        (never_a_good_one, {"RunFailed P1"}),
        (lost_seal_and_letters, {"SealBroken P2", "DeliveryRefused P3"}),
        (proven_long_ago, {"VerificationOverdue P3", "VerificationOverdue P4"}),
        (never_proven, {"VerificationMissing P4"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_alerts_that_stand_are_those_that_the_rules_raise(tmp_path, night, told):
    folder = DataFolder(tmp_path / "data")
    night(folder)

    found = raised_alerts(folder.exporter(), LATER.timestamp())

    assert {f"{one.alert} {one.level}" for one in found} == told
    firing = {as_labels(each) for one in found for each in with_milder(one)}
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(promtool_file(Scrape(folder.exporter()), firing)))
    done = run("promtool", "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_known_here_or_left_out_for_a_reason():
    of_prometheus = {"Watchdog", "ExporterDown", "ThresholdsMissing"}  # tell of the scrape itself
    that_last = {"KpiMissing", "KpiStillBeyondEscalation"}  # one moment does not show them
    source = Path(raised.__file__).read_text()

    unknown = {rule["alert"] for rule in alerts() if f'"{rule["alert"]}"' not in source}
    beyond = {f"KpiBeyond{severity}" for severity in ("Warning", "Critical", "Escalation")}
    assert unknown == of_prometheus | that_last | beyond  # the last three are put together


def test_the_lines_that_are_no_setting_are_those_of_the_rules():
    text = "\n".join(path.read_text() for path in RULES)

    assert "delivery_oldest_timestamp_seconds) > 15 * 60" in text
    assert "delivery_oldest_timestamp_seconds) > 24 * 3600" in text
    assert "tapewatch_disk_size_bytes) < 0.15" in text
    assert "tapewatch_disk_size_bytes) < 0.05" in text


@pytest.mark.parametrize(("minutes", "told"), [(15, None), (16, "P4"), (24 * 60 + 1, "P3")])
def test_a_delivery_that_waits_is_told_by_how_long_it_waits(tmp_path, minutes, told):
    folder = DataFolder(tmp_path / "data")
    folder.publish(kpi("par_90", "0.01"), files=("audit.json",))
    folder.attempt("a1", "published")

    now = MORNING + timedelta(minutes=minutes)
    found = raised_alerts(folder.exporter("audit_store"), now.timestamp())

    assert [one.level for one in found if one.alert == "DeliveryStuck"] == ([told] if told else [])
