"""The committed dashboards, as the tests read them."""

import json
import re
from dataclasses import dataclass

from grafana.dashboards import FOLDER

FILES = sorted(FOLDER.glob("*.json"))
NAMES = [path.stem for path in FILES]
METRIC = re.compile(r"tapewatch_\w+")


@dataclass(frozen=True)
class Target:
    """One expression of a panel or of an annotation."""

    dashboard: str
    panel: str
    expr: str
    is_range: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def panel_targets():
    return [
        Target(name, panel["title"], target["expr"], target["range"])
        for name in NAMES
        for panel in panels(read(name))
        for target in panel["targets"]
    ]


def annotation_targets():
    return [
        Target(name, mark["name"], mark["expr"], is_range=True)
        for name in NAMES
        for mark in read(name)["annotations"]["list"]
    ]
