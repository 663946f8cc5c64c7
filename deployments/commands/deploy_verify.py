"""`tapewatch deploy-verify`: the five criteria of the hour after a deployment."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from deployments.documents import print_json
from deployments.findings import Finding, failed_checks, findings_table
from deployments.render import open_console, short_path
from deployments.snapshot import deployed_at
from settings.errors import DataRejectedError, TapewatchError
from settings.kpis import kpis_by_name
from settings.model import Settings
from warehouse.attempt_folder import logged_errors
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.audit import AUDIT_STORE, audit_payload
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis
from warehouse.served import NothingPublishedError, served_run

_HOME = Path(__file__).parents[2]
_RUN = "tapewatch run"


class DeploymentNotSoundError(DataRejectedError):
    """A criterion of the first hour is not met."""

    code = "DEPLOYMENT_NOT_SOUND"


def verify_deployment(
    settings: Settings, tests: Sequence[str], *, is_tested: bool, is_json: bool
) -> None:
    """Check all five and show what was found of each.

    Args:
        settings: Of the environment that was deployed to.
        tests: Which of the tests to run; all without any.
        is_tested: Whether to run tests at all.
        is_json: Print one document instead of a table.

    Raises:
        DeploymentNotSoundError: One is not met.
        NothingPublishedError: Nothing is served yet.
    """
    run = served_run(Layout.of(settings))
    attempt = _newest_attempt(settings)
    console = open_console(stderr=True)
    findings = [
        _latency(attempt, settings),
        _kpis(run),
        _persisted(run, settings),
        _error_logs(attempt, settings),
    ]
    if is_tested:
        with console.status("running the tests; all of them take minutes …"):
            findings.insert(0, _tests(tests))
    else:
        findings.insert(0, Finding("tests", "warning", "not run: --no-tests"))
    failed = failed_checks(findings)
    if is_json:
        print_json({"is_sound": not failed, "criteria": [asdict(f) for f in findings]})
    else:
        open_console().print(findings_table(findings))
    if failed:
        told = f"{len(failed)} of {len(findings)} criteria are not met: {', '.join(failed)}"
        fix = 'do what the fix of each says, or go back: tapewatch rollback --reason "TEXT"'
        raise DeploymentNotSoundError(told, fix=fix)


def _newest_attempt(settings: Settings) -> AttemptRecord:
    """Return the newest attempt of this book that is over."""
    environment, portfolio = settings.environment, settings.portfolio.name
    ended = [
        attempt
        for attempt in list_attempts(Layout.of(settings))
        if (attempt.environment, attempt.portfolio) == (environment, portfolio)
        and attempt.status != "running"
    ]
    if not ended:
        raise NothingPublishedError("no run has ended yet", fix=f"{_RUN}, then verify again")
    return ended[-1]


def _tests(chosen: Sequence[str]) -> Finding:
    """Run the tests of this very code; what they print goes to stderr only when they fail."""
    side_by_side = () if chosen else ("-n", "auto", "--dist", "loadgroup")
    command = [sys.executable, "-m", "pytest", "-q", *side_by_side, *chosen]
    done = subprocess.run(  # noqa: S603 - pytest, with folders that the operator named
        command, cwd=_HOME, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    said = lines[-1].strip("= ") if lines else "pytest said nothing"
    of = f" ({' '.join(chosen)} alone)" if chosen else ""
    if done.returncode == 0:
        return Finding("tests", "ok", f"{said}{of}")
    sys.stderr.write(done.stdout[-10_000:] + done.stderr[-2_000:])
    fix = "make install-dev, then make test" if "No module named pytest" in done.stderr else ""
    return Finding("tests", "failed", f"{said}{of}", fix or "make test shows which, and why")


def _latency(attempt: AttemptRecord, settings: Settings) -> Finding:
    """Judge the newest run: it must have ended well, in time, and after the deployment."""
    name, target = "latency", settings.operations.latency_minutes.target
    if attempt.status != "success":
        told = f"the newest run is {attempt.status}: {attempt.log_folder}"
        return Finding(name, "failed", told, "tapewatch runs latest")
    started, ended = (
        datetime.fromisoformat(m or "") for m in (attempt.started_at, attempt.ended_at)
    )
    minutes = (ended - started).total_seconds() / 60
    since = deployed_at(settings)
    if since is not None and started < since:
        told = f"no run since the deployment of {since:%Y-%m-%d %H:%M:%SZ}"
        return Finding(name, "failed", told, f"{_RUN}, then verify again")
    told = f"the newest run took {minutes:.1f} minutes (target < {target})"
    if target is not None and minutes >= target:
        return Finding(name, "failed", told, "see docs/runbooks/RunTooLong.md")
    return Finding(name, "ok", told)


def _kpis(run: SealedRun) -> Finding:
    """Every KPI is there; one that has thresholds must have a value to hold against them."""
    name, known = "KPIs", {kpi.name: kpi for kpi in read_kpis(run)}
    missing = [kpi for kpi in kpis_by_name() if kpi not in known]
    unknown = [kpi for kpi in known.values() if kpi.value is None]
    judged = [kpi.name for kpi in unknown if kpis_by_name()[kpi.name].thresholds]
    if missing:
        told = f"{run.name} has no {', '.join(missing)}"
        return Finding(name, "failed", told, f"{_RUN} with this code")
    told = f"{len(known) - len(unknown)} of {len(known)} of {run.name} have a value"
    if not unknown:
        return Finding(name, "ok", told)
    told += f"; unknown: {', '.join(f'{kpi.name} ({kpi.reason})' for kpi in unknown)}"
    if judged:
        return Finding(name, "failed", told, "tapewatch inspect says which KPIs a tape can give")
    return Finding(name, "ok", told)


def _persisted(run: SealedRun, settings: Settings) -> Finding:
    """Ask the store whether it holds the run with these very facts; nothing is written."""
    name = "audit store"
    if not settings.audit.is_configured:
        fix = "export SUPABASE_URL and SUPABASE_SERVICE_ROLE, or SUPABASE_DB_URL"
        return Finding(name, "failed", "none is set: nothing was persisted", fix)
    from blocks.clients.audit_store import need_store

    try:
        store = need_store(settings.audit)
        asked = {**audit_payload(run), "dry_run": True}
        answer = store.record(asked, float(settings.audit.send_seconds))
    except TapewatchError as error:
        return Finding(name, "failed", error.message, error.fix)
    if answer.get("created") is not False:
        told = f"{store.address} has not got {run.name}"
        return Finding(name, "failed", told, f"tapewatch deliver; what waits: {AUDIT_STORE}")
    told = f"{store.address} holds {run.name} as it was sealed, link {answer['ledger_seq']}"
    return Finding(name, "ok", told)


def _error_logs(attempt: AttemptRecord, settings: Settings) -> Finding:
    folder = Layout.of(settings).log_runs / attempt.log_folder
    if not any(folder.glob("*.log")):
        return Finding("error logs", "failed", f"{folder} has no log", f"{_RUN}, then verify again")
    if found := logged_errors(folder):
        told = f"{short_path(folder)}: {', '.join(f'{n} in {log}' for log, n in found.items())}"
        return Finding("error logs", "failed", told, "tapewatch runs latest")
    return Finding("error logs", "ok", f"none in {short_path(folder)}")
