"""Write the report of a sealed run into the log folder of an attempt, for people."""

from pathlib import Path
from tempfile import TemporaryDirectory

from settings.model import Settings
from warehouse.attempt_folder import REPORT
from warehouse.attempt_state import list_attempts
from warehouse.durable import make_folder, replace_file
from warehouse.layout import Layout
from warehouse.report.facts import ReportFacts, collect_facts
from warehouse.report.page import render_page
from warehouse.run_folder import SealedRun, served_name


def gather_facts(run: SealedRun, layout: Layout, settings: Settings) -> ReportFacts:
    """Return what the report of a run tells.

    Raises:
        StorageError: A file of the run cannot be read.
        HashMismatchError: Its changes.json is missing, or another than was sealed.
    """
    with TemporaryDirectory(prefix="tapewatch-") as spill:
        return collect_facts(run, layout, settings, Path(spill))


def write_page(facts: ReportFacts, folder: Path, layout: Layout) -> Path:
    """Draw the report into `folder`, over an older one; return its path.

    That of the served run is copied to where alerts lead: they know the book, not the attempt.

    Raises:
        StorageError: The disk refused.
    """
    page, path = render_page(facts), make_folder(folder) / REPORT
    replace_file(path, page)
    if layout.current.exists() and served_name(layout) == facts.run.name:
        replace_file(make_folder(layout.served_log) / REPORT, page)
    return path


def report_folder(run: SealedRun, layout: Layout) -> Path:
    """Return the log folder of the newest attempt that ended with this run.

    A run of which no attempt is known, one restored from a backup, has a folder of its own name.
    """
    ended = [
        attempt
        for attempt in list_attempts(layout)
        if attempt.run_id == run.manifest.run_id and attempt.status == "success"
    ]
    return layout.log_runs / (ended[-1].log_folder if ended else run.name)
