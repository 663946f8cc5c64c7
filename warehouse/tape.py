"""The contract of Cascade's four-table export: files, columns, and what may be absent."""

from dataclasses import dataclass

CONTRACT_VERSION = 1


@dataclass(frozen=True)
class TapeTable:
    """One CSV of the export and the canonical table it becomes.

    `required` columns must be in the header; `optional` ones read as null when absent.
    """

    source: str
    canonical: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of the CSV inside the export."""
        return f"{self.source}.csv"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column we read."""
        return self.required + self.optional


_CASH = ("principal", "interest", "other", "fees", "to_tax")

TAPE_TABLES: tuple[TapeTable, ...] = (
    TapeTable(
        "loans",
        "loan",
        required=(
            "loan_id",
            "customer_id",
            "disburse_date",
            "maturity_date",
            "term",
            "interest_rate",
            "disburse_principal",
            "total_interest",
            "total_fees",
            "outstanding_balance",
            "currency",
            "dpd",
            "loan_status",
        ),
        optional=(
            "total_other",
            "company",
            "product_type",
            "frequency",
            "location_state_province",
            "application_date",
            "pledge_date",
            "loan_grade",
            "lender",
            "facility",
            "credit_bureau_score",
            "ratio_paid",
            "amount_buckets",
            "loan_counts",
            "term_buckets",
        ),
    ),
    TapeTable(
        "schedules",
        "schedule",
        required=("loan_id", "date_due", *_CASH, "currency"),
        optional=("add_balance", "reduce_balance"),
    ),
    TapeTable(
        "transactions",
        "transaction",
        required=("loan_id", "transaction_type", "date_paid", *_CASH, "currency"),
        optional=("add_balance", "reduce_balance"),
    ),
    TapeTable(
        "loan_par_balances",
        "balance_snapshot",
        required=(
            "loan_id_raw",
            "reporting_date",
            "dpd",
            "is_writeoff",
            "loan_ccy",
            "outstanding_balance",
            "writeoff_outstanding_balance",
            "xchg_rate_to_usd",
            "PAR_7_balance_usd",
            "PAR_30_balance_usd",
            "PAR_60_balance_usd",
            "PAR_90_balance_usd",
        ),
        optional=(
            "dpd_date",
            "writeoff_type",
            "outstanding_balance_usd",
            "writeoff_outstanding_balance_usd",
        ),
    ),
)
