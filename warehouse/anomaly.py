"""Say whether a KPI is unusual against its own past: beyond so many spreads from its median.

The spread is the median absolute deviation, which a few wild days do not move, scaled so that it
is a standard deviation where values are normally distributed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Literal

from settings.figures import AnomalySettings
from settings.kpis import Kpi, load_catalogue
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.trend import Point, read_trend

Side = Literal["better", "worse", "higher", "lower"]

_NORMAL = Decimal("1.4826")  # of a normal distribution: standard deviation / median deviation


@dataclass(frozen=True)
class Anomaly:
    """What a KPI's own past says of its value; `reason` is why it cannot be told.

    `side` is where an unusual value lies: better or worse, and of a KPI of which neither can be
    said, higher or lower. `spread` is never below what `AnomalySettings` asks for.
    """

    is_unusual: bool | None
    side: Side | None
    median: Decimal | None
    spread: Decimal | None
    n: int
    reason: str | None = None


def judge(
    kpi: Kpi, value: Decimal | None, past: Sequence[Decimal], settings: AnomalySettings
) -> Anomaly:
    """Judge `value` by the known values before it, oldest first; the last `points` count."""
    recent = past[-settings.points :]
    if value is None:
        return Anomaly(None, None, None, None, len(recent), "the value itself is unknown")
    if len(recent) < settings.min_points:
        reason = f"only {len(recent)} earlier values, at least {settings.min_points} are needed"
        return Anomaly(None, None, None, None, len(recent), reason)
    usual = median(recent)
    deviation = median(abs(one - usual) for one in recent)
    # where nothing ever moved, what people cannot see or would shrug at is no news
    spread = max(_NORMAL * deviation, settings.floor_ratio * abs(usual), kpi.step)
    is_unusual = abs(value - usual) > settings.factor * spread
    side = _side(kpi, is_higher=value > usual) if is_unusual else None
    return Anomaly(is_unusual, side, usual, spread, len(recent))


def judge_point(
    kpi: Kpi, points: Sequence[Point], as_of: date, settings: AnomalySettings
) -> Anomaly:
    """Judge the point of a day by the last points before it; unknown ones say nothing."""
    value = next((point.value for point in points if point.as_of == as_of), None)
    recent = [point.value for point in points if point.as_of < as_of][-settings.points :]
    return judge(kpi, value, [one for one in recent if one is not None], settings)


def judge_run(layout: Layout, run: SealedRun, settings: AnomalySettings) -> dict[str, Anomaly]:
    """Judge every KPI of a run by what runs and history say of the days before it.

    Whoever tells that a value is unusual asks here: a trend that reaches further back, or has one
    KPI alone, would leave out other days where the basis changes.

    Raises:
        StorageError: The history cannot be read.
    """
    as_of, kpis = run.manifest.identity.as_of, load_catalogue()
    days = settings.points + 1  # its own
    trend = read_trend(layout, run, [kpi.name for kpi in kpis], days)
    return {kpi.name: judge_point(kpi, trend[kpi.name], as_of, settings) for kpi in kpis}


def unusual_line(kpi: Kpi, judged: Anomaly | None) -> str:
    """Return how far out an unusual value lies; nothing of one that is usual or not judged."""
    if judged is None or not judged.is_unusual:
        return ""
    usual, spread = kpi.format(judged.median), kpi.format(judged.spread)
    past = f"median {usual} and spread {spread} of {judged.n} earlier values"
    return f"{judged.side} than usual: {past}"


def _side(kpi: Kpi, *, is_higher: bool) -> Side:
    if kpi.direction == "none":
        return "higher" if is_higher else "lower"
    return "better" if is_higher == (kpi.direction == "higher") else "worse"
