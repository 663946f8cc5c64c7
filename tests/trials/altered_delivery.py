"""Mistakes in the delivery to the audit store, which the trials must notice."""

from typing import Any
from uuid import uuid4

from warehouse import audit, outbox


def receipt_before_sending() -> None:
    """Write the receipt of an item, and send it afterwards."""
    keep = outbox.Outbox.keep_receipt
    pending = outbox.Outbox.pending

    def pending_received(self: Any, store: str | None = None) -> list[Any]:
        items = pending(self, store)
        for item in items:
            keep(self, item, outbox.Link(1, "a" * 64), store or "", item.since)
        return items

    outbox.Outbox.pending = pending_received


def receipts_never_kept() -> None:
    """Forget what was received."""
    outbox.Outbox.keep_receipt = lambda self, item, link, store, now: None


def new_ids_at_every_try() -> None:
    """Give a run another id each time it is sent, as one who has no key for what is there."""
    payload = audit.audit_payload

    def other_id(run: Any) -> dict[str, Any]:
        sent = payload(run)
        return {**sent, "run": {**sent["run"], "run_id": str(uuid4())}, "raw_artifacts": []}

    outbox.audit_payload = other_id


def half_the_rows() -> None:
    """Send a run without one of its KPIs."""
    payload = audit.audit_payload

    def less(run: Any) -> dict[str, Any]:
        sent = payload(run)
        return {**sent, "kpi_values": sent["kpi_values"][1:]}

    outbox.audit_payload = less
