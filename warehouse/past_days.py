"""Compute the KPIs of many past days in one pass over a run's tables, by the SQL of every run.

The days are a table, and a KPI's SQL reads a column of it wherever it binds a parameter: joined
laterally it answers for all of them at once, and no KPI has a second definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from settings.kpis import Kpi, load_catalogue
from settings.model import Settings
from warehouse.book import book_parameters
from warehouse.engine import of_each_row, one_row, read_sql
from warehouse.kinds import FOUR_TABLES, TapeFacts, answer_for
from warehouse.kpis import KpiValue, compute_kpi, prepare_kpis, value_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOAN_DAYS = 2_000_000  # at once: more of a large book would spill
_DAYS = 100  # at once: each is kept, and told, soon after it is known
_OF_RESULTS = "health_component"  # what is made of the KPIs before it, a day at a time
# What a past day can be asked: all but the checks, which are of the file that came on its own day.
_PAST = TapeFacts(
    replace(FOUR_TABLES, title="a past day"), frozenset({*FOUR_TABLES.offers} - {"quality_result"})
)


def past_days(
    db: DuckDBPyConnection, settings: Settings, days: Sequence[date]
) -> Iterator[tuple[date, tuple[KpiValue, ...]]]:
    """Yield the catalogue's KPIs of each day, of the run's tables that `db` offers."""
    prepare_kpis(db, settings.health)
    (loans,) = one_row(db, "select count(*) from loan", {})
    size = max(1, min(_DAYS, _LOAN_DAYS // max(1, loans)))
    for begin in range(0, len(days), size):
        yield from _values(db, [book_parameters(settings, d) for d in days[begin : begin + size]])


def _values(
    db: DuckDBPyConnection, days: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[date, tuple[KpiValue, ...]]]:
    _offer_days(db, days)
    catalogue = load_catalogue()
    at_once = {
        kpi.name: _of_all_days(db, kpi, [day["as_of"] for day in days])
        for kpi in catalogue
        if _OF_RESULTS not in kpi.requires
    }
    for day in days:
        values: list[KpiValue] = []
        for kpi in catalogue:
            known = at_once.get(kpi.name)
            value = known[day["as_of"]] if known else _of_results(db, kpi, day, values)
            values.append(value)
        yield day["as_of"], tuple(values)


def _of_results(
    db: DuckDBPyConnection, kpi: Kpi, day: Mapping[str, Any], before: Sequence[KpiValue]
) -> KpiValue:
    db.execute("delete from kpi_result")
    rows = [[value.name, value.value] for value in before]
    db.executemany("insert into kpi_result values (?, ?)", rows)
    return compute_kpi(db, kpi, day, _PAST)


def _offer_days(db: DuckDBPyConnection, days: Sequence[Mapping[str, Any]]) -> None:
    """Make past_day, a row a day and a typed column a parameter, and the books of those days."""
    columns = ", ".join(f"${name} as {name}" for name in days[0])
    db.execute(f"create or replace temp table past_day as select {columns}", days[0])
    for day in days[1:]:
        db.execute(f"insert into past_day select {columns}", day)
    book = of_each_row(read_sql("book", FOUR_TABLES.book_sql), "past_day")
    db.execute(
        "create or replace temp table past_book as "
        f"select past_day.as_of, told.* from past_day, lateral ({book}) as told"
    )


def _of_all_days(db: DuckDBPyConnection, kpi: Kpi, days: Sequence[date]) -> dict[date, KpiValue]:
    answer = answer_for(kpi, _PAST)
    rows: dict[date, list[tuple[Any, ...]]] = {day: [] for day in days}
    if answer.reason is not None:
        rows = {day: [(None, None, None, answer.reason)] for day in days}
    else:
        book = "select * exclude (as_of) from past_book where past_book.as_of = past_day.as_of"
        sql = of_each_row(read_sql(answer.folder, kpi.name), "past_day")
        told = f"with book as ({book}) from ({sql})"
        asked = f"select past_day.as_of, told.* from past_day, lateral ({told}) as told"
        for day, *row in db.execute(asked).fetchall():
            rows[day].append(tuple(row))
    return {day: value_of(kpi, answer, rows[day], day) for day in days}
