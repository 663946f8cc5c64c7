"""Each drill, on the real programs: who hears what, and nobody else."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from deployments.observe.drill import DRILLS, NAMES, PORTFOLIO, set_the_scene
from deployments.observe.drill_tape import write_drill_tape
from deployments.observe.scene import scene_settings
from deployments.observe.stand_ins import stand_ins
from settings.load import load_settings
from tests.prometheus.binaries import find_binary
from warehouse.attempt_state import list_attempts
from warehouse.job import RunRequest
from warehouse.layout import Layout
from warehouse.run import Start, run_daily
from warehouse.run_folder import read_current
from warehouse.sealed_kpis import read_kpis

EXECUTIVE, RISK, DEVOPS = "#executive-briefing", "#risk-monitoring", "#devops-alerts"
SUMMARY = "#fintech-reports"
PAR_90 = "P2 critical: PAR 90 of drill is above its critical line"
HEALTH = "P4 warning: Portfolio health of drill is below its warning line"
STALE = "P2 critical: the data of drill is stale"
FAILED = "P1 critical: the last run of drill: failed"
DOWN = "P3 critical: the exporter cannot be scraped"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
HEARD = {
    "par-spike": {
        (EXECUTIVE, "@cfo", PAR_90),
        (RISK, None, PAR_90),
        (RISK, None, HEALTH),
        ("PagerDuty", None, PAR_90),
        # the run's own story, which calls nobody where Alertmanager does
        (EXECUTIVE, None, "🔴 [development] drill · PAR 90 is critical: 6.23 %"),
        (RISK, None, "🔴 [development] drill · PAR 90 is critical: 6.23 %"),
        (RISK, None, "🟡 [development] drill · Portfolio health is in warning: 4.3 / 10"),
        (
            SUMMARY,
            None,
            "🔴 [development] drill · Summary of DAY: 1 critical (PAR 90), "
            "1 warning (Portfolio health)",
        ),
    },
    "run-failed": {
        (DEVOPS, "@sre-oncall", FAILED),
        ("PagerDuty", None, FAILED),
        (DEVOPS, None, "🔥 [development] drill · The run failed in ingestion: AUTH_EXPIRED"),
    },
    "late-tape": {(DEVOPS, "@sre-oncall", STALE), ("PagerDuty", None, STALE)},
    "exporter-down": {(DEVOPS, "@sre-oncall", DOWN)},
}


@pytest.mark.slow
def test_each_drill_tells_whom_the_runbook_names_and_nobody_else(tmp_path):
    find_binary("prometheus")
    find_binary("prometheus-alertmanager")
    environment = {**os.environ, "PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(tmp_path)}
    drills = {  # they wait most of the time, so they wait together
        name: subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "deployments.cli", "drill", name, "--json"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for name in NAMES
    }  # fmt: skip
    answers = {name: drill.communicate(timeout=240) for name, drill in drills.items()}

    assert {name: drill.returncode for name, drill in drills.items()} == dict.fromkeys(NAMES, 0), {
        name: err.decode()[-2000:] for name, (_, err) in answers.items()
    }
    for name, (out, _) in answers.items():
        # on a Tuesday the briefing of Monday's run, of the day before, is still due
        told = [t for t in json.loads(out)["told"] if "Week's briefing" not in t["title"]]
        heard = {(t["where"], t["calls"], DAY.sub("DAY", t["title"])) for t in told}
        assert heard == HEARD[name]
        assert len(told) == len(HEARD[name])
        assert {t["state"] for t in told} == {"trigger"}
    assert not (tmp_path / "data" / "runs").exists()  # the operator's own data is not touched


def kpis(root, tape, day):
    settings = load_settings({"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root)})
    start = Start("a" * 32, datetime.now(UTC), "test")
    outcome = run_daily(RunRequest((tape,), day), settings, start, lambda _name, step: step())
    assert outcome.sealed.manifest.quality["reconciliation"]["matched"] > 0
    return {kpi.name: kpi for kpi in read_kpis(outcome.sealed)}


@pytest.mark.slow
def test_the_tape_of_the_spike_is_healthy_until_its_last_day(tmp_path):
    tape = write_drill_tape(tmp_path / "tape", date(2026, 3, 10))

    before, after = (
        kpis(tmp_path / day.isoformat(), tape, day) for day in (date(2026, 3, 9), date(2026, 3, 10))
    )

    assert {kpi.status for kpi in before.values()} == {"ok"}
    assert before["par_90"].value < Decimal("0.016")
    assert Decimal("0.06") < after["par_90"].value < Decimal("0.065")
    assert after["par_90"].status == "critical"
    assert after["par_90"].numerator - before["par_90"].numerator == 4 * 19_000


@pytest.mark.parametrize("hour", range(24))
def test_a_drill_is_always_played_at_three_in_the_morning(tmp_path, hour):
    now = datetime(2026, 3, 10, hour, 20, tzinfo=UTC)
    given = load_settings({"TAPEWATCH_PII_KEY": "k" * 16})
    settings = scene_settings(tmp_path, given, now, PORTFOLIO, "alertmanager")

    assert now.astimezone(ZoneInfo(settings.portfolio.time_zone)).hour == 3


def test_a_drill_keeps_the_operators_channels_and_links_and_none_of_the_secrets(tmp_path):
    given = {
        "TAPEWATCH_PII_KEY": "k" * 16,
        "SLACK_WEBHOOK_TOKEN": "T0/B0/real",
        "PAGERDUTY_ROUTING_KEY": "r" * 32,
        "TAPEWATCH_ALERTING__RUNBOOKS_URL": "https://git.example/runbooks",
        "TAPEWATCH_INTEGRATIONS__SLACK__ALERT_CHANNELS__RISK_ALERTS": "#credit",
    }
    now = datetime.now(UTC)
    played = scene_settings(tmp_path, load_settings(given), now, PORTFOLIO, "alertmanager")

    assert played.integrations.slack.channel("risk_alerts") == "#credit"
    assert played.alerting.runbooks_url == "https://git.example/runbooks"
    assert not played.integrations.slack.is_configured
    assert played.integrations.pagerduty.routing_key is None


@pytest.mark.slow
def test_the_scene_of_a_drill_is_a_fresh_healthy_run_of_a_day_ago(tmp_path):
    scene = set_the_scene(tmp_path, load_settings({"TAPEWATCH_PII_KEY": "k" * 16}))

    served = read_current(Layout.of(scene.settings))
    assert served is not None
    assert (scene.today - served.manifest.identity.as_of).days == 1
    assert 23 <= (scene.now - served.manifest.created_at).total_seconds() / 3600 <= 24


@pytest.mark.slow
def test_the_failed_run_of_the_drill_fails_because_the_session_has_expired(tmp_path):
    scene = set_the_scene(tmp_path, load_settings({"TAPEWATCH_PII_KEY": "k" * 16}))

    with stand_ins(frozenset()) as heard:  # Slack is not set here, so nobody is told
        DRILLS["run-failed"].play(scene, SimpleNamespace(heard=heard), None)

    newest = list_attempts(Layout.of(scene.settings))[-1]
    assert (newest.status, newest.error.code) == ("failed", "AUTH_EXPIRED")
