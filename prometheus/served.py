"""What each portfolio of one environment serves: one manifest a portfolio, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from prometheus.index import FileIndex, file_paths
from warehouse.durable import sha256_file
from warehouse.freshness import end_of_day
from warehouse.kpis import HealthComponent, KpiValue, contribution
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST, load_manifest
from warehouse.restated import RESTATED_CHECKS
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_health, read_kpis
from warehouse.storage_errors import typed_storage


@dataclass(frozen=True)
class _Quarantine:
    bad_rows: int
    row_ratio: float


@dataclass(frozen=True)
class _Reconciliation:
    matched: int
    compared: int


@dataclass(frozen=True)
class _Restated:
    changed: int


@dataclass(frozen=True)
class QualityFacts:
    """The part of a manifest's quality facts that metrics tell."""

    checks: Mapping[str, int]
    quarantine: _Quarantine
    reconciliation: _Reconciliation | None = None
    restated: _Restated | None = None

    @property
    def restated_rows(self) -> int | None:
        """What the tape tells otherwise than one before; None when it cannot be compared at all."""
        if not set(RESTATED_CHECKS) & set(self.checks):
            return None
        return self.restated.changed if self.restated else 0


_QUALITY = TypeAdapter(QualityFacts)
_ROWS = TypeAdapter(dict[str, int])


@dataclass(frozen=True)
class ServedRun:
    """The facts of one served run; moments are seconds since 1970."""

    name: str
    kpis: tuple[KpiValue, ...]
    health: Mapping[str, float]  # the points that each component adds
    day_end: float
    sealed: float
    input_bytes: int
    row_counts: Mapping[str, int]
    quality: QualityFacts
    compared_to: str | None = None
    compared_sha256: str | None = None


class ServedIndex:
    """The run that each portfolio of one environment serves."""

    def __init__(self, layout: Layout, environment: str) -> None:
        """Know where they lie; nothing is read yet."""
        self._pointers = layout.current.parent
        self._runs = layout.runs
        self._prefix = f"{environment}-"
        self._manifests = FileIndex(_load)
        self._hashes = FileIndex(sha256_file)

    def pointers(self) -> dict[str, Path]:
        """Return the pointer file of each portfolio by the portfolio's name.

        Raises:
            StorageError: The folder cannot be read.
        """
        files = [Path(path) for path in file_paths(self._pointers)]
        return {
            path.name.removeprefix(self._prefix): path
            for path in files
            if path.name.startswith(self._prefix) and path.suffix != ".tmp"
        }

    def read(self, pointer: Path) -> ServedRun:
        """Return the run that a pointer names now.

        Raises:
            HashMismatchError: There is no such run, or its manifest is damaged.
            LayoutTooNewError: A newer Tapewatch wrote it.
            StorageError: It cannot be read.
            ValidationError: It tells no quality facts.
        """
        with typed_storage(pointer):
            name = Path(pointer.read_bytes().decode("utf-8", errors="replace").strip()).name
        return self._manifests.read(str(self._runs / name / MANIFEST))

    def is_chain_broken(self, run: ServedRun) -> bool | None:
        """Return whether the run before has another manifest than was sealed into this one.

        None: this is the first run of its book, or the one before is kept no longer.

        Raises:
            StorageError: The manifest of the one before cannot be read.
        """
        before = self._before(run)
        if before is None or not before.is_file():
            return None
        return self._hashes.read(str(before)) != run.compared_sha256

    def _before(self, run: ServedRun) -> Path | None:
        return None if run.compared_to is None else self._runs / run.compared_to / MANIFEST

    def keep_only(self, runs: list[ServedRun]) -> None:
        """Forget every manifest but those of these runs, and of those that they name."""
        self._manifests.keep_only([str(self._runs / run.name / MANIFEST) for run in runs])
        self._hashes.keep_only([str(path) for run in runs if (path := self._before(run))])


def _load(path: Path) -> ServedRun:
    run = SealedRun(path.parent, load_manifest(path.parent))
    manifest = run.manifest
    portfolio = cast("Mapping[str, str]", manifest.identity.settings["portfolio"])
    return ServedRun(
        name=run.name,
        kpis=read_kpis(run),
        health=_points(read_health(run)),
        day_end=end_of_day(manifest.identity.as_of, portfolio["time_zone"]).timestamp(),
        sealed=manifest.created_at.timestamp(),
        input_bytes=sum(facts.bytes for facts in manifest.inputs),
        row_counts=_ROWS.validate_python(manifest.ingestion["row_counts"]),
        quality=_QUALITY.validate_python(manifest.quality),
        compared_to=manifest.previous_run,
        compared_sha256=manifest.prev_manifest_sha256,
    )


def _points(parts: Sequence[HealthComponent]) -> dict[str, float]:
    points = {part.kpi: contribution(part, parts) for part in parts}
    return {kpi: float(value) for kpi, value in points.items() if value is not None}
