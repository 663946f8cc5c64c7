"""`tapewatch audit`: what the store is sent, what it got, and whether it still holds that."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import JsonValue
from rich.text import Text

from deployments.commands.deliver import refuse_undelivered, send, show
from deployments.documents import print_json
from deployments.lookup import folder_of
from deployments.render import open_console, print_facts
from deployments.verdict import keep_verdict
from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.audit import audit_payload, verify_audit_rows
from warehouse.layout import Layout
from warehouse.manifest import HashMismatchError, load_manifest
from warehouse.run_folder import SealedRun, list_runs, run_folders, verify_all
from warehouse.served import NothingPublishedError
from warehouse.verify import Problem

if TYPE_CHECKING:
    from blocks.clients.audit_verify import StoreVerdict


_SHOWN = 20  # differences on the screen


class AuditMismatchError(DataRejectedError):
    """The audit store does not hold what was sealed and received here."""

    code = "AUDIT_MISMATCH"


def print_payload(settings: Settings, name: str | None) -> None:
    """Print what the store is sent for the run sealed last, or the named one; nothing is sent.

    Raises:
        HashMismatchError: The run is not what was sealed.
        NothingPublishedError: There is no run yet.
    """
    layout = Layout.of(settings)
    if name is not None:
        folder = layout.runs / folder_of(layout, name)
        run = SealedRun(folder, load_manifest(folder))
    else:
        run = max(list_runs(layout), key=lambda run: run.manifest.created_at, default=None)
    if run is None:
        told = f"there is no run under {layout.runs}"
        raise NothingPublishedError(told, fix="publish a tape with `tapewatch run`")
    print_json(audit_payload(run))


def write_audit(settings: Settings, *, is_json: bool) -> None:
    """Send the audit store all that it lacks; that there is none is an error here.

    Raises:
        NoStoreError: No audit store is set.
        TapewatchError: What kept an item from the store.
    """
    from blocks.clients.audit_store import AuditReceiver, need_store

    receiver = AuditReceiver(need_store(settings.audit), float(settings.audit.send_seconds))
    delivered = send(settings, (receiver,))
    show(settings, delivered, is_json=is_json)
    refuse_undelivered(delivered)


def verify_audit(settings: Settings, *, is_json: bool) -> None:
    """Verify every run folder here, and hold the store to them and to the receipts.

    Raises:
        HashMismatchError: A run folder is not what was sealed.
        AuditMismatchError: The store does not hold what was sealed and received here.
        TapewatchError: The store did not answer.
    """
    from blocks.clients.audit_store import open_store
    from blocks.clients.audit_verify import verify_store

    layout = Layout.of(settings)
    problems = verify_all(layout)
    problems += [problem for run in list_runs(layout) for problem in verify_audit_rows(run)]
    if problems:  # the store may not answer
        keep_verdict(settings, "audit", _counts(problems, None), is_whole=False)
    store = open_store(settings.audit)
    verdict = None if store is None else verify_store(store, layout, settings.environment)
    address = None if store is None else store.address
    if is_json:
        print_json(_document(layout, problems, address, verdict))
    else:
        told = _local_facts(layout, problems)
        print_facts(open_console(), told | _store_facts(address, verdict))
    keep_verdict(settings, "audit", _counts(problems, verdict), is_whole=True)
    _refuse(problems, verdict)


def _counts(problems: list[Problem], verdict: StoreVerdict | None) -> Counter[str]:
    of_store = verdict.mismatches if verdict else ()
    return Counter([*(p.folder for p in problems), *(m.item for m in of_store)])


def _document(
    layout: Layout, problems: list[Problem], address: str | None, verdict: StoreVerdict | None
) -> dict[str, JsonValue]:
    return {
        "is_sound": not problems and not (verdict and verdict.mismatches),
        "run_folders": len(run_folders(layout)),
        "problems": [asdict(problem) for problem in problems],
        "store": address,
        "links": verdict and verdict.links,
        "newest_hash": verdict and verdict.newest_hash,
        "received": verdict and verdict.received,
        "compared": verdict and verdict.compared,
        "pending": verdict and verdict.pending,
        "mismatches": [asdict(mismatch) for mismatch in verdict.mismatches] if verdict else [],
    }


def _local_facts(layout: Layout, problems: list[Problem]) -> dict[str, str | Text]:
    if problems:
        return {"run folders": _not_sound([f"{p.folder}: {p.file} {p.what}" for p in problems])}
    return {"run folders": f"{len(run_folders(layout)):,}, every byte as it was sealed"}


def _store_facts(address: str | None, verdict: StoreVerdict | None) -> dict[str, str | Text]:
    if verdict is None:
        return {"store": "none is set: the run folders are all there is"}
    newest = f", the newest {verdict.newest_hash}" if verdict.newest_hash else ""
    said = f", {verdict.compared:,} of them compared with their run folder, row by row"
    facts: dict[str, str | Text] = {
        "store": address or "",
        "links": f"{verdict.links:,}{newest}",
        "receipts": f"{verdict.received:,}{said}",
        "pending": f"{verdict.pending:,}",
    }
    if verdict.mismatches:
        facts["differs"] = _not_sound([f"{m.item}: {m.what}" for m in verdict.mismatches])
    return facts


def _not_sound(lines: list[str]) -> Text:
    more = len(lines) - _SHOWN
    shown = [*lines[:_SHOWN], *([f"and {more:,} more; --json tells all"] if more > 0 else [])]
    return Text("\n".join(shown), "bold red")


def _refuse(problems: list[Problem], verdict: StoreVerdict | None) -> None:
    if problems:
        first = problems[0]
        raise HashMismatchError(
            f"{first.folder}: {first.file} {first.what} ({len(problems)} problems)",
            fix="restore the folder from a backup; `tapewatch verify RUN` tells all of it",
        )
    if verdict is not None and verdict.mismatches:
        first = verdict.mismatches[0]
        raise AuditMismatchError(
            f"{first.item}: {first.what} ({len(verdict.mismatches)} problems)",
            fix="find out who wrote to the store; docs/AUDIT_LINEAGE.md says how to mend it",
        )
