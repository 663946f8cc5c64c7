"""`tapewatch doctor`: every setting and dependency, with a fix for each that is wrong."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from deployments.commands.deliver import refused_line
from deployments.documents import print_json
from deployments.findings import Finding, failed_checks, findings_table
from deployments.render import open_console
from settings.alerting import ROUTES
from settings.errors import ConfigError, TapewatchError
from settings.kpis import kpis_by_name
from settings.load import describe_settings, load_settings
from settings.model import Settings
from settings.register import list_credentials
from settings.tracing import is_traced
from warehouse.attempt_state import list_attempts
from warehouse.audit import AUDIT_STORE
from warehouse.delivery_boxes import open_box
from warehouse.engine import one_row, open_engine, sql_names
from warehouse.layout import Layout, preflight
from warehouse.message_box import channel_name
from warehouse.run_folder import read_current
from warehouse.verify import check_folder

_LOCK_FILE = Path(__file__).parents[2] / "requirements.txt"
_PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==([^ ;]+)( ;[^\\]+)? \\$", re.MULTILINE)
_PYTHON_FROM, _PYTHON_BEFORE = (3, 11), (3, 15)
_REINSTALL = "pip install -r requirements.txt, in a fresh environment if that is not enough"


class DoctorError(ConfigError):
    """Something that a run needs is missing or wrong."""

    code = "DOCTOR"


def examine(*, is_json: bool) -> None:
    """Check everything a run needs and show what was found.

    Raises:
        DoctorError: A check failed.
    """
    findings = [*_machine(), *_settings()]
    failed = failed_checks(findings)
    if is_json:
        print_json({"is_healthy": not failed, "checks": [asdict(f) for f in findings]})
    else:
        open_console().print(findings_table(findings))
    if failed:
        said = f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}"
        raise DoctorError(said, fix="do what the fix of each says, then run it again")


def _machine() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    is_known = _PYTHON_FROM <= sys.version_info[:2] < _PYTHON_BEFORE
    fix = "" if is_known else "use Python 3.11 to 3.14"
    yield Finding("python", "ok" if is_known else "failed", python, fix)
    yield _packages()
    yield _installed("prefect", "duckdb", "pyarrow")
    yield _sql_files()


def _packages() -> Finding:
    if not _LOCK_FILE.is_file():
        return Finding("packages", "warning", "no lock beside the code to compare with", _REINSTALL)
    pins = _PIN.findall(_LOCK_FILE.read_text(encoding="utf-8"))
    wrong: list[str] = []
    for name, pinned, marker in pins:
        found = _version(name)
        if found != pinned and not (found is None and marker):
            wrong.append(f"{name} {found or 'missing'} not {pinned}")
    if not wrong:
        return Finding("packages", "ok", f"{len(pins)} at their locked versions")
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return Finding("packages", "failed", ", ".join(wrong[:3]) + more, _REINSTALL)


def _installed(*names: str) -> Finding:
    """Look packages up without importing them: Prefect's import costs seconds."""
    found = {name: _version(name) for name in names}
    missing = [name for name, known in found.items() if known is None]
    if missing:
        return Finding("libraries", "failed", f"missing: {', '.join(missing)}", _REINSTALL)
    return Finding("libraries", "ok", ", ".join(f"{name} {known}" for name, known in found.items()))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _sql_files() -> Finding:
    names, files = {*kpis_by_name()}, set(sql_names("kpi"))
    if names == files:
        return Finding("catalogue", "ok", f"{len(names)} KPIs, each with its SQL")
    odd = ", ".join(sorted(names ^ files))
    return Finding(
        "catalogue", "failed", f"without its other half: {odd}", "install Tapewatch again"
    )


