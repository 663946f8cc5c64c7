"""Who hears an alert: the services that the settings name, and stand-ins for all others."""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from deployments.observe.stand_ins import ROUTING_KEY, Heard, Told, stand_ins
from prometheus.configuration import Place, settings_secrets
from settings.alerting import ROLES, ROUTE_OF_SECRET, ROUTES, role_name
from settings.model import Settings

_MARKED = re.compile(r"((?<!\w)(?:\*(?! )[^*\n]+(?<! )\*|_[^_\n]+_|`[^`\n]+`)(?!\w))")
_STYLES = {"*": "bold", "_": "italic", "`": "cyan"}
_PAGER, _HEARTBEAT = "pagerduty_routing_key", "heartbeat_url"


@dataclass(frozen=True)
class Audience:
    """What Alertmanager is given, and which of its receivers are stand-ins."""

    place: Place
    heard: Heard
    stand_ins: tuple[str, ...]  # for people: channels, the pager, the heartbeat


@contextmanager
def audience(
    settings: Settings, exporter: str, tell: Callable[[Told], None], faster: int = 1
) -> Generator[Audience, None, None]:
    """Yield who hears; a receiver without its secret is stood in for on loopback.

    Args:
        settings: Channels and secrets.
        exporter: Its address, for the configuration.
        tell: Is told each message that a stand-in hears.
        faster: How many times as fast the clocks run.
    """
    slack = settings.integrations.slack
    channels = {name: slack.channel(route) for name, route in ROUTE_OF_SECRET.items()}
    every = frozenset(slack.channel(route) for route in ROUTES)
    with stand_ins(every, tell) as heard:
        given = settings_secrets(settings)
        stands_in = {
            **{name: heard.webhook(channel) for name, channel in channels.items()},
            _PAGER: ROUTING_KEY,
            _HEARTBEAT: heard.heartbeat,
        }
        titles = {**channels, _PAGER: "PagerDuty", _HEARTBEAT: "the heartbeat"}
        yield Audience(
            Place(
                exporter=exporter,
                secrets={**stands_in, **given},
                pagerduty="" if _PAGER in given else heard.pagerduty,
                faster=faster,
            ),
            heard,
            tuple(title for name, title in titles.items() if name not in given),
        )


def called(told: Told, settings: Settings) -> str:
    """Return the roles that a message calls: "@cfo", or ""."""
    mentions = settings.alerting.mentions
    known: Mapping[str, str] = {mentions.mention(role): role_name(role) for role in ROLES}
    return f"@{known.get(told.mention, told.mention)}" if told.mention else ""


def print_told(console: Console, told: Told, settings: Settings) -> None:
    """Show a message as its audience gets it."""
    mention = called(told, settings)
    calls = f"  calls {mention}" if mention else ""
    colour = "green" if told.state == "resolve" else "bold"
    console.print(f"\n{told.where}{calls}", style="cyan", markup=False)
    console.print(f"  {told.title}", style=colour, markup=False)
    for line in told.text.replace("```", "").splitlines():
        console.print("  ", read_marks(line), sep="", soft_wrap=True)


def read_marks(line: str) -> Text:
    """Return a line as Slack shows it: bold, italic and code are styles, not characters."""
    text = Text()
    for part in _MARKED.split(line):
        style = _STYLES.get(part[:1], "") if _MARKED.fullmatch(part) else ""
        text.append(part[1:-1] if style else part, style)
    return text
