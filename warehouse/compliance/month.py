"""Which month a compliance report is of, by the clock of the portfolio."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from settings.errors import UsageError


class MonthError(UsageError):
    """No month is written like that, or it has not begun."""

    code = "NO_SUCH_MONTH"


@dataclass(frozen=True)
class Month:
    """A month of the portfolio's time zone; `end` is the first moment of the next."""

    name: str
    begin: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment lies in it."""
        return self.begin <= moment < self.end


def month_named(name: str | None, zone: str, now: datetime) -> Month:
    """Return the month written YYYY-MM, or the one before `now` without a name.

    Raises:
        MonthError: It is written otherwise, or has not begun.
    """
    local = ZoneInfo(zone)
    if name is None:
        here = now.astimezone(local)
        year, number = (here.year, here.month - 1) if here.month > 1 else (here.year - 1, 12)
    else:
        written = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", name)
        if written is None:
            raise MonthError(f"{name!r} is no month", fix="write it as 2026-01")
        year, number = int(written[1]), int(written[2])
    begin = datetime(year, number, 1, tzinfo=local)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=local)
    if begin > now:
        raise MonthError(f"{name} has not begun", fix="name a month that has")
    return Month(f"{year}-{number:02}", begin.astimezone(UTC), end.astimezone(UTC))