def _settings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except TapewatchError as error:
        yield Finding("settings", "failed", error.message, error.fix)
        return
    rows = describe_settings()
    changed = [row.variable for row in rows if row.source.startswith("env ")]
    told = f"{settings.environment}, {len(rows)} settings, from the environment: "
    yield Finding("settings", "ok", told + (", ".join(changed) or "none"))
    yield Finding("masking key", "ok", f"key {settings.pii_key_id()}")
    for name, check in _RUN_CHECKS.items():
        try:
            yield check(settings)
        except TapewatchError as error:
            yield Finding(name, "failed", error.message, error.fix)


def _data_folder(settings: Settings) -> Finding:
    layout = Layout.of(settings)
    preflight(layout, 0)
    free = shutil.disk_usage(layout.data).free
    told = f"{layout.data} is writable, one file system, {free / (1 << 30):,.1f} GB free"
    return Finding("data folder", "ok", told)


def _source(settings: Settings) -> Finding:
    """Judge where a run without --input takes its export from; nobody is asked for it."""
    if not settings.cascade.is_configured:
        told = f"Cascade is not configured: exports are taken from {settings.drop_folder}"
        return Finding("source", "ok", told)
    from blocks.clients.export_url import export_url  # httpx: only where it is needed

    return Finding("source", "ok", f"Cascade at {export_url(settings.cascade).host}")


def _audit_store(settings: Settings) -> Finding:
    """Write a run to the store and roll it back."""
    if not settings.audit.is_configured:
        told = "none is set: the facts of every run are in its run folder"
        return Finding("audit store", "ok", told)
    from blocks.clients.audit_store import need_store, probe

    store = need_store(settings.audit)
    seconds = probe(store, settings.environment, float(settings.audit.send_seconds))
    told = f"{store.address}: found, trusted, key accepted, a run written and rolled back"
    return Finding("audit store", "ok", f"{told} in {seconds:.1f} s")


def _slack(settings: Settings) -> Finding:
    """Tell which channels can be reached; nothing is posted to find out."""
    slack = settings.integrations.slack
    if not slack.is_configured:
        return Finding("slack", "ok", "not set: nobody is told there")
    channels = {route: slack.channel(route) for route in ROUTES}
    lost = [route for route in ROUTES if not slack.has_way(route)]
    if lost:
        told = f"nothing leads to {', '.join(channels[route] for route in lost)}"
        return Finding("slack", "warning", told, f"export SLACK_WEBHOOK_{lost[0].upper()}=...")
    return Finding("slack", "ok", f"leads to {', '.join(channels.values())}")


def _deliveries(settings: Settings) -> Finding:
    slack = settings.integrations.slack
    names = [AUDIT_STORE] if settings.audit.is_configured else []
    names += [channel_name(route) for route in ROUTES if slack.has_way(route)]
    if not names:
        return Finding("deliveries", "ok", "nobody is told: no receiver is set")
    found = [_backlog(name, settings) for name in names]
    late = [finding for finding in found if finding.verdict != "ok"]
    if not late:
        return found[0] if len(found) == 1 else Finding("deliveries", "ok", "nothing is pending")
    told = "; ".join(finding.found for finding in late)
    return Finding("deliveries", "warning", told, late[0].fix)


def _backlog(name: str, settings: Settings) -> Finding:
    backlog = open_box(Layout.of(settings), name, settings.environment).backlog()
    told = f"{name}: {backlog.pending:,} pending"
    if backlog.refused:
        told += f", refused {refused_line(backlog)}"
        fix = "audit verify" if name == AUDIT_STORE else "deliver --retry-refused, once mended"
        return Finding("deliveries", "warning", told, f"tapewatch {fix}")
    hours = 0.0
    if backlog.oldest is not None:
        hours = (datetime.now(UTC) - backlog.oldest).total_seconds() / 3600
    if hours > 0:  # a message may wait for its time
        why = f" ({backlog.state.code})" if backlog.state.code else ""
        told += f", the oldest for {hours:,.1f} h{why}"
        return Finding("deliveries", "warning", told, "tapewatch deliver")
    return Finding("deliveries", "ok", told)


