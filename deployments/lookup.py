"""Find the run that a person means: the served one, the one of a day, or one by its name."""

from datetime import date

from deployments.documents import values_by_name
from settings.errors import UsageError
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.run_folder import (
    SealedRun,
    compared_run,
    list_runs,
    previous_run,
    run_folders,
)
from warehouse.served import served_run

_DATE_LENGTH = len("2025-12-26-")
_ID_LENGTH = 8


class NoSuchRunError(UsageError):
    """No run, or more than one, answers to what was asked for."""

    code = "NO_SUCH_RUN"


class KpiNotInRunError(UsageError):
    """The run is older than the KPI."""

    code = "KPI_NOT_IN_RUN"


def kpi_of_run(run: SealedRun, name: str) -> KpiValue:
    """Return the value of one KPI in a run, also an unknown one.

    Raises:
        KpiNotInRunError: The run is older than the KPI.
    """
    value = values_by_name(run).get(name)
    if value is None:
        raise KpiNotInRunError(
            f"run {run.name} has no {name}: the run is older than the KPI",
            fix="name a later day with --as-of, or run the tape of that day again",
        )
    return value


def run_of_day(layout: Layout, as_of: date | None) -> SealedRun:
    """Return the newest run of that day, of the served book; the served run without a day.

    Raises:
        NothingPublishedError: Nothing is published yet.
        NoSuchRunError: There is no run of that day.
    """
    served = served_run(layout)
    if as_of is None or as_of == served.manifest.identity.as_of:
        return served
    book = served.manifest.identity.book
    runs = [run for run in list_runs(layout) if run.manifest.identity.book == book]
    for run in reversed(runs):
        if run.manifest.identity.as_of == as_of:
            return run
    days = sorted({run.manifest.identity.as_of.isoformat() for run in runs})
    raise NoSuchRunError(
        f"no run is of {as_of}", fix=f"the last days are {', '.join(days[-5:])}; see tapewatch runs"
    )


def folder_of(layout: Layout, name: str) -> str:
    """Return the name of the run folder that `name` means: the folder's, or the run id's begin.

    Raises:
        NoSuchRunError: None is meant, or several are.
    """
    folders = [folder.name for folder in run_folders(layout)]
    meant = [folder for folder in folders if _is_meant(folder, name)]
    if len(meant) == 1:
        return meant[0]
    what = f"{name!r} means {len(meant)} runs: {', '.join(meant)}" if meant else f"no run {name!r}"
    raise NoSuchRunError(what, fix="name one folder that `tapewatch runs` lists, or its run id")


def _is_meant(folder: str, name: str) -> bool:
    return bool(name) and (
        folder.startswith(name) or folder[_DATE_LENGTH:].startswith(name[:_ID_LENGTH])
    )


def earlier_run(layout: Layout, run: SealedRun, since: date | None = None) -> SealedRun | None:
    """Return the run that this one was compared with; with `since` the newest up to that day.

    None for the first run of a book, and where no run is so early.
    """
    if since is None:
        return compared_run(layout, run)
    return previous_run(
        layout, run.manifest.identity, lambda earlier: earlier.manifest.identity.as_of <= since
    )
