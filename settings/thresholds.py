"""Judge one value against its target, warning and critical lines."""

from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Literal

from settings.value_types import Figure, Section

Direction = Literal["lower", "higher"]
Status = Literal["ok", "warning", "critical", "unknown"]
Number = Decimal | float | int


class Thresholds(Section):
    """The lines of one metric, in its own unit; being exactly on a line is still inside it."""

    target: Figure | None = None
    warning: Figure
    critical: Figure

    def status(self, value: Number | None, better: Direction) -> Status:
        """Return `critical` or `warning` strictly beyond that line, `unknown` without a value."""
        exact = exact_number(value)
        if exact is None:
            return "unknown"
        if _is_beyond(exact, self.critical, better):
            return "critical"
        return "warning" if _is_beyond(exact, self.warning, better) else "ok"

    def misplaced(self, better: Direction) -> str | None:
        """Return what is wrong with the order of the lines, None when each is the worse one."""
        lines = [(name, getattr(self, name)) for name in type(self).model_fields]
        drawn = [(name, line) for name, line in lines if line is not None]
        for (milder, line), (harder, next_line) in pairwise(drawn):
            if _is_beyond(line, next_line, better):
                return f"{harder} must not be better than {milder} ({better} is better)"
        return None


class KpiThresholds(Thresholds):
    """The lines of a KPI; beyond `escalation` somebody higher up is told as well."""

    escalation: Figure | None = None

    def is_escalated(self, value: Number | None, better: Direction) -> bool:
        """Return whether `value` lies beyond the line at which somebody higher up is told."""
        exact = exact_number(value)
        return (
            exact is not None
            and self.escalation is not None
            and _is_beyond(exact, self.escalation, better)
        )


def exact_number(value: Number | None) -> Decimal | None:
    """Return the decimal a person would write for `value`, or None for None, NaN and infinity."""
    if value is None or not isfinite(value):
        return None
    # The binary 0.05 lies a hair above 0.05: its shortest form keeps it on the line, not beyond.
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _is_beyond(value: Decimal, line: Decimal, better: Direction) -> bool:
    return value > line if better == "lower" else value < line
