"""The real Prometheus, Alertmanager and exporter with the shipped configuration, on loopback."""

import copy
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import yaml

from settings.kpis import load_catalogue
from tests.prometheus.binaries import find_binary
from tests.prometheus.data_folder import KEY, DataFolder, kpi
from tests.prometheus.shipped import ALERTMANAGER, CONFIG, ROOT, RULES, TEMPLATES, read
from tests.prometheus.stand_ins import CHANNELS, HEARTBEAT, PAGERDUTY, ROUTING_KEY, stand_ins

FASTER = 100  # five minutes are three seconds
SCALED = {"for", "keep_firing_for", "group_interval", "repeat_interval"}
ONE_SECOND = {"scrape_interval", "scrape_timeout", "evaluation_interval"}
# Within this an alert is silenced by another that is evaluated up to an interval later. So it must
# outlast one, and the way between the programs, which gets no shorter.
WAIT = {"0s": "0s", "10s": "2s"}
MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
CALLED = {"cfo": "<!subteam^S0CFO>", "sre-oncall": "<!subteam^S0SRE>"}
DEADLINE = 60  # seconds; nothing takes nearly so long, unless it never comes


def shortened(config):
    """Return a copy with faster clocks, and each change by its path: (as shipped, as run)."""
    faster, changes = copy.deepcopy(config), {}

    def walk(node, path):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            here = (*path, key)
            if key in ONE_SECOND or key in SCALED or key == "group_wait":
                node[key] = faster_clock(key, value)
                changes[here] = (value, node[key])
            elif isinstance(value, dict | list):
                walk(value, here)

    walk(faster, ())
    return faster, changes


def faster_clock(key, duration):
    if key in ONE_SECOND:
        return "1s"
    if key == "group_wait":
        return WAIT[duration]
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()
    return f"{int(number) * MILLISECONDS[unit] // FASTER}ms"


def replaced(config, texts):
    """Return a copy in which each of these texts is another one, in every string."""
    text = yaml.safe_dump(config, sort_keys=False, width=10_000)
    for shipped, here in texts.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return yaml.safe_load(text)


def write(path, config):
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def prometheus_files(folder, exporter, alertmanager):
    ports = {"127.0.0.1:9464": exporter, "127.0.0.1:9093": alertmanager}
    return write(folder / "prometheus.yml", replaced(shortened(read(CONFIG))[0], ports))


def rule_files(folder):
    for path in RULES:
        write(folder / "rules" / path.name, shortened(read(path))[0])


def alertmanager_files(folder, url):
    secrets = folder / "secrets"
    secrets.mkdir()
    for path in CHANNELS:
        name = f"slack_{path.removeprefix('/slack/').replace('-', '_')}"
        (secrets / name).write_text(url + path)
    (secrets / "heartbeat_url").write_text(url + HEARTBEAT)
    (secrets / "pagerduty_routing_key").write_text(ROUTING_KEY)
    templates = folder / "templates"
    templates.mkdir()
    for path in TEMPLATES.glob("*.tmpl"):
        text = path.read_text(encoding="utf-8")
        for role, mention in CALLED.items():
            text = text.replace(f'eq . "{role}" }}}}', f'eq . "{role}" }}}}{mention}')
        (templates / path.name).write_text(text, encoding="utf-8")
    config, _ = shortened(read(ALERTMANAGER))
    config = replaced(config, {"/etc/alertmanager/secrets": str(secrets)})
    config["global"]["pagerduty_url"] = url + PAGERDUTY
    for interval in config["time_intervals"]:
        interval["time_intervals"] = []  # the tests also run at night
    return write(folder / "alertmanager.yml", config)


@dataclass
class Started:
    """A program of ours, and where it says what it does."""

    process: subprocess.Popen
    log: Path
    address: str = ""

    def check(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]


