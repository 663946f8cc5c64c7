"""Which box is whose: a channel of Slack gets messages, the audit store runs and attempts."""

from collections.abc import Sequence
from typing import Any

from settings.connections import DeliverySettings
from warehouse.dead_letters import FALLBACK
from warehouse.delivery_box import Box
from warehouse.layout import Layout
from warehouse.mail import Mail
from warehouse.message_box import Allowance, MessageBox, route_of
from warehouse.outbox import Outbox


def open_box(layout: Layout, receiver: str, environment: str) -> Box[Any, Any]:
    """Return the box of a receiver by its name, to look into."""
    if route_of(receiver) is None:
        return Outbox(layout, receiver, environment)
    return MessageBox(layout, receiver, environment)


def is_fallback(receiver: str) -> bool:
    """Return whether a receiver is the channel that tells what others refused."""
    return route_of(receiver) == FALLBACK


def open_boxes(
    layout: Layout, receivers: Sequence[str], environment: str, settings: DeliverySettings
) -> list[Box[Any, Any]]:
    """Return the boxes of these receivers, to send from: channels share the mail and the day."""
    mail = Mail(layout, environment)
    allowance = Allowance(layout, environment, settings.messages_a_day)
    return [
        Outbox(layout, name, environment)
        if route_of(name) is None
        else MessageBox(layout, name, environment, mail, allowance)
        for name in receivers
    ]
