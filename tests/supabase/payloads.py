"""A run that says all it can say, as the audit store takes it."""

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

KPIS = {"par_90": "0.031", "rdr_90": "0.012", "outstanding": "1000000.00"}
CHECKS = ("loan_ids_are_unique", "totals_agree")


def run_id(number: int) -> UUID:
    return uuid5(NAMESPACE_URL, f"tapewatch:run:{number}")


def payload(number: int = 1, **run: Any) -> dict[str, Any]:
    """The successful run `number`; `run` changes columns of pipeline_runs."""
    day = f"2025-12-{number:02d}"
    return {
        "schema_version": 1,
        "run": {
            "run_id": str(run_id(number)),
            "pipeline": "daily",
            "environment": "development",
            "portfolio": "all",
            "status": "success",
            "as_of": day,
            "attempt_id": f"attempt-{number}",
            "started_at": f"{day}T06:00:00+00:00",
            "ended_at": f"{day}T06:01:30+00:00",
            "run_folder": f"{day}-{number}",
            "manifest_sha256": f"{number:064x}",
            "sql_sha256": "a" * 64,
            "contract_version": "1",
            "config_version": "b" * 64,
            "settings": {"tolerance": "0.01", "unset": None},
            "pii_key_id": "key-1",
            "git_sha": "0.1.0",
            **run,
        },
        "raw_artifacts": [
            {
                "artifact_id": str(uuid5(run_id(number), "tape")),
                "endpoint": "file",
                "name": "tape.csv",
                "sha256": f"{number:064x}",
                "storage_uri": f"raw/{day}/tape.csv",
                "row_count": 1000,
                "byte_count": 123456,
            }
        ],
        "kpi_values": [_kpi(name, value, day) for name, value in KPIS.items()],
        "data_quality_results": [
            {"check_name": name, "level": "blocking", "status": "pass", "observed": 0}
            for name in CHECKS
        ],
    }


def _kpi(name: str, value: str, day: str) -> dict[str, Any]:
    return {
        "kpi_name": name,
        "segment": "all",
        "as_of": day,
        "value": value,
        "unit": "ratio",
        "status": "ok",
        "basis": "book",
        "direction": "lower",
        "definition_sha256": "c" * 64,
    }
