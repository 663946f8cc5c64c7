"""Compute each KPI by running its one SQL file over the book of a day."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.errors import InternalError
from settings.figures import HealthSettings
from settings.kpis import Kpi
from settings.thresholds import Status
from warehouse.engine import bound, copy_to_parquet, read_sql
from warehouse.kinds import LEDGER, KpiAnswer, TapeFacts, answer_for

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PLACES = Decimal("0.000001")


class KpiDefinitionError(InternalError):
    """A KPI's SQL did not return what every KPI returns."""

    code = "KPI_DEFINITION"


@dataclass(frozen=True)
class KpiValue:
    """One KPI on one date; `value` is None exactly when `reason` says why it cannot be known.

    `value` has at most 6 decimals; `definition_sha256` is the hash of the SQL that gave it.
    """

    name: str
    as_of: date
    basis: str
    unit: str
    value: Decimal | None
    status: Status
    numerator: Decimal | None
    denominator: Decimal | None
    reason: str | None
    definition_sha256: str


@dataclass(frozen=True)
class HealthComponent:
    """What one KPI adds to portfolio_health; score 0..10, contribution = weight x score."""

    kpi: str
    value: Decimal | None
    weight: Decimal
    score: Decimal | None


def contribution(part: HealthComponent, parts: Iterable[HealthComponent]) -> Decimal | None:
    """Return the points that a component adds to portfolio_health; None when it is unknown."""
    if part.score is None:
        return None
    return part.weight * part.score / sum(p.weight for p in parts if p.score is not None)


def prepare_kpis(db: DuckDBPyConnection, health: HealthSettings) -> None:
    """Make the tables that KPIs read beside the book: earlier results, health weights, anchors."""
    db.execute("create or replace table kpi_result (kpi varchar, kpi_value decimal(24, 6))")
    db.execute(
        "create or replace table health_weight "
        "(kpi varchar, weight decimal(18, 6), is_optional boolean)"
    )
    db.execute(
        "create or replace table health_anchor "
        "(kpi varchar, anchor_value decimal(18, 6), score decimal(18, 6))"
    )
    db.executemany(
        "insert into health_weight values (?, ?, ?)",
        [[kpi, w, kpi in health.optional_components] for kpi, w in health.weights.items()],
    )
    db.executemany(
        "insert into health_anchor values (?, ?, ?)",
        [[kpi, v, s] for kpi, anchors in health.anchors.items() for v, s in anchors],
    )
    db.execute(
        f"create or replace view health_component as {read_sql('health', 'health_component')}"
    )


def compute_kpis(
    db: DuckDBPyConnection,
    catalogue: Sequence[Kpi],
    parameters: Mapping[str, Any],
    tape: TapeFacts = LEDGER,
) -> tuple[KpiValue, ...]:
    """Run the catalogue in its order; a KPI may read those before it in `kpi_result`."""
    values: list[KpiValue] = []
    for kpi in catalogue:
        value = compute_kpi(db, kpi, parameters, tape)
        db.execute("insert into kpi_result values (?, ?)", [value.name, value.value])
        values.append(value)
    return tuple(values)


def compute_kpi(
    db: DuckDBPyConnection, kpi: Kpi, parameters: Mapping[str, Any], tape: TapeFacts = LEDGER
) -> KpiValue:
    """Run the KPI's SQL and return its single row with its status.

    A KPI that the tape cannot answer is unknown, with the reason; its SQL does not run.

    Raises:
        KpiDefinitionError: It did not return one row of numerator, denominator, kpi_value and
            unknown_reason, or a value without the right to one.
    """
    answer = answer_for(kpi, tape)
    rows: list[tuple[Any, ...]] = [(None, None, None, answer.reason)]
    if answer.reason is None:
        sql = read_sql(answer.folder, kpi.name)
        rows = db.execute(sql, bound(sql, parameters)).fetchall()
    return value_of(kpi, answer, rows, parameters["as_of"])


def value_of(kpi: Kpi, answer: KpiAnswer, rows: Sequence[tuple[Any, ...]], as_of: date) -> KpiValue:
    """Return what the rows of a KPI's SQL say of a day.

    Raises:
        KpiDefinitionError: They are not one row of numerator, denominator, kpi_value and
            unknown_reason, or a value without the right to one.
    """
    if len(rows) != 1 or len(rows[0]) != 4:
        raise KpiDefinitionError(
            f"sql/{answer.folder}/{kpi.name}.sql must return one row of four columns",
            fix="return numerator, denominator, kpi_value, unknown_reason",
        )
    numerator, denominator, raw, reason = rows[0]
    value = _exact(raw)
    if value is None and reason is None:
        reason = "the result is no finite number"
    if reason is not None:
        value = None
    sql = read_sql(answer.folder, kpi.name)
    return KpiValue(
        name=kpi.name,
        as_of=as_of,
        basis=answer.basis,
        unit=kpi.unit,
        value=value,
        status=kpi.status(value),
        numerator=_exact(numerator),
        denominator=_exact(denominator),
        reason=reason,
        definition_sha256=hashlib.sha256(sql.encode()).hexdigest(),
    )


def _exact(number: Decimal | float | int | None) -> Decimal | None:
    """Return `number` with 6 decimals; None for what is no number (DuckDB gives NaN and inf)."""
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        return None
    return Decimal(repr(number) if isinstance(number, float) else number).quantize(
        _PLACES, ROUND_HALF_UP
    )


def change_of(value: KpiValue, before: KpiValue | None) -> Decimal | None:
    """Return what changed since an earlier run; None when either is unknown.

    Values of two bases say two things: they never make a change.
    """
    if value.value is None or before is None or before.value is None:
        return None
    if value.basis != before.basis:
        return None
    return value.value - before.value


def health_components(db: DuckDBPyConnection) -> tuple[HealthComponent, ...]:
    """Return what each component adds to portfolio_health, heaviest first."""
    rows = db.execute(
        "select kpi, kpi_value, weight, score from health_component order by weight desc, kpi"
    ).fetchall()
    return tuple(HealthComponent(*row) for row in rows)


def write_kpis(db: DuckDBPyConnection, values: Sequence[KpiValue], folder: Path) -> dict[str, int]:
    """Write kpi_value.parquet, one row a KPI; return its row count by file name."""
    db.execute(
        "create or replace table kpi_value (kpi varchar, as_of_date date, basis varchar, "
        "unit varchar, kpi_value decimal(24, 6), status varchar, numerator decimal(38, 6), "
        "denominator decimal(38, 6), unknown_reason varchar, definition_sha256 varchar)"
    )
    columns = ("name", "as_of", "basis", "unit", "value", "status")
    columns += ("numerator", "denominator", "reason", "definition_sha256")
    rows = [[getattr(value, column) for column in columns] for value in values]
    db.executemany(f"insert into kpi_value values ({', '.join('?' * len(columns))})", rows)
    path = folder / "kpi_value.parquet"
    return {path.name: copy_to_parquet(db, "from kpi_value", path, {})}
