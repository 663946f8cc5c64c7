"""A scene that is played aside: its settings, its tape, and the runs of its days.

Nothing of it touches the operator's data or calls anybody: a folder of its own, and stand-ins.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from pydantic import SecretStr

from blocks.clients.receivers import open_delivery
from deployments.observe.stand_ins import Heard
from settings.alerting import ROLES, ROUTES, SlackWebhooks
from settings.load import load_settings
from settings.model import Settings
from settings.version import code_version
from warehouse.job import Fetch, Fetched, Origin, RunOutcome, RunRequest
from warehouse.run import Start, run_daily

_HOUR = 3  # of the portfolio's day: when the daily run is due


@dataclass(frozen=True)
class Scene:
    """Where it is played: its settings, its tape, and its two days."""

    settings: Settings
    tape: Path
    today: date  # the day of the newest tape; it ended three hours ago
    now: datetime


def scene_settings(
    root: Path,
    settings: Settings,
    now: datetime,
    portfolio: str,
    mentions_by: Literal["flow", "alertmanager"],
) -> Settings:
    """Return settings of a portfolio in whose time zone it is three o'clock in the morning.

    Its channels and its links are the operator's; a role is called by an id that shows its name.
    """
    slack = settings.integrations.slack
    offset = (_HOUR - now.hour + 12) % 24 - 12
    variables = {
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "TAPEWATCH_PORTFOLIO__NAME": portfolio,
        "TAPEWATCH_PORTFOLIO__TIME_ZONE": f"Etc/GMT{-offset:+d}",
        "TAPEWATCH_ALERTING__MENTIONS_BY": mentions_by,
        "TAPEWATCH_ALERTING__RUNBOOKS_URL": settings.alerting.runbooks_url or "",
        "TAPEWATCH_ALERTING__GRAFANA_URL": settings.alerting.grafana_url or "",
        "TAPEWATCH_ALERTING__REPORTS_URL": settings.alerting.reports_url or "",
    }
    for route in ROUTES:
        name = f"TAPEWATCH_INTEGRATIONS__SLACK__ALERT_CHANNELS__{route.upper()}"
        variables[name] = slack.channel(route)
    for role in ROLES:
        name = f"TAPEWATCH_ALERTING__MENTIONS__{role.upper()}"
        variables[name] = f"S0{role.replace('_', '').upper()}"
    return load_settings(variables)


def in_slack(settings: Settings, heard: Heard) -> Settings:
    """Return settings whose runs tell their story to the stand-ins, channel by channel."""
    slack = settings.integrations.slack
    webhooks = {route: SecretStr(heard.webhook(slack.channel(route))) for route in ROUTES}
    told = slack.model_copy(update={"webhooks": SlackWebhooks(**webhooks)})
    integrations = settings.integrations.model_copy(update={"slack": told})
    return settings.model_copy(update={"integrations": integrations})


def brought(tape: Path, origin: Origin) -> Fetch:
    """Return a source that brings this tape, as from that origin."""
    return lambda _folder, _log: Fetched((tape,), origin)


def run_day(scene: Scene, day: date, fetch: Fetch) -> RunOutcome:
    """Run the tape of a day at the scene's time, and tell its receivers.

    Raises:
        TapewatchError: As a run.
    """
    start, settings = Start(uuid4().hex, scene.now, code_version()), scene.settings
    tell = open_delivery(settings, lambda: settings.audit, lambda: settings.integrations.slack)
    request = RunRequest(as_of=day)
    return run_daily(request, settings, start, lambda _name, step: step(), fetch, tell)