def _traces(_settings: Settings) -> Finding:
    """Send the collector a request without a span: a run says nothing of one that is down."""
    if not is_traced():
        return Finding("traces", "ok", "OTEL_EXPORTER_OTLP_ENDPOINT is not set: none are made")
    from blocks.clients.traces import is_collected

    if is_collected():
        return Finding("traces", "ok", "the collector takes them")
    fix = "see whether it is up, and OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS; runs go on without"
    return Finding("traces", "warning", "the collector took none", fix)


def _credentials(settings: Settings) -> Finding:
    held, now = list_credentials(settings), datetime.now(UTC)
    statuses = {one: one.status(now, settings.operations.credential_days) for one in held}
    ending = [
        f"{one.name} has {'ended' if (days or 0) < 0 else f'{days} days left'}"
        for one, status in statuses.items()
        for days in [one.days_left(now)]
        if status in ("warning", "critical")
    ]
    undated = [one.name for one, status in statuses.items() if status == "unknown"]
    if ending:
        fix = "replace each, then say when: `tapewatch credentials`"
        return Finding("credentials", "warning", ", ".join(ending), fix)
    if undated:
        told = f"nobody has said when these were set, so nothing tells: {', '.join(undated)}"
        fix = f"""export TAPEWATCH_CREDENTIALS__SET_ON='{{"{undated[0]}": "YEAR-MONTH-DAY"}}'"""
        return Finding("credentials", "warning", told, fix)
    return Finding("credentials", "ok", f"{len(held)} in use, none ends soon")


def _engine(settings: Settings) -> Finding:
    sql = "select current_setting('threads'), current_setting('memory_limit')"
    with (
        TemporaryDirectory(prefix="tapewatch-") as spill,
        open_engine(settings.engine, Path(spill), ()) as db,
    ):
        facts = one_row(db, sql, {})
    return Finding("engine", "ok", f"answers, {facts[0]} threads, {facts[1]} of memory")


def _writer(settings: Settings) -> Finding:
    """Read who is at work from the attempts: to try the lock could make a run find it taken."""
    layout = Layout.of(settings)
    running = [attempt for attempt in list_attempts(layout) if attempt.status == "running"]
    left = [path.name for path in layout.staging.glob("*")]
    if running:
        told = f"attempt {running[-1].attempt_id} is running since {running[-1].started_at}"
        return Finding("writer", "ok", f"{told}, or died: then the next run cleans up after it")
    if left:
        told = f"staging holds {', '.join(left[:3])} of a run that died"
        return Finding("writer", "warning", told, "none: the next run removes it")
    return Finding("writer", "ok", "no run is at work")


def _served(settings: Settings) -> Finding:
    run = read_current(Layout.of(settings))
    if run is None:
        return Finding("served run", "warning", "none is published", "tapewatch run --input PATH")
    check_folder(run.folder)
    return Finding("served run", "ok", f"{run.name}, every byte as it was sealed")


def _last_success(settings: Settings) -> Finding:
    ended = [
        datetime.fromisoformat(attempt.ended_at)
        for attempt in list_attempts(Layout.of(settings))
        if attempt.status == "success" and attempt.ended_at is not None
    ]
    if not ended:
        return Finding("last success", "warning", "never", "tapewatch run --input PATH")
    lines = settings.operations.last_success_hours
    hours = (datetime.now(UTC) - max(ended)).total_seconds() / 3600
    told = f"{hours:,.1f} h ago (warning > {lines.warning} h, critical > {lines.critical} h)"
    if lines.status(hours, "lower") == "ok":
        return Finding("last success", "ok", told)
    return Finding("last success", "warning", told, "see `tapewatch runs` for what failed since")


_RUN_CHECKS: dict[str, Callable[[Settings], Finding]] = {
    "data folder": _data_folder,
    "source": _source,
    "audit store": _audit_store,
    "slack": _slack,
    "deliveries": _deliveries,
    "traces": _traces,
    "credentials": _credentials,
    "engine": _engine,
    "writer": _writer,
    "served run": _served,
    "last success": _last_success,
}
