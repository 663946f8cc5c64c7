"""The audit rows of a run: sealed with it as audit.json, so that what is sent never changes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from uuid import UUID, uuid5

from pydantic import JsonValue

from settings.errors import DataRejectedError, TapewatchError
from settings.kpis import Kpi, kpis_by_name
from warehouse.attempt_state import AttemptRecord
from warehouse.durable import replace_file
from warehouse.json_text import JsonObject, canonical_sha256, pretty_json
from warehouse.kpis import KpiValue
from warehouse.manifest import InputFacts, Manifest
from warehouse.quality import CheckResult, Level
from warehouse.run_folder import SealedRun
from warehouse.storage_errors import typed_storage
from warehouse.verify import Problem, check_file

AUDIT_FILE = "audit.json"
AUDIT_STORE = "audit_store"  # the receiver's name
SCHEMA_VERSION = 1
PIPELINE = "daily"
_ATTEMPTS = UUID("5d0b61d5-6c0c-4f0f-9d5f-0c9e7f3a1c55")
WHOLE_BOOK = "all"  # the only segment there is

_STATUS: Mapping[Level, str] = {"blocking": "fail", "quarantine": "warn", "warning": "warn"}


class NoAuditRowsError(DataRejectedError):
    """The run was sealed by a version that wrote no audit rows."""

    code = "NO_AUDIT_ROWS"


def write_audit(
    folder: Path,
    manifest: Manifest,
    kpis: tuple[KpiValue, ...],
    checks: tuple[CheckResult, ...],
    ledger_seen: JsonObject | None,
) -> None:
    """Write audit.json into the run that is being built: all rows but the manifest's own hash.

    Args:
        folder: The staged run folder.
        manifest: Of the run, its files still unknown.
        kpis: Every KPI of the run.
        checks: Every quality check of the run.
        ledger_seen: `seq` and `hash` of the newest link of the store's chain that was received.

    Raises:
        StorageError: The disk refused.
    """
    catalogue = kpis_by_name()
    seen = ledger_seen or {}
    rows = {
        "schema_version": SCHEMA_VERSION,
        "run": {
            **_run_row(manifest),
            "ledger_seen_seq": seen.get("seq"),
            "ledger_seen_hash": seen.get("hash"),
        },
        "raw_artifacts": [_artifact_row(manifest, facts) for facts in manifest.inputs],
        "kpi_values": [_kpi_row(kpi, catalogue[kpi.name]) for kpi in kpis],
        "data_quality_results": [*map(_check_row, checks), *_reconciliation_row(manifest)],
    }
    replace_file(folder / AUDIT_FILE, pretty_json(rows))


def audit_payload(run: SealedRun) -> dict[str, JsonValue]:
    """Return what the store is sent for a sealed run: its audit.json and its manifest's hash.

    Raises:
        NoAuditRowsError: The run was sealed before there were audit rows.
        HashMismatchError: Its audit.json is missing, or another than was sealed.
        StorageError: It cannot be read.
    """
    if AUDIT_FILE not in run.manifest.files:
        raise NoAuditRowsError(
            f"run {run.name} was sealed by {run.manifest.code}, which wrote no audit rows",
            fix="none: its facts are in its manifest",
        )
    path = check_file(run.folder, run.manifest, AUDIT_FILE)
    with typed_storage(path):
        rows = cast("dict[str, JsonValue]", json.loads(path.read_bytes()))
    facts = cast("dict[str, JsonValue]", rows["run"])
    return {**rows, "run": {**facts, "manifest_sha256": run.manifest_sha256()}}


def facts_of_run(run: SealedRun) -> dict[str, JsonValue]:
    """Return what the store's row of a sealed run says, its manifest's hash included.

    Raises:
        StorageError: The manifest cannot be read.
    """
    return {**_run_row(run.manifest), "manifest_sha256": run.manifest_sha256()}


def verify_audit_rows(run: SealedRun) -> list[Problem]:
    """Return every way in which audit.json does not say what the manifest beside it says.

    The thresholds, and which direction is the better one, are known in audit.json alone.
    """
    if AUDIT_FILE not in run.manifest.files:
        return []
    try:
        payload = audit_payload(run)
    except TapewatchError as error:
        return [Problem(run.name, AUDIT_FILE, error.message)]
    found = {**payload, "run": [payload["run"]]}
    return [
        Problem(run.name, AUDIT_FILE, f"its {name} differ from the manifest")
        for name, rows in _told_by_manifest(run.manifest).items()
        if not _agree(rows, cast("list[dict[str, JsonValue]]", found[name]))
    ]


def _told_by_manifest(manifest: Manifest) -> dict[str, list[dict[str, JsonValue]]]:
    values = cast("list[dict[str, JsonValue]]", manifest.kpis["values"])
    checks = cast("Mapping[str, int]", manifest.quality["checks"])
    return {
        "run": [_run_row(manifest)],
        "raw_artifacts": [_artifact_row(manifest, facts) for facts in manifest.inputs],
        "kpi_values": [
            {"kpi_name" if name == "name" else name: told for name, told in value.items()}
            for value in values
        ],
        "data_quality_results": [
            *({"check_name": name, "observed": bad_rows} for name, bad_rows in checks.items()),
            *_reconciliation_row(manifest),
        ],
    }


def _agree(rows: list[dict[str, JsonValue]], found: list[dict[str, JsonValue]]) -> bool:
    return len(rows) == len(found) and all(
        there.get(name) == told
        for row, there in zip(rows, found, strict=True)
        for name, told in row.items()
    )


def attempt_payload(attempt: AttemptRecord) -> dict[str, JsonValue]:
    """Return what the store is sent for an attempt that published nothing."""
    error = attempt.error
    # the message stays here: it may name a path, and the log folder tells all of it
    told: JsonObject = {"code": error.code, "exit_code": error.exit_code} if error else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "run_id": str(uuid5(_ATTEMPTS, attempt.attempt_id)),
            "pipeline": PIPELINE,
            "environment": attempt.environment,
            "portfolio": attempt.portfolio,
            "status": attempt.status,
            "as_of": attempt.as_of,
            "attempt_id": attempt.attempt_id,
            "started_at": attempt.started_at,
            "ended_at": attempt.ended_at,
            "error": dict(told),
        },
    }


def _run_row(manifest: Manifest) -> dict[str, JsonValue]:
    identity, ingestion = manifest.identity, manifest.ingestion
    return {
        "run_id": manifest.run_id,
        "pipeline": PIPELINE,
        "environment": identity.environment,
        "portfolio": identity.portfolio,
        "status": "success",
        "as_of": identity.as_of.isoformat(),
        "attempt_id": ingestion["attempt_id"],
        "started_at": ingestion["received_at"],
        "ended_at": manifest.created_at.isoformat(),
        "run_folder": identity.folder_name,
        "sql_sha256": identity.sql_sha256,
        "contract_version": identity.contract_version,
        "config_version": canonical_sha256(identity.settings),
        "settings": dict(identity.settings),
        "pii_key_id": identity.pii_key_id,
        "git_sha": manifest.code,
        "previous_run": manifest.previous_run,
        "supersedes": list(manifest.supersedes),
        "accepted_anomaly": manifest.quality["accepted_anomaly"],
    }


def _artifact_row(manifest: Manifest, facts: InputFacts) -> dict[str, JsonValue]:
    return {
        "artifact_id": str(uuid5(UUID(manifest.run_id), f"{facts.sha256}/{facts.name}")),
        "endpoint": manifest.ingestion["origin"],
        "name": facts.name,
        "sha256": facts.sha256,
        "storage_uri": f"raw/{facts.sha256}/{facts.name}",
        "row_count": facts.rows,
        "byte_count": facts.bytes,
    }


def _kpi_row(value: KpiValue, kpi: Kpi) -> dict[str, JsonValue]:
    lines = kpi.thresholds
    return {
        "kpi_name": value.name,
        "segment": WHOLE_BOOK,
        "as_of": value.as_of.isoformat(),
        "value": _text(value.value),
        "unit": value.unit,
        "status": value.status,
        "basis": value.basis,
        "numerator": _text(value.numerator),
        "denominator": _text(value.denominator),
        "direction": kpi.direction,
        "warning_threshold": lines and _text(lines.warning),
        "critical_threshold": lines and _text(lines.critical),
        "reason": value.reason,
        "definition_sha256": value.definition_sha256,
    }


def _check_row(check: CheckResult) -> dict[str, JsonValue]:
    return {
        "check_name": check.name,
        "level": check.level,
        "status": "pass" if check.is_passed else _STATUS[check.level],
        "observed": check.bad_rows,
    }


def _reconciliation_row(manifest: Manifest) -> list[dict[str, JsonValue]]:
    """Return how many snapshot rows the ledger reproduces, as one more check."""
    told = cast("Mapping[str, int] | None", manifest.quality["reconciliation"])
    if told is None:
        return []
    differing = told["compared"] - told["matched"]
    return [
        {
            "check_name": "reconciliation",
            "level": "blocking",
            "status": "fail" if differing else "pass",
            "observed": differing,
            "details": dict(told),
        }
    ]


def _text(number: object) -> str | None:
    """Return a decimal as text: a JSON number may lose its last digits on the way."""
    return None if number is None else f"{number:f}"
