"""Hold the audit store to what was sealed and received here: neither is believed by itself.

The store's chain shows what was altered under it; whoever writes the whole chain anew, or cuts off
its end, is found by the receipts and by the links that later runs have sealed into them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from blocks.clients.audit_store import AuditStore
from settings.errors import TapewatchError
from warehouse.audit import AUDIT_STORE, audit_payload
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.outbox import Outbox
from warehouse.run_folder import SealedRun

# What must be the same in the store: the key of a row first; numbers as text, to the last digit.
_TABLES: Mapping[str, Sequence[str]] = {
    "raw_artifacts": ("run_id", "name", "sha256", "byte_count", "endpoint", "storage_uri"),
    "kpi_values": (
        *("run_id", "kpi_name", "segment", "value::text", "status", "numerator::text"),
        *("denominator::text", "reason", "unit", "basis", "definition_sha256"),
    ),
    "data_quality_results": ("run_id", "check_name", "level", "status", "observed"),
}
_KEYS = {"raw_artifacts": "name", "kpi_values": "kpi_name", "data_quality_results": "check_name"}
_RUN = ("run_id", "manifest_sha256", "status", "environment", "portfolio", "as_of", "sql_sha256")


@dataclass(frozen=True)
class Mismatch:
    """One way in which the store is not what was sealed and received here."""

    item: str
    what: str


@dataclass(frozen=True)
class StoreVerdict:
    """What the comparison found; `links` is how long the store's chain is."""

    links: int
    newest_hash: str | None
    received: int
    pending: int
    mismatches: tuple[Mismatch, ...]


def verify_store(store: AuditStore, layout: Layout, environment: str) -> StoreVerdict:
    """Compare the store with every receipt and every sealed run of this environment.

    Raises:
        TapewatchError: The store did not answer.
    """
    outbox = Outbox(layout, AUDIT_STORE, environment)
    links = {
        row["seq"]: row for row in store.rows("audit_ledger", ("seq", "run_id", "entry_hash::text"))
    }
    found = [
        Mismatch(f"link {problem['seq']} of run {problem['run_id']}", str(problem["problem"]))
        for problem in store.chain_problems()
    ]
    received = dict(outbox.receipts())
    for item, receipt in received.items():
        found += _missing_link(item, links, receipt.get("ledger_seq"), receipt.get("ledger_hash"))
    found += _other_rows(store, layout, links, [n for n in received if (layout.runs / n).is_dir()])
    return StoreVerdict(
        links=len(links),
        newest_hash=_hex(links[max(links)]["entry_hash"]) if links else None,
        received=len(received),
        pending=len(outbox.pending()),
        mismatches=tuple(found),
    )


def _missing_link(
    item: str, links: Mapping[int, Mapping[str, Any]], seq: object, sha256: object
) -> Iterator[Mismatch]:
    link = links.get(cast("int", seq))
    if link is None:
        yield Mismatch(item, f"link {seq} was received and is not in the store")
    elif _hex(link["entry_hash"]) != sha256:
        yield Mismatch(item, f"link {seq} has another hash than was received: the chain is new")


def _other_rows(
    store: AuditStore, layout: Layout, links: Mapping[int, Mapping[str, Any]], names: Sequence[str]
) -> Iterator[Mismatch]:
    stored = {name: _by_run(store, name, columns) for name, columns in _TABLES.items()}
    runs = {row["run_id"]: row for row in store.rows("pipeline_runs", _RUN)}
    for name in names:
        folder = layout.runs / name
        try:
            payload = audit_payload(SealedRun(folder, load_manifest(folder)))
        except TapewatchError as error:
            yield Mismatch(name, error.message)
            continue
        run = cast("dict[str, Any]", payload["run"])
        if seen := run["ledger_seen_seq"]:
            yield from _missing_link(name, links, seen, run["ledger_seen_hash"])
        if run["run_id"] not in runs:
            yield Mismatch(name, "the run is not in the store")
            continue
        there = {run["run_id"]: runs[run["run_id"]]}
        yield from _compare(name, "pipeline_runs", {run["run_id"]: run}, there, _RUN)
        for table, columns in _TABLES.items():
            rows = cast("list[dict[str, Any]]", payload[table])
            sealed = {row[_KEYS[table]]: row for row in rows}
            kept = stored[table].get(run["run_id"], {})
            yield from _compare(name, table, sealed, kept, columns[1:])


def _by_run(
    store: AuditStore, table: str, columns: Sequence[str]
) -> dict[str, dict[str, Mapping[str, Any]]]:
    by_run: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in store.rows(table, columns):
        by_run.setdefault(row["run_id"], {})[row[_KEYS[table]]] = row
    return by_run


def _compare(
    item: str,
    table: str,
    sealed: Mapping[str, Mapping[str, Any]],
    stored: Mapping[str, Mapping[str, Any]],
    columns: Sequence[str],
) -> Iterator[Mismatch]:
    for key in sorted(sealed.keys() | stored.keys()):
        there, here = stored.get(key), sealed.get(key)
        if not there or not here:
            where = "is not in the store" if here else "is in the store and was never sealed"
            yield Mismatch(item, f"{table} {key} {where}")
            continue
        for column in columns:
            name, _, is_number = column.partition("::")
            said, kept = here.get(name), there.get(name)
            if (_exact(said) != _exact(kept)) if is_number else said != kept:
                yield Mismatch(item, f"{table} {key}: {name} is {kept}, sealed was {said}")


def _exact(text: object) -> Decimal | None:
    return None if text is None else Decimal(str(text))


def _hex(value: str) -> str:
    """Return a bytea as JSON tells it without its prefix."""
    return value.removeprefix("\\x")
