"""Prometheus and Alertmanager with the shipped configuration, on loopback, over one exporter."""

import json
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from deployments.programs import Program, find_program, running
from prometheus.configuration import Place, write_configuration
from settings.errors import ConfigError
from settings.model import Settings
from warehouse.durable import make_folder

_LISTENING = r"Listening on.*?(127\.0\.0\.1:\d+)"  # each says which port it took
_SCRAPES_WITHIN_SECONDS = 60
_ANSWERS_WITHIN_SECONDS = 5
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never leaves this machine


@dataclass(frozen=True)
class Ports:
    """Where each program listens; 0 is any port that is free."""

    prometheus: int = 9090
    alertmanager: int = 9093


class NotScrapedError(ConfigError):
    """Prometheus does not get the exporter's metrics."""

    code = "NOT_SCRAPED"


@dataclass(frozen=True)
class Stack:
    """The two programs that run."""

    prometheus: Program
    alertmanager: Program

    def check(self) -> None:
        """Raise ProgramEndedError if one of them runs no more."""
        for program in (self.prometheus, self.alertmanager):
            program.check()

    def ask(self, query: str) -> list[dict[str, object]]:
        """Return what Prometheus answers to a query, nothing while it cannot."""
        url = f"http://{self.prometheus.address}/api/v1/query?{urlencode({'query': query})}"
        return _json(url).get("data", {}).get("result", [])

    def active_alerts(self) -> set[str]:
        """Return the names of the alerts that Alertmanager holds, silenced ones among them."""
        alerts = _json(f"http://{self.alertmanager.address}/api/v2/alerts")
        return {alert["labels"]["alertname"] for alert in alerts}

    def until(self, is_so: Callable[[], object], seconds: float) -> bool:
        """Wait for a condition; return whether it came in time.

        Raises:
            ProgramEndedError: A program ended meanwhile.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if is_so():
                return True
            time.sleep(0.1)
        return False


def observe_folder(settings: Settings) -> Path:
    """Return where `observe` keeps its configuration, its series and its logs."""
    return make_folder(settings.paths.data_dir / "observe")


@contextmanager
def running_stack(
    folder: Path, settings: Settings, place: Place, ports: Ports
) -> Generator[Stack, None, None]:
    """Start both over the exporter of `place`, and yield them once it is scraped.

    Args:
        folder: Gets the configuration, the series, what was notified, and the logs.
        settings: Channels, mentions, links.
        place: Where the exporter is; the rest of it is filled in here.
        ports: Where to listen.

    Raises:
        NotScrapedError: The exporter is not reached.
        ProgramEndedError: A program did not start: its port may be taken.
        ProgramMissingError: One of the programs is not installed.
    """
    prometheus, alertmanager = find_program("prometheus"), find_program("alertmanager")
    config = make_folder(folder / "config")
    write_configuration(config, settings, place)
    common = "--web.listen-address=127.0.0.1:{}"
    notify = [
        alertmanager,
        f"--config.file={config / 'alertmanager.yml'}",
        f"--storage.path={make_folder(folder / 'notified')}",
        "--cluster.listen-address=",
        common.format(ports.alertmanager),
    ]
    with running("alertmanager", notify, folder / "alertmanager.log", _LISTENING) as manager:
        placed = replace(place, alertmanager=manager.address)
        written = write_configuration(config, settings, placed)
        hidden = _hide_rules(config) if place.faster > 1 else None
        scrape = [
            prometheus,
            f"--config.file={written.prometheus}",
            f"--storage.tsdb.path={make_folder(folder / 'series')}",
            "--rules.alert.resend-delay=" + ("1m" if place.faster == 1 else "1s"),
            "--enable-feature=exemplar-storage",
            "--web.enable-lifecycle",
            common.format(ports.prometheus),
        ]
        with running("prometheus", scrape, folder / "prometheus.log", _LISTENING) as asked:
            stack = Stack(asked, manager)
            if not stack.until(lambda: _is_scraped(stack), _SCRAPES_WITHIN_SECONDS):
                raise NotScrapedError(
                    f"Prometheus does not reach the exporter at {place.exporter}",
                    fix=f"see {asked.log}, and http://{asked.address}/targets while it runs",
                )
            if hidden is not None:
                hidden.rename(config / "rules")
                _post(f"http://{asked.address}/-/reload")
            yield stack


def _hide_rules(config: Path) -> Path:
    """Keep the rules from a Prometheus with fast clocks until it has scraped.

    In its first five seconds, which nothing shortens, it scrapes nobody: by these clocks the
    exporter would be down.
    """
    return (config / "rules").rename(config / "rules.later")


def _is_scraped(stack: Stack) -> bool:
    return bool(stack.ask('up{job="tapewatch"} == 1'))


def _json(url: str) -> Any:  # noqa: ANN401 - whatever the program answers
    try:
        with _DIRECT.open(url, timeout=_ANSWERS_WITHIN_SECONDS) as answer:
            return json.loads(answer.read())
    except OSError:
        return {}


def _post(url: str) -> None:
    _DIRECT.open(url, data=b"", timeout=_ANSWERS_WITHIN_SECONDS).close()
