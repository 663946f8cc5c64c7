"""The four kinds of input: what each holds, what can be asked of it, and what it cannot answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Self, cast

from pydantic import JsonValue

from settings.errors import InternalError
from settings.kpis import Kpi
from warehouse.tape import FACILITY, LOAN_TAPE, PAR_BALANCES, TAPE_TABLES, TapeTable

_LEDGER_TABLES = ("book_history", "payment", "schedule", "loan")
_ALWAYS = ("book", "health_component", "quality_result")
_OF_FACILITY = frozenset(
    {
        "facility_row_unreadable",
        "facility_future_date",
        "facility_date_repeated",
        "facility_amount_negative",
        "buckets_differ_from_total",
        "bucket_120_beside_90",
        "restated_facility",
    }
)
_OF_REPORTED = frozenset({"restated_book", "restated_snapshot", "reporting_date_stale"})


@dataclass(frozen=True)
class TapeKind:
    """One kind of input.

    `basis` is that of every figure its book gives; `book_sql` and `completeness_sql` name the SQL
    that makes the book, and that counts the cells which must be there. `offers` are the tables, and
    the columns of the book (`book.customer_id`), that a KPI may require; those in `offers_if` only
    when the columns named there were found. `checks` are the quality checks to run, each with the
    column it is about when that may be absent; None means all but those of other kinds.
    """

    name: str
    title: str
    basis: str
    tables: tuple[TapeTable, ...]
    book_sql: str
    completeness_sql: str | None
    offers: tuple[str, ...]
    offers_if: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    checks: Mapping[str, str | None] | None = None

    @property
    def has_ledger(self) -> bool:
        """Whether the input tells every payment, so that the book of any day can be worked out."""
        return "book_history" in self.offers

    @property
    def has_loans(self) -> bool:
        """Whether the input tells single loans."""
        return "book.loan_id" in self.offers

    def offered(self, columns: Collection[str]) -> frozenset[str]:
        """Return what an input of this kind offers when these columns of it are known."""
        more = (name for name, needs in self.offers_if.items() if set(needs) <= set(columns))
        return frozenset({*self.offers, *more})

    def has_check(self, check: str, columns: Collection[str]) -> bool:
        """Return whether a quality check can be asked of an input with these columns."""
        if self.checks is None:
            return check not in _OF_FACILITY | _OF_REPORTED
        needed = self.checks.get(check, "")
        return check in self.checks and (needed is None or needed in columns)


FOUR_TABLES = TapeKind(
    "four_tables",
    "Cascade's four tables",
    "ledger",
    TAPE_TABLES,
    "book",
    "completeness",
    offers=(
        *_ALWAYS,
        *_LEDGER_TABLES,
        "book.loan_id",
        "book.customer_id",
        "book.disburse_date",
        "book.written_off_principal",
    ),
)

LOAN_LIST = TapeKind(
    "loan_tape",
    "a loan tape with one row a loan",
    "reported",
    (LOAN_TAPE,),
    "book_of_loan_tape",
    "completeness_of_loan_tape",
    offers=(
        *_ALWAYS,
        "book.loan_id",
        "book.written_off_principal",
        "earlier_book",
        "earlier_total",
        "default_event",
    ),
    offers_if={
        "book.customer_id": ("customer_id",),
        "book.disburse_date": ("disburse_date", "disbursed_principal"),
    },
    checks={
        "loan_id_null": None,
        "loan_id_conflict": None,
        "loan_key_collision": None,
        "customer_null": "customer_id",
        "future_date": None,
        "balance_out_of_range": None,
        "principal_not_positive": "disbursed_principal",
        "maturity_not_after_disbursement": "maturity_date",
        "lost_loans": None,
        "unparseable_cell": None,
        "exact_duplicate": None,
        "float_noise": None,
        "apr_out_of_range": "apr",
        "term_over_a_year": "term_days",
        "complete_with_balance": "status",
        "complete_with_dpd": "status",
        "default_without_dpd": "status",
        "customer_id_pattern": "customer_id",
        "reporting_date_stale": "reporting_date",
        "reporting_date_after_as_of": "reporting_date",
        "restated_book": None,
    },
)

SNAPSHOTS = TapeKind(
    "par_balances",
    "Cascade's month-end book alone",
    "reported",
    (PAR_BALANCES,),
    "book_of_snapshots",
    "completeness_of_snapshots",
    offers=(*_ALWAYS, "book.loan_id", "book.written_off_principal"),
    checks=dict.fromkeys(
        (
            "loan_id_null",
            "loan_key_collision",
            "snapshot_conflict",
            "balance_out_of_range",
            "future_date",
            "over_180_not_written_off",
            "written_off_with_live_balance",
            "par_not_nested",
            "lost_loans",
            "unparseable_cell",
            "exact_duplicate",
            "float_noise",
            "reporting_date_after_as_of",
            "reporting_date_stale",
            "restated_snapshot",
        )
    ),
)

AGGREGATE = TapeKind(
    "aggregate",
    "an aggregate tape without loans",
    "bucketed",
    (FACILITY,),
    "book_of_buckets",
    None,  # a row with a bad cell refuses the tape
    offers=(*_ALWAYS, "facility_position"),
    offers_if={"facility_position.cash_available": ("cash_available", "total_eligible")},
    checks=dict.fromkeys((*sorted(_OF_FACILITY), "reporting_date_stale")),
)

KINDS: Mapping[str, TapeKind] = {
    kind.name: kind for kind in (FOUR_TABLES, LOAN_LIST, SNAPSHOTS, AGGREGATE)
}


def find_kind(name: str) -> TapeKind:
    """Return the kind of this name, as a manifest keeps it.

    Raises:
        InternalError: There is none.
    """
    if name not in KINDS:
        raise InternalError(f"no kind of tape is called {name!r}", fix="report this line")
    return KINDS[name]


@dataclass(frozen=True)
class TapeFacts:
    """What one input is and offers, as its run keeps it to be rebuilt."""

    kind: TapeKind
    offers: frozenset[str]

    def to_json(self) -> dict[str, JsonValue]:
        """Return what the manifest keeps of this."""
        return {"tape_kind": self.kind.name, "offers": [*sorted(self.offers)]}

    @classmethod
    def from_json(cls, facts: Mapping[str, JsonValue]) -> Self:
        """Return what a manifest kept; a run of the first contract was of the four tables.

        Raises:
            InternalError: It names no kind of today.
        """
        kind = find_kind(str(facts.get("tape_kind", FOUR_TABLES.name)))
        offers = cast("list[str]", facts.get("offers", list(kind.offers)))
        return cls(kind, frozenset(offers))


LEDGER = TapeFacts(FOUR_TABLES, frozenset(FOUR_TABLES.offers))


@dataclass(frozen=True)
class KpiAnswer:
    """How an input answers a KPI: the folder of its SQL and its basis, or why it cannot."""

    folder: str
    basis: str
    reason: str | None = None


def sql_folder(kpi: Kpi, basis: str) -> str:
    """Return the folder of the SQL that gave a value of this basis."""
    return f"kpi/{basis}" if basis in kpi.other_bases else "kpi"


def answer_for(kpi: Kpi, tape: TapeFacts) -> KpiAnswer:
    """Return how a tape answers `kpi`.

    The KPI's own SQL when all it requires is there, else that of the first other basis which can.
    """
    missing = [name for name in kpi.requires if name not in tape.offers]
    if not missing:
        return KpiAnswer("kpi", tape.kind.basis)
    for basis, requires in kpi.other_bases.items():
        if set(requires) <= tape.offers:
            return KpiAnswer(sql_folder(kpi, basis), basis)
    told = ", ".join(name.removeprefix("book.") for name in missing)
    reason = f"it needs {told}, which {tape.kind.title} does not tell"
    return KpiAnswer("kpi", tape.kind.basis, reason)
