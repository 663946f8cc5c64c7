"""Sealed runs that hold nothing but messages, and the delivery of them to a Slack on loopback."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from blocks.clients.slack import open_channels
from settings.load import load_settings
from tests.warehouse.messages_by_hand import manifest_of
from warehouse.attempt_folder import ErrorFacts
from warehouse.attempt_state import AttemptRecord, save_attempt
from warehouse.delivery import Order, deliver
from warehouse.delivery_boxes import open_box
from warehouse.layout import Layout
from warehouse.message_box import channel_name
from warehouse.messages import Message, SealedMessages, message_id, write_messages
from warehouse.run_folder import seal

ANNOUNCED = {"environment": "staging", "text": "hello", "by": "tests"}


class ChannelDesk:
    """One data folder, its runs' messages, and who takes them."""

    def __init__(self, root, slack, **variables):
        given = {"PIPELINE_ENV": "staging", "TAPEWATCH_PII_KEY": "k" * 16}
        given |= {"TAPEWATCH_DATA_DIR": str(root), **slack.variables(), **variables}
        self.settings = load_settings(given)
        self.layout = Layout.of(self.settings)
        self.layout.make()
        self.days = self.attempts = 0

    def seal(self, *messages, ago=timedelta(0)):
        """Seal one run with these messages, as if so long ago; return its folder."""
        self.days += 1
        at = datetime.now(UTC) - ago
        as_of = (at - timedelta(days=30)).date() + timedelta(days=self.days)
        manifest = manifest_of(as_of, (), created_at=at)
        staged = self.layout.staging / f"day{self.days}"
        staged.mkdir()
        known = [
            replace(m, id=message_id(manifest.run_id, m.kind, f"{m.subject}{n}", m.route))
            for n, m in enumerate(messages)
        ]
        write_messages(staged, SealedMessages("staging", at, {}, tuple(known)))
        return seal(self.layout, staged, manifest, {}).folder

    def fail(self, code="SCHEMA_MISSING", ago=timedelta(0), status="failed", portfolio="default"):
        """Write down an attempt that failed so long ago."""
        at = (datetime.now(UTC) - ago).isoformat()
        error = ErrorFacts(code, "the column <!channel> is missing", "export it again", 65)
        self.attempts += 1
        record = AttemptRecord(
            f"a{self.attempts}-{code.lower().replace('_', '-')}",
            status,
            "staging",
            portfolio,
            at,
            "log",
            ended_at=at,
            error=error,
            phase_seconds={"ingestion": 1.0},
        )
        save_attempt(self.layout, record)

    def succeed(self, folder, ago=timedelta(0), portfolio="default"):
        """Write down an attempt that ended well so long ago, and serve its run."""
        at = (datetime.now(UTC) - ago).isoformat()
        self.attempts += 1
        record = AttemptRecord(
            f"a{self.attempts}", "success", "staging", portfolio, at, "log", at,
            run_folder=folder.name,
        )  # fmt: skip
        save_attempt(self.layout, record)
        current = replace(self.layout, book=f"staging-{portfolio}").current
        current.parent.mkdir(parents=True, exist_ok=True)
        current.write_text(f"{folder.name}\n")

    def send(self, *, seconds=20.0, is_now=False, is_again=False):
        """Deliver once; return how it went by route."""
        slack, alerting = self.settings.integrations.slack, self.settings.alerting
        channels = open_channels(slack, alerting)
        order = Order(seconds, is_now=is_now, is_again=is_again)
        results = deliver(self.layout, channels, "staging", self.settings.delivery, order)
        return {result.receiver.removeprefix("slack-"): result for result in results}

    def box(self, route):
        """Return the box of a channel, to look into."""
        return open_box(self.layout, channel_name(route), "staging")

    def rest_is_over(self):
        """Let every channel be tried again at once."""
        for path in self.layout.delivery.glob("*/*/state.json"):
            path.unlink()


def said(text="hello", route="risk_alerts", severity="info", subject="", not_before=None):
    """Return a message; what it says is data."""
    facts = {**ANNOUNCED, "text": text}
    return Message(
        "", "announcement", route, severity, "default", subject or text, facts, not_before
    )


def shown(slack, route="risk_alerts"):
    """Return what was announced in a channel, in the order it came."""
    return [p["blocks"][1]["text"]["text"] for where, p in slack.taken if where == route]
