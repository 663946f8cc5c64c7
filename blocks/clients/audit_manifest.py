"""The manifest of an export of the audit store: its files, its moment, and the newest link."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from settings.errors import ConfigError, DataRejectedError
from warehouse.json_text import canonical_sha256, pretty_json
from warehouse.storage_errors import typed_storage

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
TABLES = (  # in the order in which they refer to each other
    *("pipeline_runs", "raw_artifacts", "kpi_values", "data_quality_results", "audit_ledger"),
)


class ExportTooNewError(ConfigError):
    """The export was written by a newer Tapewatch."""

    code = "AUDIT_EXPORT_TOO_NEW"


class ExportDamagedError(DataRejectedError):
    """A file of an export is not what was written."""

    code = "AUDIT_EXPORT_DAMAGED"


@dataclass(frozen=True)
class TableFacts:
    """The Parquet file of one table."""

    rows: int
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ChainHead:
    """The newest link of the chain: it vouches for every link before."""

    seq: int
    hash: str


@dataclass(frozen=True)
class ExportManifest:
    """Everything an export says about itself; `chain_head` is None when the store held no run."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    taken_at: datetime
    server_version: str
    chain_head: ChainHead | None
    tables: Mapping[str, TableFacts]
    format_version: int = FORMAT_VERSION

    def to_json(self) -> bytes:
        """Return the text of manifest.json, with the hash of its own content inside."""
        body = {"format_version": self.format_version, **asdict(self)}
        body["taken_at"] = self.taken_at.isoformat()
        return pretty_json({**body, "content_sha256": canonical_sha256(body)})


_MANIFEST = TypeAdapter(ExportManifest)


def file_of(table: str) -> str:
    """Return the name of a table's file."""
    return f"{table}.parquet"


def load_export(folder: Path) -> ExportManifest:
    """Read the manifest of an export; no byte of it may be another.

    Raises:
        ExportTooNewError: A newer Tapewatch wrote it.
        ExportDamagedError: It is missing or not what was written.
        StorageError: It cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise damaged(path, "is missing")
    with typed_storage(path):
        text = path.read_bytes()
    try:
        body = cast("dict[str, object]", json.loads(text))
        _refuse_newer(folder, body["format_version"])
        del body["content_sha256"]
        manifest = _MANIFEST.validate_python(body)
    except (ValidationError, ValueError, TypeError, KeyError):
        raise damaged(path, "is not what was written: it is no manifest") from None
    if manifest.to_json() != text:
        raise damaged(path, "is not what was written: it does not fit the hash inside it")
    if set(manifest.tables) != set(TABLES):
        raise damaged(path, f"does not name the tables {', '.join(TABLES)}")
    return manifest


def damaged(path: Path, what: str) -> ExportDamagedError:
    """Return the error of one file of an export."""
    return ExportDamagedError(
        f"{path} {what}", fix="restore another copy of this export, or an older export"
    )


def _refuse_newer(folder: Path, version: object) -> None:
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ExportTooNewError(
            f"{folder} has format {version}, this Tapewatch reads up to {FORMAT_VERSION}",
            fix="upgrade Tapewatch to the version that wrote it",
        )
