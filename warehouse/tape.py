"""The contract of a loan tape: its tables, their columns, and what may be absent."""

from dataclasses import dataclass

CONTRACT_VERSION = 2


@dataclass(frozen=True)
class TapeTable:
    """One table of a tape and the canonical table it becomes, by `sql/canonical/<sql>.sql`.

    `required` columns must be in the header; `optional` ones read as null when absent. `label` is
    what the sender calls the table, where that is not `<source>.csv`.
    """

    source: str
    canonical: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    sql: str = ""
    label: str = ""

    @property
    def contract_name(self) -> str:
        """Name of the CSV inside Cascade's export, as quality checks tell it."""
        return f"{self.source}.csv"

    @property
    def file_name(self) -> str:
        """Name under which people know this table."""
        return self.label or self.contract_name

    @property
    def sql_name(self) -> str:
        """Name of the SQL that makes the canonical table."""
        return self.sql or self.canonical

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

LOANS, SCHEDULES, TRANSACTIONS, PAR_BALANCES = TAPE_TABLES

LOAN_TAPE = TapeTable(
    "loans",
    "loan",
    required=("loan_id", "outstanding_principal", "dpd"),
    optional=(
        "customer_id",
        "reporting_date",
        "disburse_date",
        "maturity_date",
        "term_days",
        "apr",
        "disbursed_principal",
        "currency",
        "status",
        "originator",
        "product_type",
        "state_province",
    ),
    sql="loan_tape",
    label="loan_tape.csv",
)

FACILITY = TapeTable(
    "facility",
    "facility_position",
    required=(
        "reporting_date",
        "total_receivable",
        "dpd_0_7",
        "dpd_7_30",
        "dpd_30_60",
        "dpd_60_90",
        "dpd_90_plus",
    ),
    optional=(
        "dpd_120_plus",
        "total_eligible",
        "discounted_balance",
        "cash_available",
        "lender_principal",
        "debt_to_equity",
    ),
    label="loan_tape.csv",
)
