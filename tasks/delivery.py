"""Tell the receivers: the saved blocks first, then the settings."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from blocks.audit_store import load_audit_settings
from blocks.clients.receivers import open_delivery, open_receivers
from blocks.slack import load_slack, load_slack_settings
from settings.model import Settings
from warehouse.delivery import Deliver, Delivered, Order, deliver, failures
from warehouse.layout import Layout
from warehouse.lock import LockHeldError


def delivery(settings: Settings) -> Deliver:
    """Return what a run calls at its end to tell the receivers."""
    return open_delivery(
        settings, lambda: load_audit_settings(settings), lambda: load_slack_settings(settings)
    )


@task(
    name="deliver",
    task_run_name="deliver",
    description="Sends every receiver what it has not acknowledged, oldest first.",
    tags=["tapewatch"],
    cache_policy=NO_CACHE,
    persist_result=False,
)
def deliver_pending(settings: Settings) -> tuple[Delivered, ...]:
    """Send every receiver what it lacks; one that failed a moment ago waits for its time.

    Raises:
        TapewatchError: A receiver refused an item for good, or cannot be reached.
    """
    log = get_run_logger()
    audit = load_audit_settings(settings)
    slack, used = load_slack(settings)
    log.info("Slack by %s, else by the settings", ", ".join(used) or "no block")
    receivers = open_receivers(settings, audit, slack)
    order = Order(float(settings.delivery.total_seconds))
    layout = Layout.of(settings)
    try:
        delivered = deliver(layout, receivers, settings.environment, settings.delivery, order)
    except LockHeldError:
        log.info("another delivery is at work, and sends the same")
        return ()
    for result in delivered:
        log.info("%s: %s", result.receiver, result.facts())
    if errors := failures(delivered):
        raise errors[0]
    return delivered
