"""`tapewatch audit migrate`, `export` and `drill`: make the store, keep it, prove it is kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from deployments.verdict import keep_verdict
from settings.errors import ConfigError, DataRejectedError
from settings.model import Settings

if TYPE_CHECKING:
    from blocks.clients.audit_manifest import ExportManifest


class NoExportFolderError(ConfigError):
    """Nothing says where an export is to be written."""

    code = "AUDIT_NO_EXPORT_FOLDER"


def migrate_store(settings: Settings, *, is_json: bool) -> None:
    """Apply the migrations that the store does not have yet.

    Raises:
        NoDatabaseUrlError: SUPABASE_DB_URL is not set.
        TapewatchError: The store did not take one; the subclasses in `audit_migrate` say why.
    """
    from blocks.clients.audit_migrate import load_migrations, migrate
    from blocks.clients.audit_postgres import need_postgres

    store = need_postgres(settings.audit, "a migration", "use the Supabase CLI: supabase db push")
    with _working(f"migrating {store.address} …"):
        applied = [migration.file for migration in migrate(store)]
    known = [migration.file for migration in load_migrations()]
    if is_json:
        print_json({"store": store.address, "applied": [*applied], "migrations": [*known]})
        return
    console = open_console()
    for file in applied:
        console.print(f"applied {file}", markup=False, soft_wrap=True)
    said = "up to date" if not applied else "now up to date"
    console.print(f"{store.address} is {said}", markup=False, soft_wrap=True)


def export_audit(settings: Settings, folder: Path | None, *, is_json: bool) -> None:
    """Export the store to `folder`, or to a new folder where the settings say.

    Raises:
        NoExportFolderError: Neither says where.
        NoDatabaseUrlError: SUPABASE_DB_URL is not set.
        TapewatchError: There is no export; the subclasses in `audit_export` say why.
    """
    from blocks.clients.audit_export import export_store
    from blocks.clients.audit_postgres import need_postgres

    store = need_postgres(settings.audit, "an export, which is one snapshot,")
    target = _target(settings, folder)
    with _working(f"exporting {store.address} …") as tell:
        manifest = export_store(store, target, tell)
    if is_json:
        print_json({"folder": str(target), **_document(manifest)})
        return
    console = open_console()
    _print_tables(console, manifest)
    place = short_path(target)
    print_facts(
        console,
        {
            "newest link": _head_line(manifest),
            "export": place,
            "try next": Text(f"tapewatch audit drill {place}"),
        },
    )


def drill_export(folder: Path, *, is_json: bool) -> None:
    """Restore an export aside and show that it is what was exported.

    Raises:
        ExportDamagedError: A file is not what was written.
        DrillFailedError: The files do not give what was exported.
        ThrowAwayServerError: No server can be started here.
    """
    from blocks.clients.audit_drill import restore_drill

    with _working("restoring …") as tell:
        drilled = restore_drill(folder.absolute(), tell)
    if is_json:
        facts: dict[str, JsonValue] = {
            "is_restored": True,
            "folder": str(drilled.folder),
            "restored_on": drilled.server_version,
            "seconds": round(drilled.seconds, 3),
        }
        print_json({**facts, **_document(drilled.manifest)})
        return
    console = open_console()
    _print_tables(console, drilled.manifest)
    print_facts(
        console,
        {
            "restored": f"every row, in {drilled.seconds:,.1f} s on PostgreSQL "
            f"{drilled.server_version}; exported from {drilled.manifest.server_version}",
            "chain": "holds, and ends as it did when it was exported",
            "newest link": _head_line(drilled.manifest),
        },
    )


def drill_and_record(folder: Path, settings: Settings, *, is_json: bool) -> None:
    """Restore an export, and leave the verdict where the exporter finds it.

    Raises:
        ExportDamagedError: A file is not what was written.
        DrillFailedError: The files do not give what was exported.
        ThrowAwayServerError: No server can be started here; that is no verdict.
    """
    is_there = folder.is_dir()  # an export that was never written is no damaged one
    try:
        drill_export(folder, is_json=is_json)
    except DataRejectedError:
        if is_there:
            keep_verdict(settings, "drill", {folder.name: 1}, is_whole=False)
        raise
    keep_verdict(settings, "drill", {}, is_whole=True)


@contextmanager
def _working(text: str) -> Generator[Callable[[str], object], None, None]:
    """Yield what shows on a terminal what is at work."""
    console = open_console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(text) as status:
        yield status.update


def _target(settings: Settings, folder: Path | None) -> Path:
    if folder is not None:
        return folder.absolute()
    if settings.audit.export_folder is None:
        raise NoExportFolderError(
            "nothing says where the export is to be written",
            fix="name a new folder, or export TAPEWATCH_AUDIT__EXPORT_FOLDER=/path",
        )
    return settings.audit.export_folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _document(manifest: ExportManifest) -> dict[str, JsonValue]:
    return {
        "taken_at": manifest.taken_at.isoformat(),
        "server_version": manifest.server_version,
        "chain_head": manifest.chain_head and asdict(manifest.chain_head),
        "tables": {table: asdict(facts) for table, facts in manifest.tables.items()},
    }


def _print_tables(console: Console, manifest: ExportManifest) -> None:
    table = bare_table()
    table.add_column(f"table as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("sha256")
    for name, facts in manifest.tables.items():
        table.add_row(name, f"{facts.rows:,}", f"{facts.bytes:,}", facts.sha256[:16])
    console.print(table)
    console.print()


def _head_line(manifest: ExportManifest) -> str:
    head = manifest.chain_head
    return "none: the store held no run" if head is None else f"{head.seq:,}, {head.hash}"
