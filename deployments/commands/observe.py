"""`tapewatch observe`: the exporter, Prometheus and Alertmanager, over the last runs."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from deployments.observe.audience import Audience, audience, print_told
from deployments.observe.exporting import any_exporter
from deployments.observe.stack import Ports, Stack, observe_folder, running_stack
from deployments.render import open_console, print_facts, short_path
from prometheus.configuration import (
    Place,
    settings_secrets,
    write_configuration,
)
from settings.alerting import secret_files
from settings.model import Settings
from warehouse.durable import make_folder

_LOOKS_EVERY_SECONDS = 1


def observe(settings: Settings, *, is_any_port: bool) -> None:
    """Start all three on loopback, tell where they are, and run until a signal ends it.

    An exporter that runs already, such as that of `make serve`, is taken.

    Raises:
        CannotListenError: The exporter's port is taken.
        NotScrapedError: Prometheus does not reach the exporter.
        ProgramEndedError: A program did not start, or ended.
        ProgramMissingError: A program is not installed.
    """
    folder = observe_folder(settings)
    ports = Ports(0, 0) if is_any_port else Ports()
    port = 0 if is_any_port else settings.exporter.port
    exporter = settings.exporter.model_copy(update={"port": port, "address": "127.0.0.1"})
    console = open_console()
    with ExitStack() as ending:
        url = ending.enter_context(any_exporter(settings, exporter))
        with console.status("starting Prometheus and Alertmanager …"):
            who = ending.enter_context(
                audience(
                    settings, url.split("://")[1], lambda told: print_told(console, told, settings)
                )
            )
            stack = ending.enter_context(running_stack(folder, settings, who.place, ports))
        _say_hello(console, settings, url, stack, who)
        while True:
            stack.check()
            time.sleep(_LOOKS_EVERY_SECONDS)


def write_files(settings: Settings, folder: Path, exporter: str, alertmanager: str) -> None:
    """Write the configuration that `observe` would use, with the settings' secrets; start nothing.

    Raises:
        StorageError: The disk refused.
    """
    place = Place(exporter, alertmanager, settings_secrets(settings))
    written = write_configuration(make_folder(folder), settings, place)
    missing = [name for name, secret in secret_files(settings.integrations).items() if not secret]
    told = {"prometheus": short_path(written.prometheus)}
    told["alertmanager"] = short_path(written.alertmanager)
    print_facts(open_console(), told)
    for name in missing:
        sys.stderr.write(f"not set, so nobody hears by it: {folder / 'secrets' / name}\n")


def _say_hello(
    console: Console, settings: Settings, exporter: str, stack: Stack, who: Audience
) -> None:
    by = settings.alerting.mentions_by
    console.print(f"{settings.environment} in {short_path(settings.paths.data_dir)}", style="bold")
    print_facts(
        console,
        {
            "exporter": f"{exporter}/metrics",
            "Prometheus": f"http://{stack.prometheus.address}/alerts",
            "Alertmanager": f"http://{stack.alertmanager.address}",
            "mentions": f"by {by}; tell runs the same: TAPEWATCH_ALERTING__MENTIONS_BY={by}",
            "not set, so shown here": ", ".join(who.stand_ins) or "nobody: all are real",
        },
    )
    console.print("ends by Ctrl-C or SIGTERM\n")
