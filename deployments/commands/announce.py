"""`tapewatch announce`: say something to a channel, now, and keep who said it."""

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from deployments.documents import print_json
from deployments.render import open_console
from settings.alerting import ROUTES, Route
from settings.errors import UsageError
from settings.model import Settings
from settings.who import user_name
from warehouse.attempt_folder import utc_text
from warehouse.delivery_box import ANNOUNCED, delivery_folder
from warehouse.durable import create_private, make_folder, write_all
from warehouse.json_text import JsonObject, line_json
from warehouse.layout import Layout
from warehouse.messages import Message
from warehouse.storage_errors import typed_storage


class NothingSaidError(UsageError):
    """The announcement has no text."""

    code = "NOTHING_SAID"


def announce(settings: Settings, text: str, route: Route, *, is_json: bool) -> None:
    """Post `text` to the channel of `route` and write it down; nothing is tried later.

    Raises:
        NothingSaidError: There is no text.
        NoChannelError: Nothing leads to the channel.
        TapewatchError: Slack did not take it.
        StorageError: It was said, and could not be written down.
    """
    if not text.strip():
        raise NothingSaidError("the text is empty", fix='say it: tapewatch announce "TEXT"')
    from blocks.clients.slack import need_way, post
    from blocks.clients.slack_messages import render

    slack = settings.integrations.slack
    way, by = need_way(slack, route), user_name()
    facts: JsonObject = {"environment": settings.environment, "text": text, "by": by}
    message = Message(str(uuid4()), "announcement", route, "info", "", "", facts)
    ts = post(way, render(message, settings.alerting), float(slack.seconds))
    told: JsonObject = {
        "at": utc_text(datetime.now(UTC)),
        "by": by,
        "route": route,
        "channel": way.channel,
        "way": f"{way.by}, of the settings",
        "text": text,
        "ref": message.ref,
        "ts": ts,
    }
    _keep(delivery_folder(Layout.of(settings), settings.environment) / ANNOUNCED, told)
    if is_json:
        print_json(told)
        return
    line = f"told {way.channel} by {told['way']}; ref {message.ref}"
    open_console().print(line, markup=False, soft_wrap=True)


def route_named(name: str) -> Route:
    """Return the route of this name.

    Raises:
        UsageError: There is none.
    """
    for route in ROUTES:
        if route == name:
            return route
    raise UsageError(f"no route is called {name!r}", fix=f"choose one of {', '.join(ROUTES)}")


def _keep(path: Path, told: JsonObject) -> None:
    line = line_json(told)
    make_folder(path.parent)
    with typed_storage(path, len(line)):
        fd = create_private(path, flags=os.O_APPEND)
        try:
            write_all(fd, line)
            os.fsync(fd)
        finally:
            os.close(fd)
