"""Which incident level an alert has: what the labels of the shipped rules say."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from prometheus.configuration import SHIPPED, read_shipped
from settings.kpis import Level


@cache
def rule_levels() -> Mapping[tuple[str, str], Level]:
    """Return the level of each alert at each severity; those of a KPI are the catalogue's."""
    rules = [
        rule
        for path in sorted((SHIPPED / "rules").glob("*.yml"))
        for group in read_shipped(path)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    return {
        (rule["alert"], rule["labels"]["severity"]): cast("Level", rule["labels"]["level"])
        for rule in rules
        if rule["labels"]["level"].startswith("P")
    }
