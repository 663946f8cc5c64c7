"""The Risk dashboard: arrears by age, what was written off, what was collected and recovered."""

import re
from collections.abc import Iterator
from itertools import pairwise

from grafana.frame import Page
from grafana.kpi_panels import status_panel, trend_panel, value_panel
from grafana.panels import Panel, Query, Words, lines
from grafana.queries import gauge, kpi_values, titled
from settings.kpis import Kpi

_PAR = re.compile(r"par_(\d+)")
_LINES_OF = ("KpiBeyondWarning", "KpiBeyondCritical", "KpiBeyondEscalation")


def risk_page(catalogue: tuple[Kpi, ...]) -> Page:
    """Return the dashboard for the risk team."""
    return Page(
        uid="tapewatch-risk",
        title="Tapewatch: risk",
        description="Arrears by age, written-off principal, collections and recoveries. "
        "Concentration is in no metric: read it in the run's own tables.",
        refresh="15m",
        since="now-90d",
        rows=(
            ("Arrears", _arrears(catalogue)),
            ("Live book and written off", _money(catalogue)),
            ("Collections", _named(catalogue, r"collection_.+")),
            ("Recoveries and defaults", _named(catalogue, r"rdr.+")),
        ),
    )


def _arrears(catalogue: tuple[Kpi, ...]) -> Iterator[Panel]:
    family = _family(catalogue)
    width = 24 // len(family)
    for kpi in family:
        yield value_panel(kpi, width + 24 % len(family) * (kpi is family[-1]))
    every = kpi_values('kpi=~"par_[0-9]+"')
    yield lines(
        Words(
            "PAR family",
            "Share of the live principal on loans at least so many days past due. The dashed lines "
            "are those of PAR 90, the one that alerts.",
            "percentunit",
            _LINES_OF,
        ),
        Query(titled(f"({every})"), "{{portfolio}}: {{title}}"),
        thresholds=gauge("kpi_threshold", 'kpi="par_90"', by="severity"),
    )
    yield lines(
        Words(
            "Late principal by days past due",
            "Share of the live principal in each bucket, the difference of two neighbours of the "
            "PAR family: what leaves one bucket for the next has rolled. Past 180 days it is "
            "written off and leaves the live book.",
            "percentunit",
        ),
        *_buckets(family),
        is_stacked=True,
    )


def _buckets(family: list[Kpi]) -> Iterator[Query]:
    for kpi, older in pairwise(family):
        begin, end = _days(kpi), _days(older) - 1
        difference = f"{_par(kpi)} - {_par(older)}"
        yield Query(difference, f"{{{{portfolio}}}}: {begin} to {end} days")
    yield Query(_par(family[-1]), f"{{{{portfolio}}}}: {_days(family[-1])} to 180 days")


def _par(kpi: Kpi) -> str:
    return gauge("kpi_value", f'kpi="{kpi.name}"')


def _family(catalogue: tuple[Kpi, ...]) -> list[Kpi]:
    return sorted((kpi for kpi in catalogue if _PAR.fullmatch(kpi.name)), key=_days)


def _days(kpi: Kpi) -> int:
    return int(kpi.name.removeprefix("par_"))


def _money(catalogue: tuple[Kpi, ...]) -> Iterator[Panel]:
    for kpi in catalogue:
        if kpi.name in ("outstanding", "written_off"):
            yield value_panel(kpi, 6)
            yield trend_panel(kpi, 18, 4)
    off, live = (gauge("kpi_value", f'kpi="{name}"') for name in ("written_off", "outstanding"))
    yield lines(
        Words(
            "Written off beside the live book",
            "Written-off principal as a share of written-off and live principal. PAR 90 falls when "
            "a loan is written off, so read the two together.",
            "percentunit",
        ),
        Query(f"{off} / ({off} + {live})"),
        width=24,
    )


def _named(catalogue: tuple[Kpi, ...], pattern: str) -> Iterator[Panel]:
    for kpi in catalogue:
        if re.fullmatch(pattern, kpi.name):
            yield status_panel(kpi)
            yield value_panel(kpi)
            yield trend_panel(kpi)
