"""`tapewatch notify`: what a run says, as its audience would see it; or sent to a test address."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import JsonValue, SecretStr, TypeAdapter, ValidationError
from rich.console import Console

from deployments.documents import print_json
from deployments.lookup import folder_of, served_run
from deployments.render import open_console
from settings.alerting import Webhook, webhook_url
from settings.errors import DataRejectedError, UsageError
from settings.model import Settings
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.messages import Message, check_messages, read_messages
from warehouse.run_folder import SealedRun

_ADDRESS = TypeAdapter(Webhook)


class NoMessagesError(DataRejectedError):
    """The run was sealed by a version that wrote no messages."""

    code = "NO_MESSAGES"


class BadAddressError(UsageError):
    """The test address cannot be used."""

    code = "BAD_ADDRESS"


def notify(settings: Settings, name: str | None, to: str | None, *, is_json: bool) -> None:
    """Show each message of a run, or post each to `to`; no receipt is written.

    Raises:
        BadAddressError: `to` is no address of a webhook.
        HashMismatchError: The run is not what was sealed.
        NoMessagesError: It was sealed without messages.
        TapewatchError: What the test address answered.
    """
    from blocks.clients.slack_messages import render

    layout = Layout.of(settings)
    run = served_run(layout) if name is None else _named(layout, name)
    sealed = read_messages(run.folder)
    if sealed is None:
        raise NoMessagesError(
            f"run {run.name} was sealed by {run.manifest.code}, which wrote no messages",
            fix="name a later run; see tapewatch runs",
        )
    manifest = check_messages(run.folder)
    payloads = [(m, render(m, settings.alerting, manifest)) for m in sealed.messages]
    if to is not None:
        _send(settings, to, payloads)
    elif is_json:
        documents: list[JsonValue] = [_document(settings, *told) for told in payloads]
        print_json({"run": run.name, "messages": documents})
    else:
        _show(open_console(), settings, run, payloads)


def _named(layout: Layout, name: str) -> SealedRun:
    folder = layout.runs / folder_of(layout, name)
    return SealedRun(folder, load_manifest(folder))


def _document(settings: Settings, message: Message, payload: dict[str, Any]) -> JsonValue:
    return {
        "kind": message.kind,
        "route": message.route,
        "channel": settings.integrations.slack.channel(message.route),
        "not_before": message.not_before and message.not_before.isoformat(),
        "payload": payload,
    }


def _send(settings: Settings, to: str, payloads: Sequence[tuple[Message, dict[str, Any]]]) -> None:
    from blocks.clients.slack import Way, post

    try:
        url = webhook_url(_ADDRESS.validate_python(SecretStr(to)))
    except ValidationError:
        raise BadAddressError(
            "the address must begin with https:// (http:// on this machine alone)",
            fix="give the URL of an incoming webhook",
        ) from None
    seconds = float(settings.integrations.slack.seconds)
    for message, payload in payloads:
        post(Way(message.route, "the test address", url), payload, seconds)
    told = f"sent {len(payloads)} messages to the test address; no receipt is kept"
    open_console().print(told, soft_wrap=True)


def _show(
    console: Console,
    settings: Settings,
    run: SealedRun,
    payloads: Sequence[tuple[Message, dict[str, Any]]],
) -> None:
    console.print(f"run {run.name} says {len(payloads)} things; nothing is sent", style="bold")
    for message, payload in payloads:
        channel = settings.integrations.slack.channel(message.route)
        when = "" if message.not_before is None else f"  not before {message.not_before}"
        console.print(f"\n{channel}{when}", style="cyan", markup=False, soft_wrap=True)
        print_payload(console, payload)


def print_payload(console: Console, payload: Mapping[str, Any]) -> None:
    """Print a message of blocks as a person reads it."""
    first, *rest = payload["blocks"]
    console.print(f"  {_text(first['text'])}", style="bold", markup=False, soft_wrap=True)
    for block in rest:
        style = "dim" if block["type"] == "context" else ""
        for line in _lines(block):
            console.print(f"  {line}", style=style, markup=False, soft_wrap=True)


def _lines(block: Mapping[str, Any]) -> Iterator[str]:
    elements = block.get("elements") or [block["text"]]
    for element in elements:
        yield from _text(element).replace("```", "").splitlines()


def _text(element: Mapping[str, Any]) -> str:
    return html.unescape(element["text"])
