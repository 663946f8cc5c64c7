"""Where the demo is played: a folder of its own, Slack's stand-in, and an audit store."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from blocks.clients.throw_away_postgres import ThrowAwayServerError
from blocks.clients.throw_away_store import ThrowAwayStore, loopback_settings, throw_away_store
from deployments.observe.drill_tape import cut_tape, write_drill_tape
from deployments.observe.scene import Scene, in_slack, scene_settings
from deployments.observe.stand_ins import Heard, Told, stand_ins
from settings.alerting import ROUTES
from settings.load import load_settings
from settings.model import Settings
from warehouse.delivery_boxes import open_box
from warehouse.layout import Layout
from warehouse.message_box import channel_name

PORTFOLIO = "demo"
_MORNINGS = timedelta(days=4)
_DEAD_STORE = "postgresql://demo@127.0.0.1:1/audit?sslmode=disable"


@dataclass(frozen=True)
class Stage:
    """The scene of the newest morning, who hears of it, and the store if there can be one."""

    scene: Scene
    heard: Heard
    store: ThrowAwayStore | None
    no_store: str  # why there is none

    @property
    def settings(self) -> Settings:
        """The settings of every run and every command."""
        return self.scene.settings

    def morning(self, days_ago: int, export: int) -> Scene:
        """Return the scene of an earlier morning, at the same hour.

        Args:
            days_ago: Of that morning.
            export: How many days ago it was the newest export, which comes that morning.
        """
        day, now = self.scene.today - timedelta(days_ago), self.scene.now - timedelta(days_ago)
        tape = self._export_of(self.scene.today - timedelta(export))
        return replace(self.scene, now=now, today=day, tape=tape)

    def _export_of(self, day: date) -> Path:
        whole = self.scene.tape
        folder = whole.with_name(f"export-{day}")
        return folder if folder.is_dir() else cut_tape(whole, folder, day)

    def local_time(self, days_ago: int) -> datetime:
        """Return the time of that morning as the portfolio's clock shows it."""
        now = self.scene.now - timedelta(days=days_ago)
        return now.astimezone(ZoneInfo(self.settings.portfolio.time_zone))

    def told(self) -> list[Told]:
        """Return what Slack heard since it was asked last, in order."""
        told = sorted((t for heard in self.heard.told.values() for t in heard), key=lambda t: t.at)
        self.heard.forget()
        return told


@contextmanager
def open_stage(root: Path) -> Generator[Stage, None, None]:
    """Write the tape, start the stand-ins and a store; all but `root` is gone afterwards.

    No setting of the process is read: the demo shows what is shipped.

    Raises:
        StorageError: The disk refused.
    """
    shipped = load_settings({"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root)})
    # scene_settings make this hour three o'clock; its minutes would be told as an age
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    settings = scene_settings(root, shipped, now, PORTFOLIO, "flow")
    today = settings.portfolio.yesterday(now)
    tape = write_drill_tape(root / "tape", today, spike=today - timedelta(days=1))
    with ExitStack() as opened:
        channels = frozenset(settings.integrations.slack.channel(route) for route in ROUTES)
        heard = opened.enter_context(stand_ins(channels))
        store, no_store = None, ""
        try:
            store = opened.enter_context(throw_away_store())
        except ThrowAwayServerError as error:
            no_store = error.message
        played = in_slack(settings, heard).model_copy(
            update={
                "audit": loopback_settings(_DEAD_STORE) if store is None else store.settings,
                # four mornings pass in half a minute
                "delivery": settings.delivery.model_copy(update={"message_cooldown_minutes": 0}),
            }
        )
        _join_channels(played, now - _MORNINGS)
        yield Stage(Scene(played, tape, today, now), heard, store, no_store)


def _join_channels(settings: Settings, since: datetime) -> None:
    """Let every channel hear what happens from then on, as one does that is set since then."""
    layout = Layout.of(settings)
    layout.make()
    for route in ROUTES:
        open_box(layout, channel_name(route), settings.environment).begin(since)
