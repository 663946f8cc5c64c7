"""The command line with one thing about it altered: `altered_cli.py NAME,NAME run ...`.

Most alterations are sabotage: mistakes in the write protocol that the trials must notice. They
replace what a module has imported, so they are made before the command imports the rest.
"""

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deployments import cli
from warehouse import (
    attempt_folder,
    attempt_state,
    engine,
    failpoints,
    lock,
    output,
    run_folder,
    source,
)
from warehouse.durable import durable_write, make_folder
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST
from warehouse.run_folder import SealedRun


def stop_at_crash_point() -> None:
    """Be stopped where TAPEWATCH_CRASH_AT says, not killed."""
    failpoints.signal = SimpleNamespace(SIGKILL=signal.SIGSTOP)


def stop_at_every_point() -> None:
    """Be stopped at every fail-point, after saying its name."""

    def stop(name: str) -> None:
        sys.stderr.write(f"at {name}\n")
        signal.raise_signal(signal.SIGSTOP)

    for module in _users_of("fail_point"):
        module.fail_point = stop


def manifest_before_tables() -> None:
    """Move the manifest into place first, then the tables."""

    def rename(staged: Path, target: Path) -> None:
        target.mkdir()
        (staged / MANIFEST).rename(target / MANIFEST)
        failpoints.fail_point("seal_renamed")
        for table in staged.iterdir():
            table.rename(target / table.name)

    _replace_folder_rename(rename)


def copied_not_renamed() -> None:
    """Copy the sealed folder into place file by file."""

    def copy(staged: Path, target: Path) -> None:
        target.mkdir()
        for file in sorted(staged.iterdir()):
            shutil.copyfile(file, target / file.name)
            failpoints.fail_point("seal_renamed")

    _replace_folder_rename(copy)


def served_before_sealed() -> None:
    """Let `current` name a run that is not there yet."""
    seal = run_folder.seal

    def seal_late(layout: Layout, staged: Path, manifest: Any, rows: Any) -> SealedRun:
        durable_write(layout.current, manifest.identity.folder_name.encode())
        return seal(layout, staged, manifest, rows)

    output.seal = seal_late


def only_newest_kept() -> None:
    """Delete the older runs once the new one is sealed."""
    seal = run_folder.seal

    def seal_and_tidy(layout: Layout, staged: Path, manifest: Any, rows: Any) -> SealedRun:
        sealed = seal(layout, staged, manifest, rows)
        for folder in run_folder.run_folders(layout):
            if folder != sealed.folder:
                shutil.rmtree(folder)
        return sealed

    output.seal = seal_and_tidy


def raw_written_in_place() -> None:
    """Write the kept copy of an input at its final path, half by half."""

    def keep(layout: Layout, staged: Path, sha256: str, name: str) -> Path:
        kept = make_folder(layout.raw / sha256) / name
        data = staged.read_bytes()
        kept.write_bytes(data[: len(data) // 2])
        failpoints.fail_point("raw_synced")
        kept.write_bytes(data)
        return kept

    source.keep_raw = keep


def staging_left() -> None:
    """Leave the staging folders of the dead."""
    attempt_state.shutil = SimpleNamespace(rmtree=lambda folder: None)


def half_files_left() -> None:
    """Leave the half-written files of the dead."""
    attempt_state._unlink_all = lambda paths: None


def dead_left_running() -> None:
    """Let the dead go on saying that they run."""
    attempt_state._abandon = lambda layout, record, now: None


def latest_left() -> None:
    """Never move `latest`."""
    attempt_folder.make_attempt_folder = lambda layout, name: make_folder(layout.log_runs / name)


def row_lost() -> None:
    """Lose one loan of the book, as a run that goes on from half a table would."""
    copy = engine.copy_to_parquet

    def copy_less(db: Any, sql: str, path: Path, parameters: Any) -> int:
        if path.name == "book.parquet":
            sql = f"from ({sql}) order by loan_id offset 1"
        return copy(db, sql, path, parameters)

    for module in _users_of("copy_to_parquet"):
        module.copy_to_parquet = copy_less


def kpi_off() -> None:
    """Seal KPI values of which one is off by the last digit."""
    kpi_facts = output._kpi_facts

    def off(calculated: Any) -> Any:
        facts = kpi_facts(calculated)
        value = next(value for value in facts["values"] if value["name"] == "outstanding")
        value["value"] = value["value"][:-1] + ("1" if value["value"][-1] != "1" else "2")
        return facts

    output._kpi_facts = off


def answered_anew() -> None:
    """Work out and seal again what is published already."""

    def find(layout: Layout, identity: Any) -> None:
        shutil.rmtree(layout.runs / identity.folder_name, ignore_errors=True)

    for module in _users_of("find_run"):
        module.find_run = find


def lock_dropped() -> None:
    """Let go of the lock as soon as it is taken."""
    lock.fcntl = SimpleNamespace(LOCK_EX=0, LOCK_NB=0, flock=lambda fd, how: None)


def _replace_folder_rename(instead: Callable[[Path, Path], None]) -> None:
    rename = Path.rename

    def altered(self: Path, target: Path) -> Path:
        if not self.is_dir():
            return rename(self, target)
        instead(self, target)
        return target

    Path.rename = altered


def _users_of(name: str) -> list[Any]:
    import deployments.commands.run  # noqa: F401 - with it come all modules of a run

    ours = (m for key, m in sys.modules.items() if key.startswith("warehouse."))
    return [module for module in ours if hasattr(module, name)]


if __name__ == "__main__":
    for alteration in sys.argv.pop(1).split(","):
        globals()[alteration]()
    cli.main()
