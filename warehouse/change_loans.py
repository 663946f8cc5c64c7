"""Read the loans that moved a KPI from the books of two runs, each in one part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.model import Settings
from warehouse.change_parts import (
    PARTS,
    MovedLoan,
    Part,
    Scale,
    apportion,
    is_sum_of_loans,
    published,
)
from warehouse.engine import bound, literal, read_sql
from warehouse.kinds import TapeFacts
from warehouse.kpis import KpiValue
from warehouse.masking import mask_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The books at the begin and the end of each step. A loan adds to a KPI by its own row of the book,
# so where that is the same its share is too: only the others are asked.
_BOOKS = {
    "restatement": ("restated_before", "restated_then"),
    "window": ("book_then", "book_then"),
    "event": ("moved_then", "moved_now"),
}
_CHANGED = (
    ("restated_before", "book_before", "is_restated"),
    ("restated_then", "book_then", "is_restated"),
    ("moved_then", "book_then", "has_moved"),
    ("moved_now", "book_now", "has_moved"),
)


@dataclass(frozen=True)
class Telling:
    """What one of the two runs gave its SQL, and what its tape is."""

    parameters: Mapping[str, Any]
    tape: TapeFacts


@dataclass(frozen=True)
class PartReader:
    """The books of two runs, offered side by side; use `open_books` to make one."""

    db: DuckDBPyConnection
    before: Telling
    now: Telling
    pii_key: bytes
    shown: int

    def read(self, now: KpiValue, before: KpiValue) -> tuple[Part, ...] | None:
        """Return the parts of a KPI's move; None when its loans do not add up to what was said."""
        is_ratio = now.denominator is not None
        self._tell_shares(now.name)
        self._make_table("loan_step", {})
        self._make_table("loan_part", {"is_ratio": is_ratio})
        moves = self._moves()
        if not _is_whole(moves, now, before):
            return None
        scale, move = Scale.of(before, now), (now.value or Decimal(0)) - (before.value or 0)
        exact = {part: scale.amount(n, d) for part, (_, n, d) in moves.items()}
        amounts, largest = apportion(move, exact), self._largest(scale)
        return tuple(
            Part(
                name=part,
                amount=amounts[part],
                loans=loans,
                numerator=numerator,
                denominator=denominator if is_ratio else None,
                by_denominator=published(scale.amount(0, denominator)) if is_ratio else None,
                largest=largest.get(part, ()),
            )
            for part, (loans, numerator, denominator) in moves.items()
        )

    def _tell_shares(self, kpi: str) -> None:
        """Write down what the loans add to the KPI at both ends of each step."""
        sql = read_sql("loans", kpi)
        then, now = (bound(sql, told.parameters) for told in (self.before, self.now))
        steps = {"restatement": (then, then), "window": (then, now), "event": (now, now)}
        self.db.execute(
            "create or replace temp table told_share (step varchar, is_end boolean, "
            "loan_key ubigint, numerator decimal(18, 2), denominator decimal(18, 2))"
        )
        for step, ends in steps.items():
            if step == "window" and then == now:
                continue
            for book, given, is_end in zip(_BOOKS[step], ends, ("false", "true"), strict=True):
                self.db.execute(
                    f"insert into told_share with book as (from {book}) select {literal(step)}, "
                    f"{is_end}, loan_key, numerator, denominator from ({sql})",
                    given,
                )

    def _moves(self) -> dict[str, tuple[int, Decimal, Decimal]]:
        """Return the parts that any loan is in, in reading order."""
        rows = {part: (loans, n, d) for part, loans, n, d in self._rows("part", {})}
        return {part: rows[part] for part in PARTS if part in rows}

    def _largest(self, scale: Scale) -> dict[str, tuple[MovedLoan, ...]]:
        given = {"rate": float(scale.rate), "shown": self.shown}
        largest: dict[str, tuple[MovedLoan, ...]] = {}
        for part, loan_id, numerator, denominator, *told in self._rows("top_loan", given):
            amount = published(scale.amount(numerator, denominator))
            loan = MovedLoan(mask_id(self.pii_key, loan_id), *told, amount=amount)
            largest[part] = (*largest.get(part, ()), loan)
        return largest

    def _rows(self, name: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.db.execute(read_sql("change", name), given).fetchall()

    def _make_table(self, name: str, given: Mapping[str, Any]) -> None:
        sql = read_sql("change", name)
        self.db.execute(f"create or replace temp table {name} as {sql}", given)


def _is_whole(
    moves: Mapping[str, tuple[int, Decimal, Decimal]], now: KpiValue, before: KpiValue
) -> bool:
    """Return whether the loans' moves are those of the sums that the two runs published."""
    numerator = sum(n for _, n, _ in moves.values())
    denominator = sum(d for *_, d in moves.values())
    said = (now.numerator or 0) - (before.numerator or 0)
    said_below = (now.denominator or 0) - (before.denominator or 0)
    is_equal = (numerator, denominator) == (said, said_below)
    return is_equal and is_sum_of_loans(before) and is_sum_of_loans(now)


def open_books(
    db: DuckDBPyConnection,
    folder: Path,
    before: Telling,
    now: Telling,
    settings: Settings,
    shown: int,
) -> PartReader:
    """Offer the earlier run's book, the new tape's book of that day, and the new run's.

    `db` offers the tables of the new run, `folder` is that of the earlier one. A tape without a
    ledger cannot tell the earlier day: that book is then as the earlier run told it.
    """
    sealed = f"read_parquet({literal(str(folder / 'book.parquet'))})"
    db.execute(f"create or replace temp view book_before as {_keyed(sealed)}")
    db.execute(f"create or replace temp view book_now as {_keyed('book')}")
    _tell_then(db, before, now)
    for book in ("before", "then", "now"):
        db.execute(
            f"create or replace temp view stand_{book} as with book as (from book_{book}) "
            f"from ({read_sql('change', 'stand')})"
        )
    db.execute(f"create or replace temp table loan_stand as {read_sql('change', 'loan_stand')}")
    for book, of_book, which in _CHANGED:
        db.execute(
            f"create or replace temp table {book} as select {of_book}.* from {of_book} "
            f"semi join (from loan_stand where {which}) as told using (loan_key)"
        )
    return PartReader(db, before, now, settings.pii_key_bytes(), shown)


def _tell_then(db: DuckDBPyConnection, before: Telling, now: Telling) -> None:
    if not now.tape.kind.has_ledger:
        db.execute("create or replace temp view book_then as from book_before")
        return
    given = {**now.parameters, "as_of": before.parameters["as_of"]}
    sql = read_sql("book", now.tape.kind.book_sql)
    db.execute(f"create or replace temp table book_then as {_keyed(f'({sql})')}", bound(sql, given))


def _keyed(book: str) -> str:
    """Return the book with keys and row hashes of today's engine: an old run's are of another."""
    return (
        "select keyed.*, hash(keyed) as row_hash "
        f"from (select * replace (hash(loan_id) as loan_key) from {book}) as keyed"
    )
