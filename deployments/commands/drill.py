"""`tapewatch drill NAME`: practise an alert, and see what each audience would."""

import tempfile
import time
from pathlib import Path

from pydantic import JsonValue

from deployments.documents import print_json
from deployments.observe.audience import audience, called, print_told
from deployments.observe.drill import DRILLS, FASTER, Name, play, set_the_scene
from deployments.observe.exporting import exporting
from deployments.observe.stack import Ports, Stack, running_stack
from deployments.observe.stand_ins import Told
from deployments.render import open_console, print_facts
from settings.model import Settings


def practise(name: Name, settings: Settings, *, is_kept: bool, is_json: bool) -> None:
    """Play the drill on the real programs over a folder of its own, and show who hears what.

    Raises:
        DrillSilentError: Somebody who must be told was not.
        ProgramMissingError: Prometheus or Alertmanager is not installed.
    """
    console = open_console(stderr=is_json)
    with tempfile.TemporaryDirectory(prefix="tapewatch-drill-") as folder:
        root = Path(folder)
        console.print(f"drill {name}: {DRILLS[name].story}", style="bold")
        with console.status("a healthy day first: its tape and its run …"):
            scene = set_the_scene(root, settings)
        spot = scene.settings.exporter.model_copy(update={"port": 0})

        def tell(told: Told) -> None:
            print_told(console, told, scene.settings)

        with (
            exporting(scene.settings, spot) as served,
            audience(scene.settings, served.address, tell, FASTER) as who,
            running_stack(root, scene.settings, who.place, Ports(0, 0)) as stack,
        ):
            print_facts(console, _addresses(served.url, stack))
            with console.status("silence, then the drill; half a minute …"):
                play(name, scene, stack, who, served)
            console.print("\nnobody else was told", style="bold")
            if is_json:
                told = [_document(t, scene.settings) for t in _in_order(who.heard.told)]
                print_json({"drill": name, "told": [*told]})
            while is_kept:
                stack.check()
                time.sleep(1)


def _addresses(exporter: str, stack: Stack) -> dict[str, str]:
    return {
        "exporter": f"{exporter}/metrics",
        "Prometheus": f"http://{stack.prometheus.address}/alerts",
        "Alertmanager": f"http://{stack.alertmanager.address}",
        "clocks": f"{FASTER} times as fast as shipped: five minutes take five seconds",
    }


def _in_order(told: dict[str, list[Told]]) -> list[Told]:
    return sorted((each for heard in told.values() for each in heard), key=lambda each: each.at)


def _document(told: Told, settings: Settings) -> dict[str, JsonValue]:
    return {
        "where": told.where,
        "calls": called(told, settings) or None,
        "state": told.state,
        "title": told.title,
        "text": told.text,
    }
