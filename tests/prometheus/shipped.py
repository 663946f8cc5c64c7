"""The shipped configuration, as the tests read it."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "prometheus" / "prometheus.yml"
RULES = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
ALERTMANAGER = ROOT / "prometheus" / "alertmanager.yml"
TEMPLATES = ROOT / "prometheus" / "templates"
RULE_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules():
    """Every rule of every file, with the name of its file."""
    return [
        (path.stem, rule)
        for path in RULES
        for group in read(path)["groups"]
        for rule in group["rules"]
    ]


def alerts():
    return [rule for _, rule in rules() if "alert" in rule]


def routes(route):
    """A route and everything below it."""
    yield route
    for below in route.get("routes", ()):
        yield from routes(below)
