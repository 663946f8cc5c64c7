"""`make bench-backfill`: what the month ends of a large tape cost, worked out from one sealed run.

The tape is published once, aside. Then `tapewatch backfill` works out every month end of its
ledger, once more finds nothing to do, and `tapewatch history` reads all of it: each is a process of
its own, start and imports included.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from rich.table import Table

from deployments.render import open_console
from warehouse.synthetic import write_tape

_HOME = Path("data") / "bench"


def main() -> int:
    """Measure, print the table, and return 0; a figure is never judged here."""
    parser = argparse.ArgumentParser(prog="make bench-backfill", description=__doc__)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--every", choices=("month", "week"), default="month")
    parser.add_argument("--memory-limit", default="1GB")
    asked = parser.parse_args()
    console = open_console()
    _HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    tape = _HOME.parent / "synthetic" / f"{asked.loans}-seed7"
    if not tape.is_dir():
        with console.status(f"making a synthetic tape of {asked.loans:,} loans …"):
            write_tape(tape, asked.loans)
    root = Path(tempfile.mkdtemp(prefix="backfill-", dir=_HOME))
    environment = {
        "PATH": os.environ["PATH"],
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "TAPEWATCH_ENGINE__MEMORY_LIMIT": asked.memory_limit,
    }
    table = Table("what", "seconds", "cpu s", "peak MB", title=f"{asked.loans:,} loans", box=None)
    try:
        _run(environment, table, "file to current", "run", "--input", str(tape))
        for what in ("backfill", "the same again"):
            _run(environment, table, what, "backfill", "--every", asked.every)
        _run(environment, table, "history: all of it read", "history")
    finally:
        shutil.rmtree(root)
    console.print(table)
    return 0


def _run(environment: dict[str, str], table: Table, what: str, *arguments: str) -> None:
    """Run one command of ours to its end, and add its row to the table."""
    command = [sys.executable, "-m", "deployments.cli", *arguments, "--json"]
    started = perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, env=environment, stdout=out)  # noqa: S603 - our own module
        _, status, used = os.wait4(process.pid, 0)
        seconds = perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # waited for here, not by Popen
        out.seek(0)
        told = json.load(out) if process.returncode == 0 else sys.exit(process.returncode)
    if "new" in told:
        what = f"{what}: {len(told['new'])} of {len(told['days'])} days"
    cpu = used.ru_utime + used.ru_stime
    table.add_row(what, f"{seconds:.1f}", f"{cpu:.1f}", f"{used.ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    sys.exit(main())
