"""The real Prometheus, Alertmanager and exporter with the shipped configuration, on loopback."""

import sys
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from deployments.observe.audience import audience
from deployments.observe.stack import Ports, running_stack
from deployments.programs import running
from settings.kpis import load_catalogue
from tests.prometheus.binaries import find_binary
from tests.prometheus.data_folder import KEY, DataFolder, kpi
from tests.prometheus.shipped import ROOT

FASTER = 100  # five minutes are three seconds
CALLED = {"cfo": "<!subteam^S0CFO>", "sre-oncall": "<!subteam^S0SRE>"}
SETTINGS = {
    "TAPEWATCH_ALERTING__MENTIONS_BY": "alertmanager",
    "TAPEWATCH_ALERTING__MENTIONS__CFO": "S0CFO",
    "TAPEWATCH_ALERTING__MENTIONS__SRE_ONCALL": "S0SRE",
}
DEADLINE = 60  # seconds; nothing takes nearly so long, unless it never comes


class Watched:
    """Everything that stands between a published run and a person."""

    def __init__(self, folder: DataFolder, heard, exporter, programs) -> None:
        self.folder, self.heard = folder, heard
        self.exporter, self.programs = exporter, programs
        self.publish_to_page = 0.0
        self._day = date.today()
        self._attempts = 0

    def publish(self, **values: str) -> float:
        """Serve a healthy book of the next day but for these KPIs; return when it was served."""
        self._day += timedelta(days=1)  # other figures of the same day would be the same run
        serve(self.folder, self._day, values)
        return time.monotonic()

    def attempt(self, outcome: str, **facts: str) -> None:
        self._attempts += 1
        attempted(self.folder, f"a{self._attempts}", outcome, **facts)

    def until(self, is_so) -> None:
        """Wait for a condition; fail when it does not come or a program has ended."""
        assert self.programs.until(is_so, DEADLINE), (
            self.heard.titles(),
            dict(self.heard.statuses),
            self.heard.refused,
            self.active(),
        )

    def listen(self) -> None:
        """Wait for two more heartbeats: what was due before the second would have been told."""
        enough = self.heard.beats + 2
        self.until(lambda: self.heard.beats >= enough)

    def active(self) -> set[str]:
        return self.programs.active_alerts()


def serve(folder: DataFolder, day: date, values: dict[str, str]) -> None:
    book = {entry.name: healthy(entry) for entry in load_catalogue()} | values
    folder.publish(*(kpi(name, value) for name, value in book.items()), day=day)


def attempted(folder: DataFolder, name: str, outcome: str, **facts: str) -> None:
    folder.attempt(name, outcome, datetime.now(UTC) - timedelta(seconds=5), seconds=1, **facts)


def healthy(entry) -> str:
    """A value well on the good side of the target, where there is one."""
    if entry.thresholds is None:
        return "1"
    target = Decimal(str(entry.thresholds.target))
    return str(target / 2 if entry.direction == "lower" else target * Decimal("1.1"))


@contextmanager
def watching(root: Path):
    """Start all of it over a healthy book, and yield it."""
    for program in ("prometheus", "prometheus-alertmanager"):
        find_binary(program)
    data = root / "data"
    data.mkdir()
    folder = DataFolder(data, **SETTINGS)
    serve(folder, date.today(), {})
    attempted(folder, "a0", "published")
    command = [
        "/usr/bin/env",
        f"PYTHONPATH={ROOT}",
        f"TAPEWATCH_DATA_DIR={data}",
        f"TAPEWATCH_PII_KEY={KEY}",
        *(sys.executable, "-m", "deployments.cli", "exporter", "--port", "0"),
    ]
    listening = r"http://(127\.0\.0\.1:\d+)/metrics"
    with (
        running("exporter", command, root / "exporter.log", listening) as exporter,
        audience(folder.settings, exporter.address, lambda _told: None, FASTER) as who,
        running_stack(root, folder.settings, who.place, Ports(0, 0)) as programs,
    ):
        stack = Watched(folder, who.heard, exporter, programs)
        stack.until(lambda: who.heard.beats)
        yield stack
