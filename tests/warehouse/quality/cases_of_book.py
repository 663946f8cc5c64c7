"""What the book of a day says against the tape's snapshots and the run before."""

from datetime import date

from tests.warehouse.quality.tape_by_hand import (
    LOANS,
    SNAPSHOTS,
    Case,
    bad,
    disbursed,
    due,
    good,
    ledger,
    loan,
    paid,
    reported,
    snapshot,
    tape,
    written_off,
)

# L1 pays 40 of its 100 on 2025-01-31, its due date, and 0 later so that the ledger goes on.
# 2025-01-31 + 180 days = 2025-07-30, + 181 days = 2025-07-31.
LATER = date(2025, 12, 31)


def late(day, *snapshots, principal="40.00"):
    quiet = paid(day=day, principal="0.00", interest="0.00")
    return tape(
        transactions=[disbursed(), paid(principal=principal), quiet], snapshots=list(snapshots)
    )


def reconciles(claim, rows, *found):
    return Case("ledger_differs_from_snapshot", claim, rows, found, bind={"as_of": LATER})


DAY_180, DAY_181 = "2025-07-30", "2025-07-31"
BOOK = [
    good("ledger_differs_from_snapshot", "60 left and not late", tape()),
    bad(
        "ledger_differs_from_snapshot",
        "a cent apart",
        reported(balance="60.01"),
        (SNAPSHOTS, 1, "L1", "2025-01-31: live 60.00/60.01"),
    ),
    bad(
        "ledger_differs_from_snapshot",
        "a day apart",
        reported(dpd="1"),
        (SNAPSHOTS, 1, "L1", "2025-01-31: dpd 0/1"),
    ),
    bad(
        "ledger_differs_from_snapshot",
        "another flag",
        reported(is_writeoff="true"),
        (SNAPSHOTS, 1, "L1", "2025-01-31: written off false/true"),
    ),
    bad(
        "ledger_differs_from_snapshot",
        "a written-off balance of a live loan",
        reported(writeoff_outstanding_balance="0.01"),
        (SNAPSHOTS, 1, "L1", "2025-01-31: wrote off 0.00/0.01"),
    ),
    bad(
        "ledger_differs_from_snapshot",
        "a loan before its disbursement",
        reported(day="2024-12-31"),
        (SNAPSHOTS, 1, "L1", "2024-12-31: not in the ledger"),
    ),
    good(
        "ledger_differs_from_snapshot",
        "a balance after the as-of date is not compared",
        late("2025-02-01", snapshot(day="2025-02-01", balance="1.00")),
    ),
    good(
        "ledger_differs_from_snapshot",
        "a label after the last ledger day is of that day",
        reported(day="2025-02-28"),
    ),
    reconciles("day 180 is live", late(DAY_180, snapshot(day=DAY_180, dpd="180"))),
    reconciles("day 181 is written off", late(DAY_181, written_off(day=DAY_181))),
    reconciles(
        "day 180 is not written off",
        late(DAY_180, written_off(day=DAY_180, dpd="180")),
        (
            SNAPSHOTS,
            1,
            "L1",
            "2025-07-30: written off false/true, live 60.00/0.00, wrote off 0.00/60.00",
        ),
    ),
    reconciles(
        "day 181 is not live",
        late(DAY_181, snapshot(day=DAY_181, dpd="181")),
        (
            SNAPSHOTS,
            1,
            "L1",
            "2025-07-31: written off true/false, live 0.00/60.00, wrote off 60.00/0.00",
        ),
    ),
    reconciles(
        "less than 1 % left is closed and never late",
        late("2025-02-28", snapshot(day="2025-02-28", balance="0.99"), principal="99.01"),
    ),
    reconciles(
        "1 % left is 28 days late",
        late("2025-02-28", snapshot(day="2025-02-28", balance="1.00"), principal="99.00"),
        (SNAPSHOTS, 1, "L1", "2025-02-28: dpd 28/0"),
    ),
]


def two_loans(principal):
    """L2 has paid `principal` of its 100 by the month end that only lists L1."""
    return tape(
        loans=[loan(), loan("L2")],
        schedules=[due(), due("L2")],
        transactions=[disbursed(), paid(), disbursed("L2"), paid("L2", principal=principal)],
    )


