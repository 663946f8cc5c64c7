"""Everybody who is told when a run has ended, each as its settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blocks.clients.audit_store import AuditReceiver, open_store
from settings.model import AuditSettings, Settings
from warehouse.delivery import Deliver, Delivered, Receiver, try_to_deliver
from warehouse.layout import Layout

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def open_receivers(audit: AuditSettings) -> tuple[Receiver, ...]:
    """Return every receiver that is configured.

    Raises:
        ConfigError: One is configured by halves, or its address cannot be used.
    """
    store = open_store(audit)
    return () if store is None else (AuditReceiver(store, float(audit.send_seconds)),)


def open_delivery(settings: Settings, audit: AuditSettings) -> Deliver:
    """Return what a run calls at its end: it sends what is pending and never fails the run.

    Raises:
        ConfigError: A receiver is configured by halves, or its address cannot be used.
    """
    receivers = open_receivers(audit)

    def deliver_now(layout: Layout, log: FilteringBoundLogger) -> Sequence[Delivered]:
        return try_to_deliver(layout, receivers, settings.environment, settings.delivery, log)

    return deliver_now
