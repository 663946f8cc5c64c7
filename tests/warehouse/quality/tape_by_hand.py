"""Rows of a tape as the export writes them, and what a check must say of them."""

from dataclasses import dataclass, field

LOANS, SCHEDULES, TRANSACTIONS, SNAPSHOTS = (
    "loans.csv",
    "schedules.csv",
    "transactions.csv",
    "loan_par_balances.csv",
)


def loan(loan_id="L1", **cells):
    """A loan of 100 over January, on which 40 were paid."""
    return {
        "loan_id": loan_id,
        "customer_id": "CLI1",
        "disburse_date": "2025-01-01",
        "maturity_date": "2025-01-31",
        "term": "30",
        "interest_rate": "0.5",
        "disburse_principal": "100.00",
        "total_interest": "5.00",
        "total_fees": "0.00",
        "outstanding_balance": "60.00",
        "currency": "USD",
        "dpd": "0",
        "loan_status": "Current",
        "application_date": "2025-01-01",
        "pledge_date": "2025-01-01",
        "loan_grade": "A",
        "lender": "one",
        "facility": "one",
        "credit_bureau_score": "700",
    } | cells


def cash(**cells):
    """Cells that an instalment and a payment share: interest 5.00, and nothing else."""
    amounts = {"principal": "0.00", "interest": "5.00", "other": "0.00", "fees": "0.00"}
    return amounts | {"to_tax": "0.00", "currency": "USD"} | cells


def due(loan_id="L1", day="2025-01-31", principal="100.00", **cells):
    return cash(loan_id=loan_id, date_due=day, principal=principal, **cells)


def disbursed(loan_id="L1", principal="100.00", **cells):
    row = {"loan_id": loan_id, "transaction_type": "DISBURSEMENT", "date_paid": "2025-01-01"}
    return cash(principal=principal, interest="0.00") | row | cells


def paid(loan_id="L1", day="2025-01-31", principal="40.00", **cells):
    return (
        cash(loan_id=loan_id, transaction_type="PAYMENT", date_paid=day, principal=principal)
        | cells
    )


def snapshot(loan_id="L1", day="2025-01-31", balance="60.00", **cells):
    return {
        "loan_id_raw": loan_id,
        "reporting_date": day,
        "dpd": "0",
        "is_writeoff": "false",
        "loan_ccy": "USD",
        "outstanding_balance": balance,
        "writeoff_outstanding_balance": "0.00",
        "xchg_rate_to_usd": "1",
        "PAR_7_balance_usd": "0.00",
        "PAR_30_balance_usd": "0.00",
        "PAR_60_balance_usd": "0.00",
        "PAR_90_balance_usd": "0.00",
    } | cells


def written_off(balance="60.00", **cells):
    wrote_off = {"is_writeoff": "true", "dpd": "181", "writeoff_outstanding_balance": balance}
    return snapshot(balance="0.00", **(wrote_off | cells))


def tape(loans=None, schedules=None, transactions=None, snapshots=None):
    """The sound tape of L1, with the tables given in place of its own."""
    return {
        "loans": [loan()] if loans is None else loans,
        "schedules": [due()] if schedules is None else schedules,
        "transactions": [disbursed(), paid()] if transactions is None else transactions,
        "loan_par_balances": [snapshot()] if snapshots is None else snapshots,
    }


def priced(**cells):
    return tape(loans=[loan(**cells)])


def reported(**cells):
    return tape(snapshots=[snapshot(**cells)])


def ledger(*rows):
    return tape(transactions=[disbursed(), *rows])


def scheduled(*rows):
    return tape(schedules=list(rows))


@dataclass(frozen=True)
class Case:
    """A tape and the rows that the check must return: file, row, loan and detail of each."""

    check: str
    claim: str
    tape: dict
    found: tuple = ()
    previous: dict = field(default_factory=dict)  # rows of previous_loan and previous_book
    bind: dict = field(default_factory=dict)  # parameters other than those of conftest.py
    setup: str = ""  # SQL to run before the tape is read

    def title(self):
        return f"{self.check}: {self.claim}"


def bad(check, claim, rows, *found, **given):
    return Case(check, claim, rows, found, **given)


def good(check, claim, rows, **given):
    return Case(check, claim, rows, **given)