ONE_SKIPPED = late(DAY_181, snapshot(), snapshot("L2"), snapshot("L2", day=DAY_181)) | {
    "loans": [loan(), loan("L2")]
}
UNLISTED = (LOANS, 2, "L2", "no row of 2025-01-31 in loan_par_balances.csv")
LISTED = [
    bad("snapshot_missing", "a loan with 1 % left", two_loans("99.00"), UNLISTED),
    good("snapshot_missing", "a loan with less left is closed", two_loans("99.01")),
    good("snapshot_missing", "no month end, nothing to list", tape(snapshots=[])),
    bad(
        "snapshot_missing",
        "a loan that is written off by then",
        ONE_SKIPPED,
        (LOANS, 1, "L1", "no row of 2025-07-31 in loan_par_balances.csv"),
        bind={"as_of": LATER},
    ),
    good("snapshot_missing", "a month end after the as-of date", ONE_SKIPPED),
    good(
        "snapshot_missing",
        "only the last month end is looked at: L2 was not on the first, L1 is paid off by the last",
        tape(
            loans=[loan(), loan("L2")],
            transactions=[disbursed(), paid(), paid(day=DAY_181, principal="60.00")],
            snapshots=[snapshot(), snapshot("L2", day=DAY_181)],
        ),
        bind={"as_of": LATER},
    ),
]

BEFORE = {"previous_as_of": date(2025, 1, 31)}
LATE_PREVIOUS = {"previous_as_of": date(2025, 2, 1)}
SAME = ["L1", "60.00", "45.00", "2025-01-31"]


def book_before(*rows, **given):
    return {"previous": {"previous_book": rows}, "bind": BEFORE | given}


def loans_before(*rows):
    return {"previous": {"previous_loan": rows}, "bind": BEFORE}


PREVIOUS = [
    bad(
        "lost_loans",
        "a loan that has left the tape",
        tape(),
        (LOANS, None, "L2", "disbursed 2025-01-31, principal 50.00"),
        **loans_before(["L1", "2025-01-01", "100.00"], ["L2", "2025-01-31", "50.00"]),
    ),
    good(
        "lost_loans",
        "a loan in quarantine is not lost",
        tape(loans=[loan(), loan("L2", term="?")]),
        **loans_before(["L2", "2025-01-01", "50.00"]),
    ),
    good(
        "lost_loans",
        "an older tape has not heard of newer loans",
        tape(),
        **loans_before(["L2", "2025-02-01", "50.00"]),
    ),
    good("lost_loans", "there is no previous run", tape()),
    good("restated_past", "told the same again", tape(), **book_before(SAME)),
    good("restated_past", "there is no previous run", tape()),
    bad(
        "restated_past",
        "10 of principal turned into interest",
        tape(),
        (LOANS, 1, "L1", "residual by 10.00"),
        **book_before(["L1", "50.00", "45.00", "2025-01-31"]),
    ),
    bad(
        "restated_past",
        "a cent less was paid",
        tape(),
        (LOANS, 1, "L1", "cash paid by -0.01"),
        **book_before(["L1", "60.00", "45.01", "2025-01-31"]),
    ),
    bad(
        "restated_past",
        "due later than before",
        tape(),
        (LOANS, 1, "L1", "oldest due date by 30 days"),
        **book_before(["L1", "60.00", "45.00", "2025-01-01"]),
    ),
    bad(
        "restated_past",
        "due again",
        tape(),
        (LOANS, 1, "L1", "oldest due date now 2025-01-31"),
        **book_before(["L1", "60.00", "45.00", None]),
    ),
    bad(
        "restated_past",
        "nothing is due any more, all was paid",
        ledger(paid(principal="100.00")),
        (LOANS, 1, "L1", "residual by -60.00, cash paid by 60.00, oldest due date gone"),
        **book_before(SAME),
    ),
    bad(
        "restated_past",
        "a loan that is told of too late",
        tape(),
        (LOANS, 1, "L1", "residual by 60.00, cash paid by 45.00, oldest due date now 2025-01-31"),
        **book_before(),
    ),
    bad(
        "restated_past",
        "a loan that is now disbursed later",
        tape(
            loans=[loan(disburse_date="2025-02-01", maturity_date="2025-02-28")],
            transactions=[disbursed(date_paid="2025-02-01")],
        ),
        (LOANS, 1, "L1", "residual by -60.00, cash paid by -45.00, oldest due date gone"),
        **book_before(SAME, as_of=date(2025, 2, 1)),
    ),
    good(
        "restated_past",
        "what happened since is news",
        ledger(paid(), paid(day="2025-02-01", principal="60.00")),
        **book_before(SAME, as_of=date(2025, 2, 1)),
    ),
    good(
        "restated_past",
        "a lost loan is another check's",
        tape(),
        **book_before(SAME, ["L2", "50.00", "0.00", "2025-01-31"]),
    ),
    good(
        "restated_past",
        "an older day cannot contradict a newer one",
        tape(),
        **book_before(["L1", "50.00", "45.00", None], **LATE_PREVIOUS),
    ),
]
