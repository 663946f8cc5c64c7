"""Tell on the flow run's page which book and day it is of, and how far it is."""

from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from tasks.showing import showing


class Progress:
    """A bar on the flow run's page; a server that does not draw it stops nothing."""

    def __init__(self, key: str, description: str) -> None:
        """Know the bar; the first `show` draws it."""
        self._key, self._description = key, description
        self._artifact: UUID | None = None

    def show(self, percent: float) -> None:
        """Move the bar."""
        with showing("the progress"):
            if self._artifact is None:
                told = {"key": self._key, "description": self._description}
                self._artifact = cast("UUID", create_progress_artifact(percent, **told))
            else:
                update_progress_artifact(self._artifact, percent)


def name_flow_run(name: str) -> None:
    """Give the flow run the name that people look for; a server that refuses stops nothing."""
    with showing("the name"), get_client(sync_client=True) as client:
        client.update_flow_run(UUID(flow_run.id), name=name)
