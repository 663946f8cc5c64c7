"""What retention would do now, thing by thing, and what it spares although it is old."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from settings.model import Settings
from warehouse.layout import Layout
from warehouse.retention.files import old_exports, old_logs, old_raw
from warehouse.retention.log import Action, Kind, tree_bytes
from warehouse.retention.runs import old_runs
from warehouse.run_folder import list_runs


@dataclass(frozen=True)
class Candidate:
    """One thing that may go, and why; `inputs` are the hashes a run was made of."""

    kind: Kind
    path: Path
    bytes: int
    age_days: int
    why: str
    inputs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.name

    @property
    def action(self) -> Action:
        """What becomes of it."""
        return "archived" if self.kind == "raw" else "removed"


@dataclass(frozen=True)
class Spared:
    """One thing that is old enough, and why it stays."""

    kind: Kind
    name: str
    age_days: int
    why: str


@dataclass(frozen=True)
class Plan:
    """What may go, in the order in which it goes, and what stays."""

    candidates: tuple[Candidate, ...]
    spared: tuple[Spared, ...]

    @property
    def bytes(self) -> int:
        """How much room the candidates take."""
        return sum(candidate.bytes for candidate in self.candidates)


def plan_retention(
    layout: Layout, settings: Settings, receivers: Sequence[str], now: datetime
) -> Plan:
    """Look at everything that retention is about; nothing is changed.

    Args:
        layout: Where everything lies.
        settings: How long each kind is kept, and whose runs these are.
        receivers: Who must have got a run before it may go; others are found by their folder.
        now: The age of everything is counted to this moment.

    Raises:
        StorageError: A folder cannot be read.
    """
    candidates: list[Candidate] = []
    spared: list[Spared] = []
    runs = list_runs(layout)
    for thing in (
        *old_logs(layout, settings, now),
        *old_raw(layout, settings, runs, now),
        *old_exports(layout, settings, runs, now),
        *old_runs(layout, settings, runs, receivers, now),
    ):
        days = (now - thing.since).days
        if thing.stays is not None:
            spared.append(Spared(thing.kind, thing.path.name, days, thing.stays))
        else:
            size = tree_bytes(thing.path)
            candidates.append(
                Candidate(thing.kind, thing.path, size, days, thing.why, thing.inputs)
            )
    return Plan(tuple(candidates), tuple(spared))
