"""Everybody who is told when a run has ended, each as its settings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from blocks.clients.audit_store import AuditReceiver, open_store
from settings.errors import TapewatchError
from settings.model import AuditSettings, Settings
from warehouse.audit import AUDIT_STORE
from warehouse.delivery import Deliver, Delivered, Receiver, try_to_deliver
from warehouse.layout import Layout
from warehouse.outbox import Outbox

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def open_receivers(audit: AuditSettings) -> tuple[Receiver, ...]:
    """Return every receiver that is configured.

    Raises:
        ConfigError: One is configured by halves, or its address cannot be used.
    """
    store = open_store(audit)
    return () if store is None else (AuditReceiver(store, float(audit.send_seconds)),)


def open_delivery(settings: Settings, audit: Callable[[], AuditSettings]) -> Deliver:
    """Return what a run calls at its end: it sends what is pending and never fails the run.

    `audit` is asked for the store's settings then; one that cannot be used is told in the log.
    """

    def deliver_now(layout: Layout, log: FilteringBoundLogger) -> Sequence[Delivered]:
        environment = settings.environment
        try:
            receivers = open_receivers(audit())
        except TapewatchError as error:
            log.error("nothing delivered", code=error.code, message=error.message)
            pending = len(Outbox(layout, AUDIT_STORE, environment).pending())
            return (Delivered(AUDIT_STORE, pending=pending, error=error),)
        return try_to_deliver(layout, receivers, environment, settings.delivery, log)

    return deliver_now
