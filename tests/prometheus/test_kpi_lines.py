"""Each line of each KPI of the catalogue, on it, just past it and back, through the real rules."""

import json
from decimal import Decimal

import pytest

from settings.kpis import load_catalogue
from tests.prometheus.binaries import run
from tests.prometheus.shipped import ROOT

WORSE = {"lower": "above", "higher": "below"}  # than a line, when better is ...
STEP = {"ratio": Decimal("0.000001"), "score_0_10": Decimal("0.000001")}
ALERTS = {
    "warning": "KpiBeyondWarning",
    "critical": "KpiBeyondCritical",
    "escalation": "KpiBeyondEscalation",
}
LINES = [
    pytest.param(kpi, severity, id=f"{kpi.name}-{severity}")
    for kpi in load_catalogue()
    for severity in kpi.alert or ()
]


def published(kpi):
    """What the exporter publishes of the catalogue's entry for as long as a test looks."""
    side = WORSE[kpi.direction]
    about = f'kpi="{kpi.name}",title="{kpi.title}",unit="{kpi.unit}",owner="{kpi.owner}"'
    yield f"tapewatch_kpi_info{{{about}}}", "1x30"
    for severity, line in kpi.thresholds.model_dump(exclude_none=True).items():
        labels = f'kpi="{kpi.name}",severity="{severity}",direction="{side}"'
        yield f"tapewatch_kpi_threshold{{{labels}}}", f"{line}x30"
    for severity, level in kpi.alert.items():
        labels = f'kpi="{kpi.name}",severity="{severity}",level="{level}",team="{kpi.owner}"'
        yield f"tapewatch_kpi_alert_info{{{labels}}}", "1x30"


def looked_at(kpi, severity, minute, *, fires):
    alert = f'ALERTS{{alertname="{ALERTS[severity]}",alertstate="firing"}}'
    labels = f'kpi="{kpi.name}",level="{kpi.alert[severity]}",team="{kpi.owner}"'
    return {
        "expr": f"count by (kpi, level, team) ({alert})",
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": f"{{{labels}}}", "value": 1}] if fires else [],
    }


@pytest.mark.parametrize(("kpi", "severity"), LINES)
def test_a_line_of_the_catalogue_alerts_just_past_it_and_no_more_when_back(kpi, severity, tmp_path):
    line = getattr(kpi.thresholds, severity)
    beyond = line + STEP[kpi.unit] * (1 if kpi.direction == "lower" else -1)
    value = f'tapewatch_kpi_value{{kpi="{kpi.name}",portfolio="p",basis="ledger"}}'
    series = dict(published(kpi)) | {value: f"{line} {beyond} {line}x20"}
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            looked_at(kpi, severity, 0, fires=False),
            looked_at(kpi, severity, 1, fires=True),
            looked_at(kpi, severity, 11, fires=True),  # kept for 10 minutes, then let go
            looked_at(kpi, severity, 12, fires=False),
        ],
    }
    file = tmp_path / "case.yml"
    rules = str(ROOT / "prometheus" / "rules" / "kpis.yml")
    file.write_text(
        json.dumps({"rule_files": [rules], "evaluation_interval": "1m", "tests": [case]})
    )

    done = run("promtool", "test", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr


def test_who_is_briefed_are_the_executives_of_the_kpis_that_page():
    paging = {k.name for k in load_catalogue() if {"P1", "P2"} & set((k.alert or {}).values())}

    assert paging == {k.name for k in load_catalogue() if "executive_briefing" in k.audience}
