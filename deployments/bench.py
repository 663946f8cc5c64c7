"""`make bench`: the data path against bare DuckDB in one run: ratios, medians and peak memory.

The bare run is DuckDB's own strict, typed CSV -> Parquet COPY of the same four files, with the
same threads and memory limit. Ours is everything from the file on disk to `current`. Each is a
process of its own, the two in turn; times are taken after the imports.
"""

import argparse
import importlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from deployments.bench_kept import keep_and_compare
from deployments.render import open_console
from settings.errors import TapewatchError

Figures = dict[str, float]  # of one run of one child
Results = dict[int, dict[str, list[Figures]]]  # by loans, then by child
_MONEY = "DECIMAL(18, 2)"
_TYPES = {
    "DATE": "maturity_date application_date disburse_date pledge_date date_due date_paid "
    "reporting_date dpd_date",
    "INTEGER": "term dpd credit_bureau_score",
    "BOOLEAN": "is_writeoff",
    "DECIMAL(18, 6)": "interest_rate xchg_rate_to_usd",
    "DOUBLE": "ratio_paid",
    "VARCHAR": "loan_id loan_id_raw customer_id product_type loan_grade lender facility frequency "
    "currency loan_status amount_buckets company loan_counts term_buckets "
    "location_state_province transaction_type writeoff_type loan_ccy",
}
_COLUMN_TYPE = {name: kind for kind, names in _TYPES.items() for name in names.split()}


