"""`make bench`: what a scrape of two years of daily runs costs, and whether memory stays flat.

The data folder is one real run on a small synthetic tape, told again for every day, with the
attempts that two years bring: one a day, and one more in ten that failed.
"""

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

from prometheus_client import CollectorRegistry, generate_latest

from deployments.render import open_console
from prometheus.exporter import Exporter
from settings.load import load_settings
from settings.model import Settings
from warehouse.attempt_folder import ErrorFacts, utc_text
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.audit import AUDIT_STORE
from warehouse.job import RunRequest
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST
from warehouse.outbox import Link, Outbox
from warehouse.run import Start, run_daily
from warehouse.run_folder import SealedRun, read_current
from warehouse.synthetic import write_tape

_HOME = Path("data") / "bench"
_LOANS = 300
_FAILED_EVERY = 10
_SETTLE_SECONDS = 1.2  # the exporter reads anew what changed within the last second


def main() -> int:
    """Measure, print the figures, and return 0; a figure is never judged here."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--scrapes", type=int, default=500)
    asked = parser.parse_args()
    console = open_console()
    with _data_folder(asked.days) as settings:
        layout = Layout.of(settings)
        runs, attempts = (len([*folder.iterdir()]) for folder in (layout.runs, layout.attempts))
        console.print(f"{runs:,} run folders, {attempts:,} attempts, {asked.scrapes:,} scrapes")
        for line in _figures(settings, asked.scrapes):
            console.print(line)
    return 0


def _figures(settings: Settings, scrapes: int) -> Generator[str]:
    registry = CollectorRegistry()
    registry.register(Exporter(settings, lambda line: sys.exit(line), [AUDIT_STORE]))
    yield f"the first, that reads everything: {_scrape(registry):,.0f} ms"
    _scrape(registry)
    gc.collect()
    before = _resident_mb()
    idle = [_scrape(registry) for _ in range(scrapes)]
    yield f"nothing new:        {_told(idle)}"
    layout = Layout.of(settings)
    newest = max(layout.attempts.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    changing: list[float] = []
    for _ in range(max(scrapes // 10, 2)):
        shutil.copy2(newest, other := newest.with_suffix(".tmp"))
        other.replace(newest)
        changing.append(_scrape(registry))
    yield f"an attempt changed: {_told(changing)}"
    gc.collect()
    yield f"memory: {before:,.1f} MB before, {_resident_mb():,.1f} MB after them"


def _scrape(registry: CollectorRegistry) -> float:
    started = time.perf_counter()
    generate_latest(registry)
    return (time.perf_counter() - started) * 1_000


def _told(times: list[float]) -> str:
    return f"median {median(times):.1f} ms, 99 % {quantiles(times, n=100)[98]:.1f} ms"


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [now] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(now.split()[1]) / 1024


@contextmanager
def _data_folder(days: int) -> Generator[Settings]:
    _HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = Path(tempfile.mkdtemp(prefix="exporter-", dir=_HOME))
    try:
        settings = load_settings(
            {"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root / "root")}
        )
        write_tape(root / "tape", _LOANS)
        now = datetime.now(UTC)
        start = Start(uuid4().hex, now, "bench")
        run_daily(RunRequest((root / "tape",)), settings, start, lambda _name, step: step())
        _tell_again(settings, days, now)
        time.sleep(_SETTLE_SECONDS)
        yield settings
    finally:
        shutil.rmtree(root)


def _tell_again(settings: Settings, days: int, now: datetime) -> None:
    layout = Layout.of(settings)
    served = read_current(layout)
    [record] = list_attempts(layout)
    if served is None:
        sys.exit("the run was not served")
    outbox = Outbox(layout, AUDIT_STORE, settings.environment)
    for ago in range(1, days):
        run = _run_of(layout, served, served.manifest.identity.as_of - timedelta(days=ago))
        _write_attempt(layout, replace(record, run_id=run.manifest.run_id), now, ago)
        if ago % _FAILED_EVERY == 0:
            error = ErrorFacts("QUALITY_GATE", "the tape is bad", "mend it", 65)
            failed = replace(record, status="failed", outcome=None, error=error)
            _write_attempt(layout, failed, now, ago)
    for item in outbox.pending():
        outbox.keep_receipt(item, Link(1, "0" * 64), "bench", now)


def _run_of(layout: Layout, served: SealedRun, day: date) -> SealedRun:
    identity = replace(served.manifest.identity, as_of=day)
    manifest = replace(served.manifest, identity=identity)
    folder = layout.runs / identity.folder_name
    folder.mkdir()
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return SealedRun(folder, manifest)


def _write_attempt(layout: Layout, record: AttemptRecord, now: datetime, ago: int) -> None:
    started = now - timedelta(days=ago)
    ended = started + timedelta(minutes=4)
    told = replace(
        record, attempt_id=uuid4().hex, started_at=utc_text(started), ended_at=utc_text(ended)
    )
    path = layout.attempts / f"{told.attempt_id}.json"
    path.write_bytes(pretty_json(asdict(told)))


if __name__ == "__main__":
    sys.exit(main())
