"""`tapewatch report`: one page about a run, for people, made again from what was sealed."""

import hashlib
import webbrowser
from pathlib import Path

from deployments.documents import print_json
from deployments.lookup import folder_of
from deployments.render import open_console, short_path
from settings.model import Settings
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.report.write import gather_facts, report_folder, write_page
from warehouse.run_folder import SealedRun
from warehouse.served import served_run


def make_report(settings: Settings, name: str | None, *, is_opened: bool, is_json: bool) -> None:
    """Draw the report of a run, the served one without a name, and tell where it lies.

    Raises:
        NothingPublishedError: Nothing is published yet.
        NoSuchRunError: No run, or more than one, has this name.
        StorageError: The disk refused, or a file of the run cannot be read.
    """
    layout = Layout.of(settings)
    run = served_run(layout) if name is None else _named(layout, name)
    layout = layout.of_book(run.manifest.identity.book)  # which may be another than asked for
    path = write_page(gather_facts(run, layout, settings), report_folder(run, layout), layout)
    if is_opened:
        webbrowser.open(path.resolve().as_uri())
    if is_json:
        print_json(_document(run, path))
        return
    open_console().print(short_path(path), markup=False, soft_wrap=True)


def _named(layout: Layout, name: str) -> SealedRun:
    folder = layout.runs / folder_of(layout, name)
    return SealedRun(folder, load_manifest(folder))


def _document(run: SealedRun, path: Path) -> dict[str, str | int]:
    page = path.read_bytes()
    return {
        "run": run.name,
        "run_id": run.manifest.run_id,
        "report": str(path),
        "bytes": len(page),
        "sha256": hashlib.sha256(page).hexdigest(),
    }
