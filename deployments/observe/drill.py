"""Practise an alert: a real run or its failure, the shipped rules and routes, and who hears it.

Nothing here touches the operator's data or calls anybody: a folder of its own, stand-ins on
loopback, and clocks on which a minute takes a second.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args
from uuid import uuid4

from pydantic import SecretStr

from blocks.clients.feed import open_feed
from blocks.clients.receivers import open_delivery, open_receivers
from deployments.observe.audience import Audience
from deployments.observe.drill_tape import write_drill_tape
from deployments.observe.exporting import Exporting
from deployments.observe.stack import Stack
from deployments.observe.stand_ins import PAGER, Heard
from settings.alerting import ROLES, ROUTES, Route, SlackWebhooks
from settings.errors import AuthError, InternalError
from settings.load import load_settings
from settings.model import Settings
from settings.version import code_version
from warehouse.delivery import Order, deliver
from warehouse.job import Fetch, Fetched, Origin, RunRequest
from warehouse.layout import Layout
from warehouse.run import Start, run_daily

Name = Literal["par-spike", "run-failed", "late-tape", "exporter-down"]
NAMES: tuple[Name, ...] = get_args(Name)
FASTER = 60
PORTFOLIO = "drill"
_HOUR = 3  # of the portfolio's day: when the daily run is due
_SECONDS = 90  # in which everybody has heard, or something is broken
_QUIET_BEATS = 2  # heartbeats: what was due before the second would have been told


class DrillSilentError(InternalError):
    """Somebody who must be told was not."""

    code = "DRILL_SILENT"


@dataclass(frozen=True)
class Scene:
    """Where a drill is played: its settings, its tape, and its two days."""

    settings: Settings
    tape: Path
    today: date  # the day of the newest tape; it ended three hours ago
    now: datetime


@dataclass(frozen=True)
class Drill:
    """What happens, and where it must be heard."""

    story: str
    play: Callable[[Scene, Audience, Exporting], None]
    routes: tuple[Route, ...]
    pages: bool


def drill_settings(root: Path, settings: Settings, now: datetime) -> Settings:
    """Return settings of a portfolio in whose time zone it is three o'clock in the morning.

    Its channels and its links are the operator's; a role is called by an id that shows its name.
    """
    slack = settings.integrations.slack
    offset = (_HOUR - now.hour + 12) % 24 - 12
    variables = {
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "TAPEWATCH_PORTFOLIO__NAME": PORTFOLIO,
        "TAPEWATCH_PORTFOLIO__TIME_ZONE": f"Etc/GMT{-offset:+d}",
        "TAPEWATCH_ALERTING__MENTIONS_BY": "alertmanager",
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


def set_the_scene(root: Path, settings: Settings) -> Scene:
    """Serve a healthy day that was run a day ago, as every day.

    Raises:
        TapewatchError: As a run.
    """
    now = datetime.now(UTC)
    played = drill_settings(root, settings, now)
    today = played.portfolio.yesterday(now)
    scene = Scene(played, write_drill_tape(root / "tape", today), today, now)
    day_ago = replace(scene, now=now - timedelta(days=1))
    _run(day_ago, today - timedelta(days=1), _brought(scene.tape, "cascade"))
    return scene


def play(name: Name, scene: Scene, stack: Stack, who: Audience, exporter: Exporting) -> None:
    """Let it happen, and wait until everybody who must hear it has, and all is quiet again.

    Raises:
        DrillSilentError: Somebody was not told in time.
        ProgramEndedError: Prometheus or Alertmanager ended.
    """
    drill, heard = DRILLS[name], who.heard
    slack = scene.settings.integrations.slack
    awaited = {slack.channel(route) for route in drill.routes}
    awaited |= {PAGER} if drill.pages else frozenset[str]()
    _be_quiet(stack, who)
    drill.play(replace(scene, settings=_in_slack(scene.settings, heard)), who, exporter)
    if not stack.until(lambda: heard.told.keys() >= awaited, _SECONDS):
        missing = ", ".join(sorted(awaited - heard.told.keys()))
        refused = "".join(f"; refused: {line}" for line in heard.refused[:1])
        raise DrillSilentError(
            f"not told within {_SECONDS} s: {missing}{refused}",
            fix=f"see {stack.prometheus.log} and {stack.alertmanager.log}",
        )
    _be_quiet(stack, who)


def _in_slack(settings: Settings, heard: Heard) -> Settings:
    """Return settings whose runs tell their story to the stand-ins, channel by channel."""
    slack = settings.integrations.slack
    webhooks = {route: SecretStr(heard.webhook(slack.channel(route))) for route in ROUTES}
    told = slack.model_copy(update={"webhooks": SlackWebhooks(**webhooks)})
    integrations = settings.integrations.model_copy(update={"slack": told})
    return settings.model_copy(update={"integrations": integrations})


def _be_quiet(stack: Stack, who: Audience) -> None:
    enough = who.heard.beats + _QUIET_BEATS
    if not stack.until(lambda: who.heard.beats >= enough, _SECONDS):
        raise DrillSilentError("no heartbeat", fix=f"see {stack.alertmanager.log}")


def _brought(tape: Path, origin: Origin) -> Fetch:
    return lambda _folder, _log: Fetched((tape,), origin)


def _run(scene: Scene, day: date, fetch: Fetch) -> None:
    start, settings = Start(uuid4().hex, scene.now, code_version()), scene.settings
    tell = open_delivery(settings, lambda: settings.audit, lambda: settings.integrations.slack)
    request = RunRequest(as_of=day)
    run_daily(request, settings, start, lambda _name, step: step(), fetch, tell)


def _deliver(settings: Settings) -> None:
    """Send what a failed run left to be told, as the delivery of every five minutes does."""
    receivers = open_receivers(settings, settings.audit, settings.integrations.slack)
    order = Order(float(settings.delivery.total_seconds))
    deliver(Layout.of(settings), receivers, settings.environment, settings.delivery, order)


def _par_spike(scene: Scene, _who: Audience, _exporter: Exporting) -> None:
    # named, as by a person: the same bytes from Cascade would be no new data, whatever their day
    _run(scene, scene.today, _brought(scene.tape, "file"))


def _late_tape(scene: Scene, _who: Audience, _exporter: Exporting) -> None:
    """Bring the tape of the day before once more: nothing new, and nothing fresher."""
    _run(scene, scene.today - timedelta(days=1), _brought(scene.tape, "cascade"))


def _run_failed(scene: Scene, who: Audience, _exporter: Exporting) -> None:
    """Ask a stand-in of Cascade whose session has expired."""
    told = {"session_cookie": "session=expired", "export_url": f"{who.heard.url}/export.zip"}
    secrets = {name: SecretStr(text) for name, text in told.items()}
    cascade = scene.settings.cascade.model_copy(update=secrets)
    try:
        _run(scene, scene.today, open_feed(scene.settings, cascade))
    except AuthError:
        return _deliver(scene.settings)
    raise InternalError("the drill's run did not fail as it should", fix="report this line")


def _exporter_down(_scene: Scene, _who: Audience, exporter: Exporting) -> None:
    exporter.stop()


DRILLS: Mapping[Name, Drill] = {
    "par-spike": Drill(
        "four large borrowers reach 90 days past due: PAR 90 rises above its critical line",
        _par_spike,
        ("executive_briefing", "risk_alerts"),
        pages=True,
    ),
    "run-failed": Drill(
        "the session of Cascade has expired: the daily run fails",
        _run_failed,
        ("pipeline_failures",),
        pages=True,
    ),
    "late-tape": Drill(
        "Cascade gives yesterday's export again: the served day is 27 hours old",
        _late_tape,
        ("pipeline_failures",),
        pages=True,
    ),
    "exporter-down": Drill(
        "the exporter ends: Prometheus hears nothing of Tapewatch any more",
        _exporter_down,
        ("pipeline_failures",),
        pages=False,
    ),
}
