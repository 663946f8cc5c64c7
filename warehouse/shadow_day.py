"""The shadow runs of a day together: each beside its run, and whether a cutover can follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from settings.model import Settings
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun, list_runs
from warehouse.shadow import Comparison, compare_shadow, look_at


@dataclass(frozen=True)
class Side:
    """One environment of a comparison: what it is called, and where its runs lie."""

    environment: str
    layout: Layout


@dataclass(frozen=True)
class ShadowDay:
    """What the shadow runs of the last hours say together.

    `alone` are those that the other environment has no run of the same tape and day for; `since`
    is when the first shadow attempt that still tells anything began.
    """

    hours: int
    since: datetime | None
    now: datetime
    comparisons: tuple[Comparison, ...]
    alone: tuple[str, ...]
    failed: tuple[AttemptRecord, ...]

    @property
    def covered_hours(self) -> float:
        """How long shadow runs have been made, up to now."""
        return 0.0 if self.since is None else (self.now - self.since).total_seconds() / 3600

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why no cutover should follow yet; none means ready."""
        differing = [c for c in self.comparisons if c.verdict != "same"]
        found = [f"{c.shadow.name}: {c.verdict}" for c in differing]
        found += [f"{name} has no run beside it" for name in self.alone]
        found += [f"shadow attempt {a.attempt_id} {a.status}" for a in self.failed]
        if not self.comparisons:
            found.append("no shadow run has a run beside it")
        if self.covered_hours < self.hours:
            found.append(f"only {self.covered_hours:.1f} of {self.hours} hours are covered")
        return tuple(found)

    @property
    def is_ready(self) -> bool:
        """Whether a cutover can follow."""
        return not self.reasons


def shadow_day(
    reference: Side, shadow: Side, hours: int, now: datetime, settings: Settings
) -> ShadowDay:
    """Return what the shadow's attempts of the last `hours` say; older ones say how long it goes.

    Raises:
        StorageError: A folder cannot be read.
    """
    attempts = [a for a in list_attempts(shadow.layout) if a.environment == shadow.environment]
    begun = [datetime.fromisoformat(a.started_at) for a in attempts]
    recent = {
        attempt.attempt_id: attempt
        for attempt, moment in zip(attempts, begun, strict=True)
        if moment >= now - timedelta(hours=hours)
    }
    runs = _runs(shadow)
    made = [run for run in runs if run.manifest.ingestion["attempt_id"] in recent]
    known = _runs(reference)
    comparisons: list[Comparison] = []
    alone: list[str] = []
    for run in made:
        beside = _beside(run, known)
        if beside is None:
            alone.append(f"{shadow.environment}/{run.name}")
            continue
        seen = look_at(reference.layout, reference.environment, beside)
        again = look_at(shadow.layout, shadow.environment, run)
        comparisons.append(compare_shadow(seen, again, settings))
    ended_badly = [a for a in recent.values() if a.status in ("failed", "abandoned")]
    since = min(begun, default=None)
    return ShadowDay(hours, since, now, tuple(comparisons), tuple(alone), tuple(ended_badly))


def _runs(side: Side) -> list[SealedRun]:
    runs = list_runs(side.layout)
    return [run for run in runs if run.manifest.identity.environment == side.environment]


def _beside(run: SealedRun, known: Sequence[SealedRun]) -> SealedRun | None:
    """Return the newest run of the same book, day and bytes."""
    asked = run.manifest.identity
    same = [
        other
        for other in known
        if other.manifest.identity.portfolio == asked.portfolio
        and other.manifest.identity.as_of == asked.as_of
        and sorted(other.manifest.identity.input_sha256s) == sorted(asked.input_sha256s)
    ]
    return same[-1] if same else None