def main() -> int:
    """Measure, print the table, and return 0; only what --keep compares is judged."""
    asked = _arguments()
    if asked.child:
        sys.stdout.write(json.dumps(_CHILDREN[asked.child](asked)))
        return 0
    console = open_console()
    sizes = [asked.loans] + ([asked.large] if asked.large else [])
    results = {size: _measure(console, asked, size) for size in sizes}
    console.print(_table(results, asked))
    if asked.keep:
        question = {"loans": asked.loans, "threads": asked.threads, "memory": asked.memory_limit}
        seconds = _median(results[asked.loans]["run"])
        try:
            told = keep_and_compare(asked.keep, question, seconds, datetime.now(UTC))
        except TapewatchError as error:
            sys.stderr.write(f"{error.line()}\n")
            return error.exit_code
        console.print(f"file to current: {told}", markup=False)
    if asked.large:
        growth = _median(results[asked.large]["run"]) / _median(results[asked.loans]["run"])
        exponent = math.log(growth) / math.log(asked.large / asked.loans)
        console.print(f"wall time grows with rows to the power of {exponent:.2f}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=0, help="a second size, measured once")
    parser.add_argument("--keep", type=Path, help="keep the figure there, and compare the last")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--child", choices=sorted(_CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--tape", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(console: Console, asked: argparse.Namespace, loans: int) -> dict[str, list[Figures]]:
    tape = _tape(console, asked, loans)
    rounds = asked.runs if loans == asked.loans else 1
    results: dict[str, list[Figures]] = {"copy": [], "run": [], "again": []}
    for turn in range(rounds):
        with console.status(f"{loans:,} loans, round {turn + 1} of {rounds} …"), _folder() as out:
            for child in results:  # `again` runs on what `run` has published
                results[child].append(_run_child(child, asked, tape, out))
    return results


@contextmanager
def _folder() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=_home()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _home() -> Path:
    home = Path("data") / "bench"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


def _tape(console: Console, asked: argparse.Namespace, loans: int) -> Path:
    from warehouse.synthetic import write_tape

    folder = _home().parent / "synthetic" / f"{loans}-seed7"
    if not folder.is_dir():
        with console.status(f"making a synthetic tape of {loans:,} loans …"):
            write_tape(folder, loans, memory_limit=asked.memory_limit)
    return folder


def _run_child(child: str, asked: argparse.Namespace, tape: Path, out: Path) -> Figures:
    command = [sys.executable, "-m", "deployments.bench", "--child", child]
    command += ["--tape", str(tape), "--out", str(out), "--memory-limit", asked.memory_limit]
    command += ["--threads", str(asked.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    return json.loads(done.stdout)


def _copy_bare(asked: argparse.Namespace) -> Figures:
    import duckdb

    from warehouse.engine import literal
    from warehouse.tape import TAPE_TABLES

    db = duckdb.connect(config={"memory_limit": asked.memory_limit, "threads": asked.threads})
    started, cpu_before = perf_counter(), process_time()
    for table in TAPE_TABLES:
        path = asked.tape / table.file_name
        header = path.open(encoding="utf-8").readline().strip().split(",")
        columns = ", ".join(f"'{n}': '{_COLUMN_TYPE.get(n, _MONEY)}'" for n in header)
        db.execute(
            f"copy (from read_csv({literal(str(path))}, columns = {{{columns}}}, header = true, "
            f"auto_detect = false)) to {literal(str(asked.out / f'{table.source}.parquet'))} "
            "(format parquet, compression zstd)"
        )
    return _figures(started, cpu_before)


def _copy_strict(asked: argparse.Namespace) -> Figures:
    """Copy one CSV as DuckDB does it alone: fixed columns, all of them text."""
    import duckdb

    from warehouse.engine import literal

    db = duckdb.connect(config={"memory_limit": asked.memory_limit, "threads": asked.threads})
    header = asked.tape.open(encoding="utf-8").readline().strip().split(",")
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in header)
    target = asked.out / "strict.parquet"
    started, cpu_before = perf_counter(), process_time()
    db.execute(
        f"copy (from read_csv({literal(str(asked.tape))}, columns = {{{columns}}}, header = true, "
        f"auto_detect = false)) to {literal(str(target))} (format parquet, compression zstd)"
    )
    figures = _figures(started, cpu_before)
    target.unlink()
    return figures


def _run_ours(asked: argparse.Namespace) -> Figures:
    from settings.load import load_settings
    from warehouse.job import RunRequest
    from warehouse.run import Start, run_daily

    settings = load_settings(
        {
            "PIPELINE_ENV": "development",
            "TAPEWATCH_DATA_DIR": str(asked.out),
            "TAPEWATCH_ENGINE__MEMORY_LIMIT": asked.memory_limit,
            "TAPEWATCH_ENGINE__THREADS": str(asked.threads),
        }
    )
    importlib.import_module("duckdb")  # the engine does it late; it is not the data path's time

    started, cpu_before = perf_counter(), process_time()
    start = Start(uuid4().hex, datetime.now(UTC), "bench")
    run_daily(RunRequest((asked.tape,)), settings, start, lambda _name, step: step())
    return _figures(started, cpu_before)


def _figures(started: float, cpu_before: float) -> Figures:
    seconds = perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - cpu_before
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """Return the most memory this process held; ru_maxrss begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1024


_CHILDREN = {"copy": _copy_bare, "strict": _copy_strict, "run": _run_ours, "again": _run_ours}
_TITLES = {
    "copy": "bare COPY",
    "run": "file to current",
    "again": "same input again",
}


def _median(figures: list[Figures], name: str = "seconds") -> float:
    return median(figure[name] for figure in figures)


def _table(results: Results, asked: argparse.Namespace) -> Table:
    table = Table(
        "loans",
        "what",
        "runs",
        "median s",
        "min-max s",
        "x bare",
        "cpu s",
        "x bare",
        "peak MB",
        title=f"memory_limit {asked.memory_limit}, {asked.threads} threads",
        box=None,
    )
    for column in table.columns:
        column.no_wrap = True
    for loans, children in results.items():
        bare, bare_cpu = (_median(children["copy"], name) for name in ("seconds", "cpu_seconds"))
        for child, figures in children.items():
            seconds = [figure["seconds"] for figure in figures]
            table.add_row(
                f"{loans:,}",
                _TITLES[child],
                str(len(figures)),
                f"{_median(figures):.2f}",
                f"{min(seconds):.1f}-{max(seconds):.1f}",
                f"{_median(figures) / bare:.2f}",
                f"{_median(figures, 'cpu_seconds'):.2f}",
                f"{_median(figures, 'cpu_seconds') / bare_cpu:.2f}",
                f"{_median(figures, 'peak_mb'):.0f}",
            )
    return table


if __name__ == "__main__":
    sys.exit(main())
