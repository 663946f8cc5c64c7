"""Judge an audit store from outside: its rows beside the files of a data folder, by plain SQL."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

from tests.postgres import Database
from tests.trials.evidence import attempts, manifest

_NOTHING_PUBLISHED = ("failed", "canceled", "abandoned")


def stored_once(root: Path, database: Database) -> list[str]:
    """What of the runs and attempts is not in the store once, and as they say it."""
    runs = [manifest(path.parent) for path in root.glob("data/runs/*/manifest.json")]
    sealed = {run["run_id"]: _sealed(run) for run in runs}
    ended = [a for a in attempts(root).values() if a["status"] in _NOTHING_PUBLISHED]
    stored = dict(database.rows("app", "select run_id::text, status from analytics.pipeline_runs"))
    kpis = _by_run(database, "kpi_name, value, status", "kpi_values")
    checks = _by_run(database, "check_name, observed", "data_quality_results")
    links = database.rows("app", "select run_id::text from analytics.audit_ledger")
    found = [f"{run}: {n} links" for (run,), n in Counter(links).items() if n > 1]
    found += [f"{run}: no link" for run in stored.keys() - {run for (run,) in links}]
    successes = {run for run, status in stored.items() if status == "success"}
    found += [f"{run}: not stored" for run in sorted(sealed.keys() - successes)]
    found += [f"{run}: never sealed" for run in sorted(successes - sealed.keys())]
    found += [
        f"{run}: stored with other rows"
        for run in sorted(successes & sealed.keys())
        if sealed[run] != (sorted(kpis[run]), sorted(checks[run]))
    ]
    told, there = Counter(a["status"] for a in ended), Counter(stored.values())
    del there["success"]
    if told != there:
        found.append(f"attempts: {dict(there)} are stored of {dict(told)}")
    broken = database.rows("app", "select problem from analytics.verify_audit_chain()")
    found += [f"chain: {problem}" for (problem,) in broken]
    return found + _without_receipt(root, len(runs) + len(ended))


def _by_run(database: Database, columns: str, table: str) -> dict[str, list[tuple]]:
    rows = database.rows("app", f"select run_id::text, {columns} from analytics.{table}")  # noqa: S608
    by_run: dict[str, list[tuple]] = {run: [] for run, *_ in rows}
    for run, *row in rows:
        by_run[run].append(tuple(row))
    return by_run


def _sealed(run: dict) -> tuple[list[tuple], list[tuple]]:
    checks = list(run["quality"]["checks"].items())
    if (facts := run["quality"]["reconciliation"]) is not None:
        checks.append(("reconciliation", facts["compared"] - facts["matched"]))
    values = [
        (kpi["name"], None if kpi["value"] is None else Decimal(kpi["value"]), kpi["status"])
        for kpi in run["kpis"]["values"]
    ]
    return sorted(values), sorted(checks)


def _without_receipt(root: Path, wanted: int) -> list[str]:
    receipts = list(root.glob("data/delivery/*/audit_store/received/*.json"))
    seqs = sorted(json.loads(path.read_bytes())["ledger_seq"] for path in receipts)
    if seqs == list(range(1, wanted + 1)):
        return []
    return [f"receipts: of links {seqs}, and {wanted} were to come"]
