"""`tapewatch deliver`: send every receiver what it lacks."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.console import Console

from deployments.documents import print_json
from deployments.render import open_console, print_facts
from settings.model import Settings
from warehouse.attempt_folder import utc_text
from warehouse.delivery import Delivered, Order, Receiver, deliver, failures
from warehouse.delivery_box import AskedToWaitError, Backlog
from warehouse.delivery_boxes import open_box
from warehouse.layout import Layout

_BLOCKS = "what Prefect's blocks hold is for the flows"


def deliver_pending(
    settings: Settings, *, is_again: bool, is_refused_too: bool, is_json: bool
) -> None:
    """Send what is pending to all that are configured; that there is nobody is no error.

    Raises:
        LockHeldError: Another delivery is at work.
        TapewatchError: What kept an item from a receiver.
    """
    from blocks.clients.receivers import open_receivers

    receivers = open_receivers(settings, settings.audit, settings.integrations.slack)
    delivered = send(settings, receivers, is_again=is_again, is_refused_too=is_refused_too)
    show(settings, delivered, is_json=is_json)
    refuse_undelivered(delivered)


def send(
    settings: Settings,
    receivers: Sequence[Receiver],
    *,
    is_again: bool = False,
    is_refused_too: bool = False,
) -> tuple[Delivered, ...]:
    """Send now, also to a receiver that failed a moment ago: somebody asks for it.

    Raises:
        LockHeldError: Another delivery is at work.
    """
    layout = Layout.of(settings)
    now = datetime.now(UTC)
    if is_refused_too:
        for receiver in receivers:
            open_box(layout, receiver.name, settings.environment).retry_refused(now)
    order = Order(float(settings.delivery.total_seconds), is_now=True, is_again=is_again)
    console = open_console(stderr=True)
    names = ", ".join(receiver.name for receiver in receivers)
    if not console.is_terminal:
        return deliver(layout, receivers, settings.environment, settings.delivery, order)
    with console.status(f"sending to {names} …"):
        return deliver(layout, receivers, settings.environment, settings.delivery, order)


def show(settings: Settings, delivered: Sequence[Delivered], *, is_json: bool) -> None:
    """Show what was sent and what waits, receiver by receiver."""
    if is_json:
        told: list[JsonValue] = [_document(settings, result) for result in delivered]
        print_json({"source": "settings", "receivers": told})
        return
    console = open_console()
    if not delivered:
        console.print(f"nobody to tell: no receiver is set ({_BLOCKS})", soft_wrap=True)
        return
    for result in delivered:
        _print(console, settings, result)
    console.print(f"sent by the settings ({_BLOCKS})", style="dim", soft_wrap=True)


def refuse_undelivered(delivered: Sequence[Delivered]) -> None:
    """Raise what kept an item from a receiver; that it asked to wait is no failure.

    Raises:
        TapewatchError: The first receiver's error.
    """
    if errors := failures(delivered):
        raise errors[0]


def refused_line(backlog: Backlog) -> str:
    """Return how many items were refused, and the first of them."""
    return f"{len(backlog.refused):,}: {', '.join(backlog.refused[:3])}"


def _document(settings: Settings, result: Delivered) -> dict[str, JsonValue]:
    backlog = open_box(Layout.of(settings), result.receiver, settings.environment).backlog()
    return {
        "receiver": result.receiver,
        **result.facts(),
        "pending": backlog.pending,
        "oldest_pending": None if backlog.oldest is None else utc_text(backlog.oldest),
        "refused_in_all": len(backlog.refused),
        "next_try": None
        if backlog.state.not_before is None
        else utc_text(backlog.state.not_before),
    }


def _print(console: Console, settings: Settings, result: Delivered) -> None:
    backlog = open_box(Layout.of(settings), result.receiver, settings.environment).backlog()
    facts = {"sent": f"{result.sent:,}", "pending": f"{backlog.pending:,}"}
    if backlog.oldest is not None:
        hours = (datetime.now(UTC) - backlog.oldest).total_seconds() / 3600
        facts["pending"] += f", the oldest for {hours:,.1f} h"
    if backlog.refused:
        facts["refused"] = (
            f"{refused_line(backlog)}; once mended: tapewatch deliver --retry-refused"
        )
    if isinstance(result.error, AskedToWaitError):
        facts["waits"] = f"{result.error.message}; {result.error.fix}"
    console.print(f"[bold]{result.receiver}[/]")
    print_facts(console, {f"  {name}": told for name, told in facts.items()})
