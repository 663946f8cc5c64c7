"""Rows that are missing, cannot be read, are there twice, or are of a wrong day."""

from tests.warehouse.quality.tape_by_hand import (
    LOANS,
    SCHEDULES,
    SNAPSHOTS,
    TRANSACTIONS,
    bad,
    disbursed,
    due,
    good,
    ledger,
    loan,
    paid,
    scheduled,
    snapshot,
    tape,
)

NAMELESS = "loan_id is empty"
MISSING = [
    bad(
        "loan_id_null",
        "a row without a loan_id, in any table",
        tape(
            loans=[loan(), loan(None)],
            schedules=[due(), due(None)],
            transactions=[disbursed(), paid(None)],
            snapshots=[snapshot(), snapshot(None)],
        ),
        (SNAPSHOTS, 2, None, NAMELESS),
        (LOANS, 2, None, NAMELESS),
        (SCHEDULES, 2, None, NAMELESS),
        (TRANSACTIONS, 2, None, NAMELESS),
    ),
    good("loan_id_null", "a loan_id of one character is one", tape(loans=[loan("0"), loan()])),
    bad(
        "customer_null",
        "a loan without a customer",
        tape(loans=[loan(customer_id=None)]),
        (LOANS, 1, "L1", "customer_id is empty"),
    ),
    good("customer_null", "an odd customer is still one", tape(loans=[loan(customer_id="?")])),
    bad(
        "loan_without_schedule",
        "a loan with nothing due",
        tape(loans=[loan(), loan("L2")]),
        (LOANS, 2, "L2", "no row in schedules.csv"),
    ),
    good(
        "loan_without_schedule",
        "one instalment of nothing is a schedule",
        tape(schedules=[due(principal="0.00")]),
    ),
    bad(
        "orphan_row",
        "rows of a loan that is not in loans.csv",
        tape(
            schedules=[due(), due("L2")],
            transactions=[disbursed(), paid("L2"), paid("L2")],
            snapshots=[snapshot("L2")],
        ),
        (SNAPSHOTS, 1, "L2", "no row in loans.csv"),
        (SCHEDULES, 2, "L2", "no row in loans.csv"),
        (TRANSACTIONS, 2, "L2", "no row in loans.csv"),
        (TRANSACTIONS, 3, "L2", "no row in loans.csv"),
    ),
    good(
        "orphan_row",
        "a loan that cannot be read is in loans.csv all the same",
        tape(loans=[loan(), loan("L2", term="?")], schedules=[due(), due("L2")]),
    ),
    good("orphan_row", "a row without a loan_id is another check's", tape(schedules=[due(None)])),
    bad(
        "unparseable_cell",
        "a cell that its column cannot hold, in any table",
        tape(
            loans=[loan(), loan("L2", disburse_principal="1,000.00")],
            schedules=[due(), due(day="31/01/2025")],
            transactions=[disbursed(), paid(interest=None)],
            snapshots=[snapshot(), snapshot(is_writeoff="no")],
        ),
        (SNAPSHOTS, 2, "L1", "is_writeoff:BAD_FLAG"),
        (LOANS, 2, "L2", "disburse_principal:BAD_NUMBER"),
        (SCHEDULES, 2, "L1", "date_due:BAD_DATE"),
        (TRANSACTIONS, 2, "L1", "interest:MISSING"),
    ),
    good("unparseable_cell", "a float tail can be read", tape(loans=[loan(dpd="0")])),
    bad(
        "all_null_columns",
        "an optional column without a cell",
        tape(loans=[loan(lender=None), loan("L2", lender=None)]),
        (LOANS, None, None, "lender is empty in every row"),
    ),
    good(
        "all_null_columns",
        "one cell in each is enough",
        tape(
            loans=[
                loan("L2"),
                loan(
                    application_date=None,
                    pledge_date=None,
                    loan_grade=None,
                    lender=None,
                    facility=None,
                    credit_bureau_score=None,
                ),
            ]
        ),
    ),
]

