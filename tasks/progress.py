"""Tell on the flow run's page which book and day it is of, and how far it is."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TypeVar, cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from settings.running import Phase
from tasks.showing import showing
from warehouse.attempts import PHASES
from warehouse.engine import SQL_ROOT, WATCH
from warehouse.watched import watched

T = TypeVar("T")
_MOVE_SECONDS = 1  # between two moves inside a phase: each asks the server
# The SQL that takes a phase's time; sealing runs none.
_FOLDERS: Mapping[Phase, tuple[str, ...]] = {
    "ingestion": ("canonical",),
    "transformation": ("gate", "quality", "book"),
    "calculation": ("kpi", "loans"),
}


class Progress:
    """A bar on the flow run's page; a server that does not draw it stops nothing."""

    def __init__(self, key: str, description: str) -> None:
        """Know the bar; the first `show` draws it."""
        self._key, self._description = key, description
        self._artifact: UUID | None = None
        self._is_drawn, self._last = True, 0.0

    def show(self, percent: float) -> None:
        """Move the bar now."""
        self._is_drawn = False
        with showing("the progress"):
            if self._artifact is None:
                told = {"key": self._key, "description": self._description}
                self._artifact = cast("UUID", create_progress_artifact(percent, **told))
            else:
                update_progress_artifact(self._artifact, percent)
            self._is_drawn = True
        self._last = monotonic()

    def move(self, percent: float) -> None:
        """Move the bar if it last moved a second ago, and not where the server has refused it."""
        if self._is_drawn and monotonic() - self._last >= _MOVE_SECONDS:
            self.show(percent)


def moving(progress: Progress, name: Phase, step: Callable[[], T]) -> Callable[[], T]:
    """Return the step of a phase, in which each SQL file that has run moves the bar on."""

    def moved() -> T:
        files, watch = _SqlFiles(progress, name), WATCH.get()
        token = WATCH.set(lambda db: watched(watch(db) if watch else db, files))
        try:
            return step()
        finally:
            WATCH.reset(token)

    return moved


class _SqlFiles:
    """Counts the SQL files of a phase that have run, of those that it may run."""

    def __init__(self, progress: Progress, name: Phase) -> None:
        folders = [SQL_ROOT / folder for folder in _FOLDERS.get(name, ())]
        found = [path for folder in folders for path in folder.rglob("*.sql")]
        self._left = {path.relative_to(SQL_ROOT).as_posix() for path in found}
        self._of = len(self._left)
        self._progress, self._begin = progress, PHASES.index(name)

    def measure(self, name: str, step: Callable[[], T], calls: int = 1) -> T:
        """Run one step of a statement of the SQL file `name`, and tell how many files have run."""
        result = step()
        if name in self._left:
            self._left.remove(name)
            share = 1 - len(self._left) / self._of
            self._progress.move(100 * (self._begin + share) / len(PHASES))
        return result


def name_flow_run(name: str) -> None:
    """Give the flow run the name that people look for; a server that refuses stops nothing."""
    with showing("the name"), get_client(sync_client=True) as client:
        client.update_flow_run(UUID(flow_run.id), name=name)
