"""The manifest of a sealed run: what it was asked, what it read, what it says, and every hash."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from settings.errors import ConfigError, DataRejectedError
from warehouse.identity import RunIdentity
from warehouse.json_text import JsonObject, canonical_sha256, pretty_json
from warehouse.storage_errors import typed_storage

LAYOUT_VERSION = 1
MANIFEST = "manifest.json"


class LayoutTooNewError(ConfigError):
    """The run folder was written by a newer Tapewatch."""

    code = "LAYOUT_TOO_NEW"


class HashMismatchError(DataRejectedError):
    """A sealed run folder is not what was sealed."""

    code = "HASH_MISMATCH"


@dataclass(frozen=True)
class FileFacts:
    """One file of the run folder; `rows` is None for what is no table."""

    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class InputFacts:
    """One input as it was received; its bytes are kept as raw/<sha256>/<name>."""

    name: str
    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything a sealed run says about itself.

    `previous_run` and `prev_manifest_sha256` name the folder this run was compared with and
    the hash of its manifest, so a run rewritten later no longer fits its successors.
    """

    identity: RunIdentity
    inputs: tuple[InputFacts, ...]
    ingestion: JsonObject
    kpis: JsonObject
    quality: JsonObject
    previous_run: str | None
    prev_manifest_sha256: str | None
    supersedes: tuple[str, ...]  # run ids of the same book and date, sealed before
    code: str  # git sha or version
    created_at: datetime
    files: Mapping[str, FileFacts] = field(default_factory=dict[str, FileFacts])
    layout_version: int = LAYOUT_VERSION

    @property
    def run_id(self) -> str:
        """The id of the question this run answers."""
        return self.identity.run_id

    @property
    def order(self) -> tuple[date, int, datetime]:
        """The order of runs: by date, then restatement, and by the clock only at the very end."""
        return self.identity.as_of, len(self.supersedes), self.created_at

    def to_json(self) -> bytes:
        """Return the text of manifest.json, with the hash of its own content inside.

        Raises:
            InternalError: A KPI, quality or settings value is no JSON (NaN, Decimal, date).
        """
        fields = asdict(self)
        body = {
            "layout_version": fields.pop("layout_version"),
            "run_id": self.run_id,
            **fields.pop("identity"),
            **fields,
        }
        body["as_of"] = self.identity.as_of.isoformat()
        body["created_at"] = self.created_at.isoformat()
        return pretty_json({**body, "content_sha256": canonical_sha256(body)})


@dataclass(frozen=True)
class _ManifestFile:
    """manifest.json as it lies on the disk: flat, so that `jq .as_of` works."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    layout_version: int
    run_id: str
    environment: str
    portfolio: str
    as_of: date
    input_sha256s: tuple[str, ...]
    contract_version: str
    sql_sha256: str
    settings: JsonObject
    pii_key_id: str
    inputs: tuple[InputFacts, ...]
    ingestion: JsonObject
    kpis: JsonObject
    quality: JsonObject
    previous_run: str | None
    prev_manifest_sha256: str | None
    supersedes: tuple[str, ...]
    code: str
    created_at: datetime
    files: dict[str, FileFacts]
    content_sha256: str

    def identity(self) -> RunIdentity:
        return RunIdentity(
            environment=self.environment,
            portfolio=self.portfolio,
            as_of=self.as_of,
            input_sha256s=self.input_sha256s,
            contract_version=self.contract_version,
            sql_sha256=self.sql_sha256,
            settings=self.settings,
            pii_key_id=self.pii_key_id,
        )

    def manifest(self) -> Manifest:
        return Manifest(
            identity=self.identity(),
            inputs=self.inputs,
            ingestion=self.ingestion,
            kpis=self.kpis,
            quality=self.quality,
            previous_run=self.previous_run,
            prev_manifest_sha256=self.prev_manifest_sha256,
            supersedes=self.supersedes,
            code=self.code,
            created_at=self.created_at,
            files=self.files,
            layout_version=self.layout_version,
        )


_FILE = TypeAdapter(_ManifestFile)


def parse_manifest(text: bytes, folder: Path) -> Manifest:
    """Return the manifest written in `text`, which was found in `folder`.

    Raises:
        LayoutTooNewError: A newer Tapewatch wrote it.
        HashMismatchError: It is damaged: no JSON, other fields, or another content hash.
    """
    try:
        body = json.loads(text)
        if not isinstance(body, dict):
            raise _damaged(folder, "it is no JSON object")
        fields = cast("dict[str, object]", body)
        _refuse_newer(fields.get("layout_version"), folder)
        said = fields.pop("content_sha256", None)
        if said != canonical_sha256(fields):
            raise _damaged(folder, "its content does not fit the hash inside it")
        parsed = _FILE.validate_json(text)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, e["loc"])) for e in error.errors()[:3])
        raise _damaged(folder, f"wrong fields: {where}") from None
    except ValueError:
        raise _damaged(folder, "it is no JSON") from None
    manifest = parsed.manifest()
    if manifest.run_id != parsed.run_id:
        raise _damaged(folder, "its run id does not follow from its own question")
    return manifest


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a run folder.

    Raises:
        LayoutTooNewError: A newer Tapewatch wrote it.
        HashMismatchError: It is missing or damaged.
        StorageError: It cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise _damaged(folder, "it is missing")
    with typed_storage(path):
        text = path.read_bytes()
    return parse_manifest(text, folder)


def _refuse_newer(version: object, folder: Path) -> None:
    if isinstance(version, int) and version > LAYOUT_VERSION:
        raise LayoutTooNewError(
            f"{folder} has layout {version}, this Tapewatch reads up to {LAYOUT_VERSION}",
            fix="upgrade Tapewatch to the version that wrote it",
            evidence={"folder": str(folder), "layout_version": version},
        )


def _damaged(folder: Path, why: str) -> HashMismatchError:
    return HashMismatchError(
        f"{folder / MANIFEST} is damaged: {why}",
        fix=f"move {folder} out of runs, then run the tape of that day again",
        evidence={"folder": str(folder), "file": MANIFEST},
    )
