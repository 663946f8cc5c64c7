"""The severity matrix: what each incident level means, how soon it is answered, and by whom."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from settings.kpis import LEVELS, Level, Text
from settings.oncall import CONTACT_TITLES, ContactRole
from settings.value_types import AtLeastOne

MATRIX = Path(__file__).with_name("severity.toml")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Severity:
    """One row of the matrix."""

    title: Text
    impact: Text
    pages: bool
    after_that: tuple[ContactRole, ...]  # whom it goes to when nobody has answered in time
    first_action: Text
    then: Text
    respond_minutes: AtLeastOne | None = None  # None: the next business day

    @property
    def response(self) -> str:
        """How soon it is answered: "15 minutes", "1 hour", "next business day"."""
        minutes = self.respond_minutes
        if minutes is None:
            return "next business day"
        hours = minutes // 60
        return f"{minutes} minutes" if hours < 1 else "1 hour" if hours == 1 else f"{hours} hours"

    @property
    def escalation(self) -> str:
        """Whom it goes to after that, by title: "VP Engineering and CEO", "Engineer"."""
        return " and ".join(CONTACT_TITLES[role] for role in self.after_that) or "Engineer"

    @property
    def line(self) -> str:
        """What a page of an alert says of its level."""
        if self.respond_minutes is None:
            return f"{self.response}, by an engineer; it goes no higher by itself."
        within = self.response.replace("1 hour", "an hour")
        return f"answer within {within}; after that {self.escalation}."


_MATRIX = TypeAdapter(dict[Level, Severity])


@cache
def severity_matrix() -> Mapping[Level, Severity]:
    """Return the row of each level, the gravest first."""
    told = cast("dict[str, object]", tomllib.loads(MATRIX.read_text(encoding="utf-8")))
    return _MATRIX.validate_python(told)


def gravest(levels: set[Level]) -> Level | None:
    """Return the gravest of some levels, None of none."""
    return next((level for level in LEVELS if level in levels), None)