ONE_KEY = "create macro hash(x) as cast(0 as ubigint)"  # no two ids are known to collide
REPEATED = [
    bad(
        "loan_id_conflict",
        "one loan_id with different cells",
        tape(loans=[loan(), loan(term="31"), loan("L2")]),
        (LOANS, 1, "L1", "2 different rows have this loan_id"),
        (LOANS, 2, "L1", "2 different rows have this loan_id"),
    ),
    good("loan_id_conflict", "the same row twice is a duplicate", tape(loans=[loan(), loan()])),
    good(
        "loan_id_conflict",
        "rows without a loan_id do not share one",
        tape(loans=[loan(None), loan(None, term="31")]),
    ),
    bad(
        "loan_id_conflict",
        "two payments later all the same",
        tape(
            loans=[loan(), loan(term="31")],
            transactions=[disbursed(), paid(day="2025-01-30"), paid()],
        ),
        (LOANS, 1, "L1", "2 different rows have this loan_id"),
        (LOANS, 2, "L1", "2 different rows have this loan_id"),
    ),
    bad(
        "loan_key_collision",
        "two loans under one key",
        tape(
            loans=[loan(), loan("L2")],
            transactions=[disbursed(), paid(day="2025-01-30"), paid()],
        ),
        (LOANS, 1, "L1", "another loan_id has the same join key"),
        (LOANS, 2, "L2", "another loan_id has the same join key"),
        setup=ONE_KEY,
    ),
    good(
        "loan_id_conflict",
        "two loans under one key do not share their id",
        tape(loans=[loan(), loan("L2")]),
        setup=ONE_KEY,
    ),
    good("loan_key_collision", "two loans, two keys", tape(loans=[loan(), loan("L2")])),
    bad(
        "schedule_conflict",
        "two amounts for one due date",
        tape(schedules=[due(), due(principal="99.99"), due(day="2025-02-28")]),
        (SCHEDULES, 1, "L1", "due 2025-01-31: principal 100.00, and other amounts"),
        (SCHEDULES, 2, "L1", "due 2025-01-31: principal 99.99, and other amounts"),
    ),
    good("schedule_conflict", "the same row twice is a duplicate", tape(schedules=[due(), due()])),
    good(
        "schedule_conflict",
        "two due dates are two instalments",
        tape(schedules=[due(), due(day="2025-02-28", principal="1.00")]),
    ),
    bad(
        "snapshot_conflict",
        "two balances for one reporting date",
        tape(snapshots=[snapshot(), snapshot(balance="61.00"), snapshot(day="2025-02-28")]),
        (SNAPSHOTS, 1, "L1", "2025-01-31: balance 60.00, dpd 0, and other figures"),
        (SNAPSHOTS, 2, "L1", "2025-01-31: balance 61.00, dpd 0, and other figures"),
    ),
    good("snapshot_conflict", "the same row twice", tape(snapshots=[snapshot(), snapshot()])),
    good(
        "snapshot_conflict",
        "two reporting dates",
        tape(snapshots=[snapshot(), snapshot(day="2025-02-28", balance="61.00")]),
    ),
    bad(
        "exact_duplicate",
        "a row that repeats another, in three tables",
        tape(
            loans=[loan(), loan()],
            schedules=[due(), due(), due()],
            snapshots=[snapshot(), snapshot()],
        ),
        (SNAPSHOTS, 2, "L1", "repeats an earlier row"),
        (LOANS, 2, "L1", "repeats an earlier row"),
        (SCHEDULES, 2, "L1", "repeats an earlier row"),
        (SCHEDULES, 3, "L1", "repeats an earlier row"),
    ),
    good(
        "exact_duplicate",
        "two equal payments of a day are two payments",
        tape(transactions=[disbursed(), paid(), paid()]),
    ),
    good("exact_duplicate", "a conflict is none", tape(loans=[loan(), loan(term="31")])),
]

DAYS = [
    bad(
        "future_date",
        "the day after it was received",
        tape(
            loans=[loan(disburse_date="2025-02-02", maturity_date="2025-03-01")],
            transactions=[disbursed(date_paid="2025-02-02"), paid(day="2025-02-02")],
            snapshots=[snapshot(day="2025-02-02"), snapshot(day="2025-03-31")],
        ),
        (SNAPSHOTS, 1, "L1", "reported 2025-02-02, received 2025-02-01"),
        (SNAPSHOTS, 2, "L1", "reported 2025-03-31, received 2025-02-01"),
        (LOANS, 1, "L1", "disbursed 2025-02-02, received 2025-02-01"),
        (TRANSACTIONS, 1, "L1", "paid 2025-02-02, received 2025-02-01"),
        (TRANSACTIONS, 2, "L1", "paid 2025-02-02, received 2025-02-01"),
    ),
    good(
        "future_date",
        "the day itself, and the end of its month as a label",
        tape(
            loans=[loan(disburse_date="2025-02-01", maturity_date="2025-03-01")],
            transactions=[disbursed(date_paid="2025-02-01"), paid(day="2025-02-01")],
            snapshots=[snapshot(day="2025-02-01"), snapshot(day="2025-02-28")],
        ),
    ),
    good("future_date", "an instalment may be due later", scheduled(due(day="2031-01-01"))),
    bad(
        "reporting_date_after_as_of",
        "the label of a month that is not over",
        tape(snapshots=[snapshot(), snapshot(day="2025-02-28")]),
        (SNAPSHOTS, 2, "L1", "reported 2025-02-28, balances of 2025-01-31"),
    ),
    good("reporting_date_after_as_of", "the as-of date itself", tape()),
    bad(
        "days_without_payment",
        "a day between two payments",
        ledger(paid(day="2025-01-29"), paid()),
        (TRANSACTIONS, None, None, "no payment on 2025-01-30"),
    ),
    good("days_without_payment", "one day after the other", ledger(paid(day="2025-01-30"), paid())),
    good("days_without_payment", "days before the first payment", ledger(paid(day="2025-01-29"))),
    good("days_without_payment", "after the as-of date", ledger(paid(), paid(day="2025-02-09"))),
    good("days_without_payment", "no payment at all", ledger()),
    bad(
        "quiet_ledger",
        "5 days",
        ledger(paid(day="2025-01-26"), paid(day="2025-02-01")),
        (TRANSACTIONS, None, None, "last event 2025-01-26, 5 days before the as-of date"),
    ),
    good("quiet_ledger", "4 days", ledger(paid(day="2025-01-26"), paid(day="2025-01-27"))),
    good("quiet_ledger", "a payment on the as-of date", ledger(paid(day="2025-01-31"))),
    good("quiet_ledger", "a disbursement on it", ledger(disbursed(date_paid="2025-01-31"))),
    bad(
        "quiet_ledger",
        "nothing yet",
        tape(transactions=[disbursed(date_paid="2025-02-01")]),
        (TRANSACTIONS, None, None, "no event up to the as-of date"),
    ),
]
