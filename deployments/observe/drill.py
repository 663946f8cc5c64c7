"""Practise an alert: a real run or its failure, the shipped rules and routes, and who hears it.

Nothing here touches the operator's data or calls anybody: a folder of its own, stand-ins on
loopback, and clocks on which a minute takes a second.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from pydantic import SecretStr

from blocks.clients.feed import open_feed
from blocks.clients.receivers import open_receivers
from deployments.observe.audience import Audience
from deployments.observe.drill_tape import write_drill_tape
from deployments.observe.exporting import Exporting
from deployments.observe.scene import Scene, brought, in_slack, run_day, scene_settings
from deployments.observe.stack import Stack
from deployments.observe.stand_ins import PAGER
from settings.alerting import Route
from settings.errors import AuthError, InternalError
from settings.model import Settings
from warehouse.delivery import Order, deliver
from warehouse.layout import Layout

Name = Literal["par-spike", "run-failed", "late-tape", "exporter-down"]
NAMES: tuple[Name, ...] = get_args(Name)
FASTER = 60
PORTFOLIO = "drill"
_SECONDS = 90  # in which everybody has heard, or something is broken
_QUIET_BEATS = 2  # heartbeats: what was due before the second would have been told


class DrillSilentError(InternalError):
    """Somebody who must be told was not."""

    code = "DRILL_SILENT"


@dataclass(frozen=True)
class Drill:
    """What happens, and where it must be heard."""

    story: str
    play: Callable[[Scene, Audience, Exporting], None]
    routes: tuple[Route, ...]
    pages: bool


def set_the_scene(root: Path, settings: Settings) -> Scene:
    """Serve a healthy day that was run a day ago, as every day.

    Raises:
        TapewatchError: As a run.
    """
    now = datetime.now(UTC)
    played = scene_settings(root, settings, now, PORTFOLIO, "alertmanager")
    today = played.portfolio.yesterday(now)
    scene = Scene(played, write_drill_tape(root / "tape", today), today, now)
    day_ago = replace(scene, now=now - timedelta(days=1))
    run_day(day_ago, today - timedelta(days=1), brought(scene.tape, "cascade"))
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
    drill.play(replace(scene, settings=in_slack(scene.settings, heard)), who, exporter)
    if not stack.until(lambda: heard.told.keys() >= awaited, _SECONDS):
        missing = ", ".join(sorted(awaited - heard.told.keys()))
        refused = "".join(f"; refused: {line}" for line in heard.refused[:1])
        raise DrillSilentError(
            f"not told within {_SECONDS} s: {missing}{refused}",
            fix=f"see {stack.prometheus.log} and {stack.alertmanager.log}",
        )
    _be_quiet(stack, who)


def _be_quiet(stack: Stack, who: Audience) -> None:
    enough = who.heard.beats + _QUIET_BEATS
    if not stack.until(lambda: who.heard.beats >= enough, _SECONDS):
        raise DrillSilentError("no heartbeat", fix=f"see {stack.alertmanager.log}")


def _deliver(settings: Settings) -> None:
    """Send what a failed run left to be told, as the delivery of every five minutes does."""
    receivers = open_receivers(settings, settings.audit, settings.integrations.slack)
    order = Order(float(settings.delivery.total_seconds))
    deliver(Layout.of(settings), receivers, settings.environment, settings.delivery, order)


def _par_spike(scene: Scene, _who: Audience, _exporter: Exporting) -> None:
    # named, as by a person: the same bytes from Cascade would be no new data, whatever their day
    run_day(scene, scene.today, brought(scene.tape, "file"))


def _late_tape(scene: Scene, _who: Audience, _exporter: Exporting) -> None:
    """Bring the tape of the day before once more: nothing new, and nothing fresher."""
    run_day(scene, scene.today - timedelta(days=1), brought(scene.tape, "cascade"))


def _run_failed(scene: Scene, who: Audience, _exporter: Exporting) -> None:
    """Ask a stand-in of Cascade whose session has expired."""
    told = {"session_cookie": "session=expired", "export_url": f"{who.heard.url}/export.zip"}
    secrets = {name: SecretStr(text) for name, text in told.items()}
    cascade = scene.settings.cascade.model_copy(update=secrets)
    try:
        run_day(scene, scene.today, open_feed(scene.settings, cascade))
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
