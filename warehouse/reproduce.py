"""Run the raw bytes of a sealed run again, aside, and hold all that comes out against it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import cast

from settings.errors import ConfigError, DataRejectedError, UsageError
from settings.model import Settings
from warehouse.compare import Difference, Reproduced, compare, row_files
from warehouse.durable import sha256_file
from warehouse.engine import SQL_ROOT
from warehouse.identity import sql_sha256
from warehouse.job import AcceptedAnomaly, RunRequest
from warehouse.kinds import TapeFacts
from warehouse.layout import Layout
from warehouse.manifest import MANIFEST, HashMismatchError
from warehouse.rebuild import run_settings
from warehouse.retention.log import removed_manifests
from warehouse.run import RunPhase, Start, run_daily
from warehouse.run_folder import SealedRun, list_runs
from warehouse.storage_errors import typed_storage
from warehouse.tape import CONTRACT_VERSION
from warehouse.verify import check_folder

Shown = Callable[[str], AbstractContextManager[object]]


class RawBytesError(HashMismatchError):
    """The raw bytes that a run was made of are missing, or are others."""

    code = "RAW_BYTES"


class EarlierRunError(HashMismatchError):
    """A run that this one was compared with is no longer there."""

    code = "EARLIER_RUN_MISSING"


class OtherKeyError(ConfigError):
    """The run was sealed under another masking key than the one that is set."""

    code = "OTHER_PII_KEY"


class OtherVersionError(ConfigError):
    """The run was sealed by other SQL, or under other settings, than this Tapewatch has."""

    code = "OTHER_VERSION"


def reproduce(
    run: SealedRun, settings: Settings, run_phase: RunPhase, shown: Shown = nullcontext
) -> Reproduced:
    """Take a sealed run once more from its raw bytes to a run folder, and compare all of it.

    The data folder is only read. What is made lies beside it, in a throw-away folder of
    `settings.root_dir`, and is gone at the end: copies of a large tape fit where the first ones
    do and may not fit in /tmp, which is taken only when that folder cannot be written (an archive
    mounted to be read). `shown` wraps the hashing and the comparison, which may take long.

    Raises:
        OtherKeyError: It was sealed under another masking key.
        OtherVersionError: It was sealed by other SQL, or under other settings than are known.
        HashMismatchError: It is not what was sealed, its raw bytes are not there
            (RawBytesError), or a run that it was compared with is not (EarlierRunError).
        StorageError: The disk refused.
    """
    layout = Layout.of(settings)
    then = _settings_then(run, settings)
    with shown(f"hashing run {run.name} and its raw bytes …"):
        check_folder(run.folder)
        inputs = _raw_inputs(run, layout)
    earlier = _earlier_runs(run, layout)
    with _throw_away(settings.root_dir) as root:
        aside = then.model_copy(update={"root_dir": root})
        link_runs(earlier, Layout.of(aside))
        _copy_tables(run, earlier, Layout.of(aside))
        try:
            again = run_daily(_request(run, inputs), aside, _start(run), run_phase).sealed
        except (DataRejectedError, UsageError) as error:
            refused = Difference("its tape", "accepted", f"refused ({error.code}): {error.message}")
            return Reproduced(run, None, (), (), (refused,))
        with shown("comparing every figure and table …"):
            return compare(run, again, settings, root / "spill")


@contextmanager
def _throw_away(beside: Path) -> Generator[Path, None, None]:
    try:
        folder = TemporaryDirectory(prefix="reproduce-", dir=beside)
    except OSError:
        with typed_storage(Path("/tmp")):  # noqa: S108 - named in an error alone
            folder = TemporaryDirectory(prefix="tapewatch-reproduce-")
    with folder as root:
        yield Path(root).resolve()


def _settings_then(run: SealedRun, settings: Settings) -> Settings:
    """Return the settings of the run: its question has the very same id under them."""
    identity = run.manifest.identity
    if settings.pii_key_id() != identity.pii_key_id:
        raise OtherKeyError(
            f"run {run.name} was sealed under masking key {identity.pii_key_id}, "
            f"and the key that is set is {settings.pii_key_id()}",
            fix="set TAPEWATCH_PII_KEY to the key of that run: no other gives the same client ids",
        )
    then = run_settings(run, settings)
    book = then.portfolio.model_copy(update={"name": identity.portfolio})
    then = then.model_copy(update={"environment": identity.environment, "portfolio": book})
    sealed = identity.sql_sha256, identity.contract_version, identity.settings
    if sealed != (sql_sha256(SQL_ROOT), str(CONTRACT_VERSION), then.value_settings()):
        is_same_sql = identity.sql_sha256 == sql_sha256(SQL_ROOT)
        what = "under other settings" if is_same_sql else "by other SQL"
        raise OtherVersionError(
            f"run {run.name} was sealed {what} than this Tapewatch has",
            fix=f"install the version that sealed it, {run.manifest.code}, and reproduce it there",
        )
    return then


def _raw_inputs(run: SealedRun, layout: Layout) -> tuple[Path, ...]:
    kept = {layout.raw_file(facts.sha256, facts.name): facts for facts in run.manifest.inputs}
    for path, facts in kept.items():
        if path.is_file() and sha256_file(path) == facts.sha256:
            continue
        what = "has other bytes than its sha256 says" if path.is_file() else "is missing"
        raise RawBytesError(
            f"{path}, of which run {run.name} was made, {what}",
            fix=f"put that file of {facts.bytes:,} bytes back from a backup",
            evidence={"file": str(path), "sha256": facts.sha256},
        )
    return tuple(kept)


def sealed_before(run: SealedRun, layout: Layout) -> list[SealedRun]:
    """Return the runs of the same book that were there when this one was sealed, oldest first.

    The clock tells it, except where a manifest does: what one supersedes or was compared with.
    """
    manifest = run.manifest

    def was_there(other: SealedRun) -> bool:
        told = other.manifest
        if told.identity.book != manifest.identity.book or manifest.run_id in told.supersedes:
            return False
        is_named = other.name == manifest.previous_run or told.run_id in manifest.supersedes
        return is_named or told.created_at < manifest.created_at

    return [other for other in list_runs(layout) if other.name != run.name and was_there(other)]


def _earlier_runs(run: SealedRun, layout: Layout) -> list[SealedRun]:
    earlier = sealed_before(run, layout)
    there = {name for other in earlier for name in (other.name, other.manifest.run_id)}
    named = (run.manifest.previous_run, *run.manifest.supersedes)
    missing = next((name for name in named if name and name not in there), None)
    if missing is not None:
        is_removed = any(removed_manifests(layout.data, missing))
        why = "which retention has removed" if is_removed else f"which is not under {layout.runs}"
        raise EarlierRunError(
            f"run {run.name} was compared with run {missing}, {why}",
            fix="put its folder back from a backup, or prove its figures by "
            f"`tapewatch verify {run.name}`",
            evidence={"run": missing},
        )
    return earlier


def link_runs(runs: list[SealedRun], aside: Layout) -> None:
    """Let another data folder know of these runs: their manifests, by links; nothing is changed.

    Raises:
        StorageError: The disk refused.
    """
    aside.make()
    for run in runs:
        folder = aside.runs / run.name
        with typed_storage(folder):
            folder.mkdir()
            (folder / MANIFEST).symlink_to((run.folder / MANIFEST).resolve())


def comparable(run: SealedRun, earlier: list[SealedRun]) -> list[SealedRun]:
    """Return those of the `earlier` runs that this one may look at; it is held to the last."""
    kind = TapeFacts.from_json(run.manifest.ingestion).kind
    return [
        other
        for other in earlier
        if TapeFacts.from_json(other.manifest.ingestion).kind is kind
        and other.manifest.identity.as_of <= run.manifest.identity.as_of
    ]


def _copy_tables(run: SealedRun, earlier: list[SealedRun], aside: Layout) -> None:
    """Copy what the run's SQL reads of earlier runs: DuckDB follows no link out of its folders."""
    offers = TapeFacts.from_json(run.manifest.ingestion).offers
    books = {"book.parquet"} if "earlier_book" in offers else set[str]()
    looked_at = comparable(run, earlier)
    for other in looked_at:
        for name in row_files(other) if other is looked_at[-1] else books:
            with typed_storage(aside.runs / other.name, other.manifest.files[name].bytes):
                copyfile(other.folder / name, aside.runs / other.name / name)


def _request(run: SealedRun, inputs: tuple[Path, ...]) -> RunRequest:
    told = run.manifest.ingestion
    day = run.manifest.identity.as_of if told.get("as_of_basis") == "declared" else None
    accepted = cast("Mapping[str, str] | None", run.manifest.quality.get("accepted_anomaly"))
    anomaly = None if accepted is None else AcceptedAnomaly(**accepted)
    return RunRequest(inputs, day, bool(told.get("is_backfill")), anomaly)


def _start(run: SealedRun) -> Start:
    """Return the start as it was: checks know the day it came; it was sealed after, perhaps late.

    A run of the first version told only when it was sealed.
    """
    received = run.manifest.ingestion.get("received_at")
    is_told = isinstance(received, str)
    now = datetime.fromisoformat(received) if is_told else run.manifest.created_at
    return Start("reproduce", now, run.manifest.code)
