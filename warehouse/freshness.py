"""How old figures are: since the end of the day they are of, as the portfolio's clock has it."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from settings.model import Settings
from settings.thresholds import Status


@dataclass(frozen=True)
class Freshness:
    """An age in hours, and how the settings judge it."""

    hours: float
    status: Status


def end_of_day(day: date, time_zone: str) -> datetime:
    """Return when the day is over in that zone: the midnight that begins the next."""
    return datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(time_zone))


def freshness_hours(as_of: date, time_zone: str, now: datetime) -> float:
    """Return the hours since the end of the day `as_of` in its time zone, never below 0."""
    return max((now - end_of_day(as_of, time_zone)).total_seconds() / 3600, 0.0)


def judge_freshness(as_of: date, settings: Settings, now: datetime) -> Freshness:
    """Return how old figures of `as_of` are at `now`, held to the lines of the settings."""
    hours = freshness_hours(as_of, settings.portfolio.time_zone, now)
    return Freshness(hours, settings.operations.freshness_hours.status(round(hours, 3), "lower"))
