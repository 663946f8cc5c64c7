"""Many sealed runs in little time: one real run, sealed again as if it were of other days."""

import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.warehouse.tape_runs import YESTERDAY, Desk, write_good
from warehouse.audit import AUDIT_FILE, write_audit
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST
from warehouse.quality import CheckResult
from warehouse.run_folder import SealedRun, seal
from warehouse.sealed_kpis import read_kpis


def real_run(root: Path) -> SealedRun:
    """Take a small tape through the whole of a run."""
    return Desk(root / "root").run(write_good(root / "tape"), as_of=YESTERDAY).sealed


def seal_days(layout: Layout, template: SealedRun, days: int) -> list[SealedRun]:
    """Seal the run anew for so many days after its own, as a run a day would have done."""
    layout.make()
    first = template.manifest.identity.as_of
    return [_seal_day(layout, template, first + timedelta(days=n), n) for n in range(days)]


def _seal_day(layout: Layout, template: SealedRun, as_of: date, number: int) -> SealedRun:
    staged = layout.staging / f"day{number}"
    shutil.copytree(template.folder, staged)
    for name in (MANIFEST, AUDIT_FILE):
        (staged / name).unlink()
    old = template.manifest
    at: datetime = old.created_at + timedelta(days=number)
    manifest = replace(old, identity=replace(old.identity, as_of=as_of), created_at=at, files={})
    kpis = tuple(_of_day(kpi, as_of) for kpi in read_kpis(template))
    checks = tuple(
        CheckResult(name, "warning", bad_rows, ())
        for name, bad_rows in old.quality["checks"].items()  # type: ignore[union-attr]
    )
    write_audit(staged, manifest, kpis, checks, None)
    rows = {name: f.rows for name, f in old.files.items() if f.rows is not None}
    return seal(layout, staged, manifest, rows)


def _of_day(kpi: KpiValue, as_of: date) -> KpiValue:
    return replace(kpi, as_of=as_of)
