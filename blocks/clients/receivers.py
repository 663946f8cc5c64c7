"""Everybody who is told when a run has ended, each as its settings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from settings.alerting import ROUTES
from settings.connections import AuditSettings
from settings.errors import TapewatchError
from settings.model import Settings
from warehouse.audit import AUDIT_STORE
from warehouse.delivery import Deliver, Delivered, Receiver, try_to_deliver
from warehouse.delivery_boxes import open_box
from warehouse.layout import Layout
from warehouse.message_box import channel_name

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from settings.alerting import SlackSettings


def open_receivers(
    settings: Settings, audit: AuditSettings, slack: SlackSettings
) -> tuple[Receiver, ...]:
    """Return every receiver that is configured.

    Args:
        settings: Of the process: links and mentions.
        audit: Where the audit store is.
        slack: How the channels are reached.

    Raises:
        ConfigError: One is configured by halves, or its address cannot be used.
    """
    return (*open_audit(audit), *_open_slack(settings, slack))


def receiver_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of the receivers that the settings lead to, without opening any.

    Raises:
        AuditHalfConfiguredError: The audit store is configured by halves.
    """
    slack = settings.integrations.slack
    channels = tuple(channel_name(route) for route in ROUTES if slack.has_way(route))
    return ((AUDIT_STORE,) if settings.audit.is_configured else ()) + channels


def open_audit(audit: AuditSettings) -> tuple[Receiver, ...]:
    """Return the audit store, if one is configured.

    Raises:
        ConfigError: It is configured by halves, or its address cannot be used.
    """
    if not audit.is_configured:
        return ()
    from blocks.clients.audit_store import AuditReceiver, need_store

    return (AuditReceiver(need_store(audit), float(audit.send_seconds)),)


def _open_slack(settings: Settings, slack: SlackSettings) -> tuple[Receiver, ...]:
    if not slack.is_configured:
        return ()
    from blocks.clients.slack import open_channels

    return open_channels(slack, settings.alerting)


def open_delivery(
    settings: Settings, audit: Callable[[], AuditSettings], slack: Callable[[], SlackSettings]
) -> Deliver:
    """Return what a run calls at its end: it sends what is pending and never fails the run.

    `audit` and `slack` are asked then; one that cannot be used is told in the log, and keeps the
    other from nothing.
    """

    def deliver_now(layout: Layout, log: FilteringBoundLogger) -> Sequence[Delivered]:
        environment = settings.environment
        receivers: list[Receiver] = []
        lost: list[Delivered] = []
        for name, open_them in (
            (AUDIT_STORE, lambda: open_audit(audit())),
            ("slack", lambda: _open_slack(settings, slack())),
        ):
            try:
                receivers += open_them()
            except TapewatchError as error:
                log.error(
                    "nothing delivered", receiver=name, code=error.code, message=error.message
                )
                lost.append(_lost(layout, name, environment, error))
        return (*lost, *try_to_deliver(layout, receivers, environment, settings.delivery, log))

    return deliver_now


def _lost(layout: Layout, name: str, environment: str, error: TapewatchError) -> Delivered:
    pending = len(open_box(layout, name, environment).pending()) if name == AUDIT_STORE else 0
    return Delivered(name, pending=pending, error=error)
