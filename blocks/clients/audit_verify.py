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
from warehouse.outbox import Link, Outbox
from warehouse.rollback_record import RollbackRecord, list_rollbacks
from warehouse.run_folder import SealedRun

# What must be the same in the store: the key of a row first; numbers as text, to the last digit.
_TABLES: Mapping[str, Sequence[str]] = {
    "raw_artifacts": (
        *("run_id", "artifact_id", "name", "sha256", "byte_count", "endpoint", "storage_uri"),
    ),
    "kpi_values": (
        *("run_id", "kpi_name", "segment", "value::text", "status", "numerator::text"),
        *("denominator::text", "reason", "unit", "basis", "definition_sha256"),
    ),
    "data_quality_results": ("run_id", "check_name", "level", "status", "observed"),
}
_KEYS = {
    "raw_artifacts": "artifact_id",
    "kpi_values": "kpi_name",
    "data_quality_results": "check_name",
}
_RUN = ("run_id", "manifest_sha256", "status", "environment", "portfolio", "as_of", "sql_sha256")

_ROLLBACK = (*_RUN, "run_folder", "previous_run", "supersedes", "decision")


@dataclass(frozen=True)
class Mismatch:
    """One way in which the store is not what was sealed and received here."""

    item: str
    what: str


@dataclass(frozen=True)
class StoreVerdict:
    """What the comparison found.

    `links` is how long the store's chain is, `received` how many items it has acknowledged, and
    `compared` how many of these are runs whose folder is here, row by row.
    """

    links: int
    newest_hash: str | None
    received: int
    compared: int
    pending: int
    mismatches: tuple[Mismatch, ...]


def verify_store(store: AuditStore, layout: Layout, environment: str) -> StoreVerdict:
    """Compare the store with every receipt and every sealed run of this environment.

    Raises:
        TapewatchError: The store did not answer.
    """
    outbox = Outbox(layout, AUDIT_STORE, environment)
    receipts = outbox.receipts()  # before the links: a run that is sent meanwhile is not missing
    of_store = {name: r for name, r in receipts.items() if r.store == store.address}
    refused = sorted(outbox.refused())
    found = [Mismatch(name, "its receipt cannot be read") for name in outbox.damaged()]
    found += [Mismatch(name, "the store refused it for good") for name in refused]
    elsewhere = [r for r in receipts.values() if r.store != store.address]
    chain = _Chain(store, [*outbox.earlier(), *elsewhere])
    found += chain.problems()
    for name, receipt in of_store.items():
        found += chain.missing(name, receipt)
    names = [name for name in (*of_store, *refused) if (layout.runs / name).is_dir()]
    found += _other_rows(store, layout, chain, names)
    told = [r for r in list_rollbacks(layout, environment) if r.name in of_store]
    found += _other_rollbacks(store, told)
    return StoreVerdict(
        links=len(chain.hashes),
        newest_hash=chain.hashes[max(chain.hashes)] if chain.hashes else None,
        received=len(of_store),
        compared=len(names) - len(set(refused) & set(names)),
        pending=len(outbox.pending(store.address)),
        mismatches=tuple(found),
    )


class _Chain:
    """The store's links as they are now, and those that earlier stores have answered with."""

    def __init__(self, store: AuditStore, earlier: Sequence[Link]) -> None:
        rows = store.rows("audit_ledger", ("seq", "entry_hash::text"))
        self.hashes: dict[int, str] = {
            row["seq"]: row["entry_hash"].removeprefix("\\x") for row in rows
        }
        self._problems = store.chain_problems()
        self._earlier = {(link.ledger_seq, link.ledger_hash) for link in earlier}

    def problems(self) -> list[Mismatch]:
        """Return what the store itself finds wrong."""
        return [
            Mismatch(f"link {p['seq']} of run {p['run_id']}", str(p["problem"]))
            for p in self._problems
        ]

    def missing(self, item: str, link: Link) -> Iterator[Mismatch]:
        """Yield how a link that was received is not there as it was received."""
        there = self.hashes.get(link.ledger_seq)
        if there is None:
            yield Mismatch(item, f"link {link.ledger_seq} was received and is not in the store")
        elif there != link.ledger_hash:
            told = f"link {link.ledger_seq} has another hash than was received: the chain is new"
            yield Mismatch(item, told)

    def not_seen(self, item: str, seen: Link) -> Iterator[Mismatch]:
        """Yield how a link that a run has sealed is neither there nor of an earlier store."""
        if (seen.ledger_seq, seen.ledger_hash) not in self._earlier:
            yield from self.missing(item, seen)


def _other_rows(
    store: AuditStore, layout: Layout, chain: _Chain, names: Sequence[str]
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
        if run["ledger_seen_seq"] is not None:
            yield from chain.not_seen(name, Link(run["ledger_seen_seq"], run["ledger_seen_hash"]))
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


def _other_rollbacks(store: AuditStore, told: Sequence[RollbackRecord]) -> Iterator[Mismatch]:
    if not told:  # a store that was never migrated for them has no such column
        return
    stored = {row["run_id"]: row for row in store.rows("pipeline_runs", _ROLLBACK)}
    for rollback in told:
        run = cast("dict[str, Any]", rollback.payload()["run"])
        there = {k: row for k, row in stored.items() if k == run["run_id"]}
        yield from _compare(rollback.name, "pipeline_runs", {run["run_id"]: run}, there, _ROLLBACK)


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
