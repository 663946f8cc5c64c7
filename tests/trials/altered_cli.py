"""The command line with one thing about it altered: `altered_cli.py NAME,NAME run ...`.

Most alterations are sabotage: mistakes in the write protocol that the trials must notice. They
replace what a module has imported, so they are made before the command imports the rest.
"""

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from deployments import cli
from settings.errors import StorageError
from tests.trials import altered_delivery
from warehouse import (
    attempt_folder,
    attempt_state,
    durable,
    engine,
    failpoints,
    layout,
    lock,
    output,
    run_folder,
    source,
)
from warehouse.durable import durable_write, make_folder
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST
from warehouse.run_folder import SealedRun
from warehouse.storage_errors import typed_storage


def stop_at_crash_point() -> None:
    """Be stopped where TAPEWATCH_CRASH_AT says, not killed."""
    failpoints.signal = SimpleNamespace(SIGKILL=signal.SIGSTOP)


def stop_at_every_point() -> None:
    """Be stopped at every fail-point, after saying its name."""

    one_by_one = Lock()  # two threads that stop at once are one stop to who waits for it

    def stop(name: str) -> None:
        with one_by_one:
            sys.stderr.write(f"at {name}\n")
            signal.raise_signal(signal.SIGSTOP)

    for module in _users_of("fail_point"):
        module.fail_point = stop


def fixed_names() -> None:
    """Give every file the same name in every run, so that a trial can say which one it means."""
    from deployments.commands import run

    run.uuid4 = lambda: UUID(int=1)
    attempt_folder.folder_name = lambda attempt_id, environment, now: f"trial_{attempt_id}"
    secrets.token_hex = lambda size: "0" * 2 * size


def killed_before_folder_sync() -> None:
    """Die before the names in the folder of TRIAL_FOLDER are synced for the first time."""
    sync = durable.fsync_dir

    def sync_or_die(path: Path) -> None:
        if path.match(os.environ["TRIAL_FOLDER"]):
            signal.raise_signal(signal.SIGKILL)
        sync(path)

    for module in _users_of("fsync_dir"):
        module.fsync_dir = sync_or_die


def any_room_is_enough() -> None:
    """Ask for no room before the work begins."""
    layout.SPARE_BYTES = -1 << 40


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
    document = output.kpi_document

    def off(*values: Any) -> Any:
        facts = document(*values)
        value = next(value for value in facts["values"] if value["name"] == "outstanding")
        value["value"] = value["value"][:-1] + ("1" if value["value"][-1] != "1" else "2")
        return facts

    output.kpi_document = off


def answered_anew() -> None:
    """Work out and seal again what is published already."""

    def find(layout: Layout, identity: Any) -> None:
        shutil.rmtree(layout.runs / identity.folder_name, ignore_errors=True)

    for module in _users_of("find_run"):
        module.find_run = find


def files_unsynced() -> None:
    """Never wait for the bytes of a run's files and of the kept inputs."""
    run_folder.fsync_file = lambda path: None


def folders_unsynced() -> None:
    """Never wait for the names in a folder."""
    for module in _users_of("fsync_dir"):
        module.fsync_dir = lambda path: None


def folder_of_run_unsynced() -> None:
    """Seal a run whose names in its own folder are not on the disk."""
    sync = durable.fsync_dir
    durable.fsync_dir = lambda path: None if path.name == "run" else sync(path)


def served_before_synced() -> None:
    """Serve a run whose name in the folder of runs is not on the disk."""
    run_folder.fsync_dir = lambda path: None


def written_in_place() -> None:
    """Write a durable file at its final path, half by half."""

    def write(path: Path, data: bytes) -> None:
        with typed_storage(path), path.open("wb", buffering=0) as file:
            path.chmod(0o600)
            failpoints.fail_point("write_created")
            file.write(data[: len(data) // 2])
            failpoints.fail_point("write_synced")
            file.write(data[len(data) // 2 :])
            os.fsync(file.fileno())
        durable.fsync_dir(path.parent)

    for module in _users_of("durable_write"):
        module.durable_write = write


def full_disk_swallowed() -> None:
    """Take a full disk for a write that went well."""
    write_all = durable.write_all

    def write_what_fits(fd: int, data: bytes | memoryview) -> None:
        with suppress(OSError):
            write_all(fd, data)

    for module in _users_of("write_all"):
        module.write_all = write_what_fits


def failed_sync_tried_again() -> None:
    """Take the second sync of a file for good after the first one failed."""
    sync = durable.fsync_file

    def sync_twice(path: Path) -> None:
        try:
            sync(path)
        except StorageError:
            sync(path)

    run_folder.fsync_file = sync_twice


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
        (vars(altered_delivery).get(alteration) or globals()[alteration])()
    cli.main()
