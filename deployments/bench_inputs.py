"""`make bench-inputs`: what a ZIP, a workbook and a very large CSV cost, in one run.

Reading a ZIP is held against reading the same CSVs unpacked, a large single CSV against DuckDB's
own strict COPY of it. Each figure is of a process of its own, `deployments.bench`'s children.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from deployments.render import open_console
from warehouse.synthetic import write_tape

REAL_LOANS = 17_688
_HOME = Path("data") / "bench"
_WIDE = """
copy (
    select
        'LN-' || lpad(cast(i as varchar), 10, '0') as loan_id,
        'CLI' || (i // 40) as client_id,
        date '2025-12-10' as reporting_date,
        printf('%.2f', case when i % 10 < 3 then 0 else i % 9973 + 1.0 end) as outstanding_balance,
        case when i % 10 < 3 then 0 when i % 50 = 7 then 95 + i % 80 else i % 40 end as dpd,
        printf('%.2f', i % 9973 + 2.0) as original_balance,
        date '2025-01-01' + cast(i % 300 as integer) as origination_date,
        date '2025-12-11' + cast(i % 200 as integer) as maturity_date,
        'USD' as currency, 'Vigente' as estado, 'Ahuachapán' as departamento,
        'a remark of thirty characters' as remark_1, 'a remark of thirty characters' as remark_2,
        'a remark of thirty characters' as remark_3
    from range({rows}) as t(i)
) to '{path}' (format csv, header)
"""


def main() -> int:
    """Measure, print the table, and return 0; a figure is never judged here."""
    asked = _arguments()
    console = open_console()
    table = Table("what", "bytes", "runs", "median s", "ratio", "cpu s", "peak MB", box=None)
    _HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _folder() as folder:
        _measure_zip(console, table, asked, folder)
        _measure_workbook(table, asked, folder)
        if asked.wide_rows:
            _measure_wide(table, asked, folder)
    console.print(table)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-inputs", description=__doc__)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--wide-rows", type=int, default=0, help="60000000 make 12 GB")
    return parser.parse_args()


@contextmanager
def _folder() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="inputs-", dir=_HOME))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _measure_zip(console: Console, table: Table, asked: argparse.Namespace, folder: Path) -> None:
    tape = _HOME.parent / "synthetic" / f"{asked.loans}-seed7"
    if not tape.is_dir():
        with console.status(f"making a synthetic tape of {asked.loans:,} loans …"):
            write_tape(tape, asked.loans)
    archive = folder / "export.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(tape.glob("*.csv")):
            packed.write(path, path.name)
    figures: dict[Path, list[dict[str, float]]] = {tape: [], archive: []}
    for _ in range(asked.runs):
        for source, found in figures.items():
            found.append(_run(source, folder, "1GB"))
    plain = _seconds(figures[tape])
    _add(table, f"{asked.loans:,} loans, four CSVs", tape, figures[tape], 1.0)
    _add(table, "the same as a ZIP", archive, figures[archive], _seconds(figures[archive]) / plain)


def _measure_workbook(table: Table, asked: argparse.Namespace, folder: Path) -> None:
    book = folder / "export.xlsx"
    tape = write_tape(folder / "real", REAL_LOANS).folder
    _write_workbook(tape, book)
    for source, what in ((tape, "four CSVs"), (book, "one workbook")):
        found = [_run(source, folder, "1GB") for _ in range(asked.runs)]
        _add(table, f"{REAL_LOANS:,} loans, {what}", source, found, None)


def _write_workbook(tape: Path, book: Path) -> None:
    import csv

    import xlsxwriter  # of the development lock  # pyright: ignore[reportMissingTypeStubs]

    with xlsxwriter.Workbook(str(book), {"constant_memory": True}) as workbook:
        for path in sorted(tape.glob("*.csv")):
            sheet: Any = workbook.add_worksheet(path.stem)  # pyright: ignore[reportUnknownMemberType]
            with path.open(encoding="utf-8", newline="") as opened:
                for number, row in enumerate(csv.reader(opened)):
                    sheet.write_row(number, 0, [_value(cell) for cell in row])


def _value(cell: str) -> str | float:
    try:
        return float(cell)
    except ValueError:
        return cell


def _measure_wide(table: Table, asked: argparse.Namespace, folder: Path) -> None:
    import duckdb

    path = folder / "loan_tape.csv"
    with duckdb.connect() as db:
        db.execute(_WIDE.format(rows=asked.wide_rows, path=path))
    bare = _child("strict", path, folder, "512MB")
    _add(table, "one CSV: bare strict COPY, 512 MB", path, [bare], 1.0)
    ours = _run(path, folder, "512MB")
    _add(table, "one CSV: file to current", path, [ours], ours["seconds"] / bare["seconds"])


def _run(tape: Path, folder: Path, memory_limit: str) -> dict[str, float]:
    out = Path(tempfile.mkdtemp(prefix="out-", dir=folder))
    try:
        return _child("run", tape, out, memory_limit)
    finally:
        shutil.rmtree(out)


def _child(child: str, tape: Path, out: Path, memory_limit: str) -> dict[str, float]:
    command = [sys.executable, "-m", "deployments.bench", "--child", child, "--tape", str(tape)]
    command += ["--out", str(out), "--memory-limit", memory_limit]
    command += ["--threads", str(os.cpu_count() or 1)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    return json.loads(done.stdout)


def _seconds(figures: list[dict[str, float]]) -> float:
    return median(figure["seconds"] for figure in figures)


def _add(
    table: Table, what: str, source: Path, figures: list[dict[str, float]], ratio: float | None
) -> None:
    files = [source] if source.is_file() else list(source.glob("*.csv"))
    table.add_row(
        what,
        f"{sum(path.stat().st_size for path in files):,}",
        str(len(figures)),
        f"{_seconds(figures):.2f}",
        "" if ratio is None else f"{ratio:.2f}",
        f"{median(figure['cpu_seconds'] for figure in figures):.2f}",
        f"{median(figure['peak_mb'] for figure in figures):.0f}",
    )


if __name__ == "__main__":
    sys.exit(main())
