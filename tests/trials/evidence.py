"""Judge a data folder from outside: files, hashes and a bare DuckDB, and no code of ours.

Every function returns what is wrong, one line each; nothing wrong is an empty list.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

Table = tuple[tuple[str, ...], tuple[str, ...]]  # columns with their types, and the sorted rows


@dataclass(frozen=True)
class Expected:
    """What the trials must find: the old run as it was, and the never-killed new one."""

    old_run: str
    new_run: str
    old_files: dict[str, str] = field(repr=False)
    new_tables: dict[str, Table] = field(repr=False)
    new_kpis: Any = field(repr=False)


def expect(before: Path, after: Path) -> Expected:
    """Learn from a data folder before and after a run that nothing disturbed."""
    old, new = served(before), served(after)
    run = after / "data/runs" / new
    return Expected(old, new, files(before / "data/runs" / old), tables(run), manifest(run)["kpis"])


def after_kill(root: Path, expected: Expected) -> list[str]:
    """What is torn or lost while the killed run lies there."""
    found = unsound(root)
    if served(root) not in {expected.old_run, expected.new_run} & run_names(root):
        found.append(f"served: {served(root)!r} is neither the old run nor the new one")
    strange = run_names(root) - {expected.old_run, expected.new_run}
    found += [f"runs: {name} should not be there" for name in sorted(strange)]
    if files(root / "data/runs" / expected.old_run) != expected.old_files:
        found.append("lost: the old run is not what it was")
    return found


def after_heal(root: Path, expected: Expected, died: set[str]) -> list[str]:
    """What the run after the killed one has not put right."""
    found = after_kill(root, expected)
    if served(root) != expected.new_run:
        return [*found, f"served: {served(root)!r} is not the new run"]
    if run_names(root) != {expected.old_run, expected.new_run}:
        found.append(f"runs: {sorted(run_names(root))}")
    run = root / "data/runs" / expected.new_run
    found_tables = tables(run)
    found += [
        f"tables: {name} differs from the never-killed run"
        for name in sorted(expected.new_tables.keys() | found_tables.keys())
        if expected.new_tables.get(name) != found_tables.get(name)
    ]
    if manifest(run)["kpis"] != expected.new_kpis:
        found.append("kpis: a value differs from the never-killed run")
    return [*found, *_left_over(root), *_attempts_untold(root, died)]


def unsound(root: Path) -> list[str]:
    """Runs that are not what their manifest says, kept inputs that are not what their name says."""
    found = [problem for run in _folders(root / "data/runs") for problem in _torn(run)]
    for kept in (root / "data/raw").glob("*/*"):
        if _sha256(kept) != kept.parent.name:
            found.append(f"torn: raw {kept.name} is not what its folder says")
    return found


def _torn(run: Path) -> list[str]:
    try:
        sealed = {name: facts["sha256"] for name, facts in manifest(run)["files"].items()}
    except (OSError, ValueError, KeyError) as error:
        return [f"torn: {run.name} has no whole manifest ({type(error).__name__})"]
    there = {name: sha256 for name, sha256 in files(run).items() if name != "manifest.json"}
    return [] if there == sealed else [f"torn: {run.name} has other files than were sealed"]


def _left_over(root: Path) -> list[str]:
    everything = [*(root / "data").rglob("*"), *(root / "logs").rglob("*")]
    found = [f"staging: {path.name}" for path in (root / "data/staging").iterdir()]
    found += [f"tmp: {path.name}" for path in everything if path.name.endswith(".tmp")]
    found += [
        f"open: others can use {path.name}"
        for path in everything
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    return found


def _attempts_untold(root: Path, died: set[str]) -> list[str]:
    records = attempts(root)
    found = [f"attempts: {name} is running" for name in died_in(root)]
    for name in sorted(died):
        summary = root / "logs/runs" / records[name]["log_folder"] / "pipeline_summary.json"
        told = {records[name]["status"]}
        if summary.parent.is_dir():
            told.add(json.loads(summary.read_bytes())["status"])
        if told != {"abandoned"}:
            found.append(f"attempts: killed {name} is told as {sorted(told)}")
    newest = max(records.values(), key=lambda record: record["started_at"])
    if (root / "logs/runs/latest").readlink() != Path(newest["log_folder"]):
        found.append("latest: it does not name the newest attempt")
    return found


def attempts(root: Path) -> dict[str, dict[str, Any]]:
    """Return the state file of every attempt."""
    return {path.stem: json.loads(path.read_bytes()) for path in root.glob("data/attempts/*.json")}


def died_in(root: Path) -> set[str]:
    """Return the attempts that say they are running."""
    return {name for name, record in attempts(root).items() if record["status"] == "running"}


def served(root: Path) -> str:
    """Return what `current` says; the trials have one book."""
    [pointer] = [p for p in (root / "data/current").iterdir() if p.suffix != ".tmp"]
    return pointer.read_text().strip()


def run_names(root: Path) -> set[str]:
    """Return the names of the run folders."""
    return {run.name for run in _folders(root / "data/runs")}


def manifest(run: Path) -> dict[str, Any]:
    """Return a run's manifest."""
    return json.loads((run / "manifest.json").read_bytes())


def tables(run: Path) -> dict[str, Table]:
    """Return every table of a run as a sorted multiset of rows, each as it prints."""
    with duckdb.connect() as db:
        return {path.name: _table(db, path) for path in sorted(run.glob("*.parquet"))}


def _table(db: duckdb.DuckDBPyConnection, path: Path) -> Table:
    rows = db.execute("select * from read_parquet($path)", {"path": str(path)})
    columns = tuple(f"{column[0]} {column[1]}" for column in rows.description or ())
    return columns, tuple(sorted(map(repr, rows.fetchall())))


def files(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, by its path there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in found}


def published_bytes(root: Path) -> dict[str, tuple[str, int]]:
    """Return the hash and the time of the last write of all that readers are served."""
    return {
        f"{part}/{name}": (sha256, (root / "data" / part / name).stat().st_mtime_ns)
        for part in ("runs", "current")
        for name, sha256 in files(root / "data" / part).items()
    }


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
