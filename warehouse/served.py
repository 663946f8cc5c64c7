"""The run that a book serves, for whoever cannot do without one."""

from settings.errors import UsageError
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun, read_current


class NothingPublishedError(UsageError):
    """No run has been published under this data folder yet."""

    code = "NOTHING_PUBLISHED"


def served_run(layout: Layout) -> SealedRun:
    """Return the run that `current` names for this book.

    Raises:
        NothingPublishedError: There is none yet.
        HashMismatchError: It is damaged.
    """
    run = read_current(layout)
    if run is None:
        raise NothingPublishedError(
            f"{layout.book} has published nothing under {layout.data}",
            fix="publish a tape with `tapewatch run --input PATH`, or name another --portfolio",
        )
    return run