class Stack:
    """Everything that stands between a published run and a person."""

    def __init__(self, folder: DataFolder, heard) -> None:
        self.folder, self.heard = folder, heard
        self.programs: list[Started] = []
        self.alertmanager = ""
        self.publish_to_page = 0.0
        self._day = date.today() - timedelta(days=1)
        self._attempts = 0

    def publish(self, **values: str) -> float:
        """Serve a healthy book of the next day but for these KPIs; return when it was served."""
        self._day += timedelta(days=1)  # other figures of the same day would be the same run
        book = {entry.name: healthy(entry) for entry in load_catalogue()} | values
        self.folder.publish(*(kpi(name, value) for name, value in book.items()), day=self._day)
        return time.monotonic()

    def attempt(self, outcome: str, **facts: str) -> None:
        self._attempts += 1
        started = datetime.now(UTC) - timedelta(seconds=5)
        self.folder.attempt(f"a{self._attempts}", outcome, started, seconds=1, **facts)

    def until(self, is_so) -> None:
        """Wait for a condition; fail when it does not come or a program has ended."""
        deadline = time.monotonic() + DEADLINE
        while not is_so():
            for program in self.programs:
                program.check()
            assert time.monotonic() < deadline, (
                self.heard.titles(),
                dict(self.heard.statuses),
                self.heard.refused,
                self.active(),
            )
            time.sleep(0.05)

    def listen(self) -> None:
        """Wait for two more heartbeats: what was due before the second would have been told."""
        enough = self.heard.beats + 2
        self.until(lambda: self.heard.beats >= enough)

    def active(self) -> set[str]:
        """Return the names of the alerts that Alertmanager holds, silenced ones among them."""
        answer = httpx.get(f"http://{self.alertmanager}/api/v2/alerts", trust_env=False)
        return {alert["labels"]["alertname"] for alert in answer.json()}

    def kill_exporter(self) -> None:
        exporter = self.programs.pop(0)
        exporter.process.kill()
        exporter.process.wait(timeout=DEADLINE)


def healthy(entry) -> str:
    """A value well on the good side of the target, where there is one."""
    if entry.thresholds is None:
        return "1"
    target = Decimal(str(entry.thresholds.target))
    return str(target / 2 if entry.direction == "lower" else target * Decimal("1.1"))


@contextmanager
def started(command, log: Path, address: str, **more):
    """Start a program and wait until it says where it listens; end it by its id."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **more)  # noqa: S603
    program = Started(process, log)
    try:
        deadline = time.monotonic() + DEADLINE
        while not (found := re.search(address, log.read_text())):
            program.check()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        program.address = found[1]
        yield program
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_stack(root: Path):
    """Start all of it over a healthy book, and yield it."""
    prometheus, alertmanager = map(find_binary, ("prometheus", "prometheus-alertmanager"))
    with ExitStack() as ending:
        heard = ending.enter_context(stand_ins())
        data = root / "data"
        data.mkdir()
        stack = Stack(DataFolder(data), heard)
        stack.publish()
        stack.attempt("published")

        def start(name, command, address, **more):
            program = ending.enter_context(started(command, root / f"{name}.log", address, **more))
            stack.programs.append(program)
            return program.address

        exporter = start(
            "exporter",
            [sys.executable, "-m", "deployments.cli", "exporter", "--port", "0"],
            r"http://(127\.0\.0\.1:\d+)/metrics",
            cwd=ROOT,
            env={**os.environ, "TAPEWATCH_DATA_DIR": str(data), "TAPEWATCH_PII_KEY": KEY},
        )
        listening = r"Listening on.*?(127\.0\.0\.1:\d+)"  # each takes a free port and says which
        common = ["--web.listen-address=127.0.0.1:0"]
        stack.alertmanager = start(
            "alertmanager",
            [
                alertmanager,
                f"--config.file={alertmanager_files(root, heard.url)}",
                f"--storage.path={root / 'notified'}",
                "--cluster.listen-address=",
                *common,
            ],
            listening,
        )
        asked = start(
            "prometheus",
            [
                prometheus,
                f"--config.file={prometheus_files(root, exporter, stack.alertmanager)}",
                f"--storage.tsdb.path={root / 'series'}",
                "--rules.alert.resend-delay=1s",
                *common,
            ],
            listening,
        )
        # In its first five seconds, which nothing shortens, Prometheus scrapes nobody: by these
        # clocks the exporter would be down. So the rules come when it has scraped.
        stack.until(lambda: is_scraped(asked))
        rule_files(root)
        stack.programs[-1].process.send_signal(signal.SIGHUP)  # read the configuration again
        stack.until(lambda: heard.beats)
        yield stack


def is_scraped(prometheus: str) -> bool:
    query = {"query": 'up{job="tapewatch"} == 1'}
    answer = httpx.get(f"http://{prometheus}/api/v1/query", params=query, trust_env=False)
    return answer.status_code == 200 and bool(answer.json()["data"]["result"])
