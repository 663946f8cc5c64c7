"""What only tapes without a ledger can get wrong: positions by bucket, and balances told again."""

from datetime import date

from tests.warehouse.quality.tape_by_hand import LOANS, SNAPSHOTS, bad, good, tape

FACILITY = "facility.csv"
POSITION = {
    "reporting_date": "2025-01-31",
    "total_receivable": "1000.00",
    "past_due_0": "900.00",
    "past_due_7": "40.00",
    "past_due_30": "30.00",
    "past_due_60": "10.00",
    "past_due_90": "20.00",
    "has_past_due_120": False,
    "total_eligible": "800.00",
    "cash_available": "16.00",
    "row_fault": None,
    "source_row": 1,
}
AS_OF = {"bind": {"previous_as_of": date(2025, 1, 31)}}


def positions(*rows):
    return {"previous": {"facility_position": [POSITION | row for row in rows]}}


def told_again(now, before):
    """The tape tells L1 as `now`, the run before told it as `before`: residual, days past due."""
    columns = ("residual_principal", "days_past_due")
    book = {"loan_key": None, "loan_id": "L1"}
    return AS_OF | {
        "previous": {
            "book_then": [book | dict(zip(columns, now, strict=True))],
            "previous_book": [{"loan_id": "L1"} | dict(zip(columns, before, strict=True))],
        }
    }


def facility_before(**cells):
    """The tape tells POSITION, the run before told it with these cells."""
    told = {
        k: v
        for k, v in POSITION.items()
        if k not in ("has_past_due_120", "row_fault", "source_row")
    }
    rows = {"facility_position": [POSITION], "previous_facility_position": [told | cells]}
    return AS_OF | {"previous": rows}


def paid_before(*rows):
    """The run before knew these payments of L1: day and principal, with interest 5."""
    zeros = {"fees": 0, "other": 0, "tax": 0}
    paid = [
        {"loan_id": "L1", "paid_date": day, "principal": amount, "interest": "5.00"} | zeros
        for day, amount in rows
    ]
    return AS_OF | {"previous": {"previous_payment": paid}}


def snapshot_before(**cells):
    """The run before told the balance of L1 at the end of January with these cells."""
    told = {
        "loan_id": "L1",
        "reporting_date": "2025-01-31",
        "as_of_date": "2025-01-31",
        "dpd": 0,
        "outstanding_principal": "60.00",
        "written_off_principal": "0.00",
    }
    return {"previous": {"previous_balance_snapshot": [told | cells]}}


KINDS = [
    good("facility_row_unreadable", "a whole day", tape(), **positions({})),
    bad(
        "facility_row_unreadable",
        "a day with a bad amount",
        tape(),
        (FACILITY, 1, None, "amount:BAD_NUMBER"),
        **positions({"row_fault": "amount:BAD_NUMBER"}),
    ),
    good("facility_future_date", "the day before it came", tape(), **positions({})),
    bad(
        "facility_future_date",
        "the day after it came",  # received on 2025-02-01
        tape(),
        (FACILITY, 1, None, "reported 2025-02-02, received 2025-02-01"),
        **positions({"reporting_date": "2025-02-02"}),
    ),
    good(
        "facility_date_repeated",
        "two days",
        tape(),
        **positions({}, {"reporting_date": "2025-01-30", "source_row": 2}),
    ),
    bad(
        "facility_date_repeated",
        "one day twice",
        tape(),
        (FACILITY, 1, None, "2 rows are of 2025-01-31"),
        (FACILITY, 2, None, "2 rows are of 2025-01-31"),
        **positions({}, {"source_row": 2}),
    ),
    good("facility_amount_negative", "no cash", tape(), **positions({"cash_available": "0.00"})),
    bad(
        "facility_amount_negative",
        "a negative bucket",
        tape(),
        (FACILITY, 1, None, "2025-01-31: an amount is negative"),
        **positions({"past_due_60": "-10.00"}),
    ),
    good(
        "buckets_differ_from_total",
        "apart by a cent and a ten-thousandth",  # 0.01 + 0.0001 x 1000 = 0.11
        tape(),
        **positions({"past_due_0": "900.11"}),
    ),
    bad(
        "buckets_differ_from_total",
        "apart by a cent more",
        tape(),
        (FACILITY, 1, None, "2025-01-31: buckets 1000.12, total receivable 1000.00"),
        **positions({"past_due_0": "900.12"}),
    ),
    good("bucket_120_beside_90", "one bucket at the end", tape(), **positions({})),
    bad(
        "bucket_120_beside_90",
        "both buckets",
        tape(),
        (
            FACILITY,
            1,
            None,
            "2025-01-31: the greater of dpd_90_plus and dpd_120_plus was taken",
        ),
        **positions({"has_past_due_120": True}),
    ),
    good("restated_facility", "told as before", tape(), **facility_before()),
    bad(
        "restated_facility",
        "other cash",
        tape(),
        (FACILITY, 1, None, "2025-01-31: told otherwise than before"),
        **facility_before(cash_available="99.00"),
    ),
    good("restated_payment", "paid as before", tape(), **paid_before(("2025-01-31", "40.00"))),
    bad(
        "restated_payment",
        "paid on another day",
        tape(),
        (LOANS, 1, "L1", "payments of other days than before"),
        **paid_before(("2025-01-30", "40.00")),
    ),
    good(
        "restated_payment",
        "another amount is another check's",
        tape(),
        **paid_before(("2025-01-30", "39.00")),
    ),
    good("restated_snapshot", "told as before", tape(), **snapshot_before()),
    bad(
        "restated_snapshot",
        "another balance of a closed month",
        tape(),
        (SNAPSHOTS, 1, "L1", "2025-01-31: balance by 10.00, days past due by 0"),
        **snapshot_before(outstanding_principal="50.00"),
    ),
    good(
        "restated_snapshot",
        "another day of a partial month",
        tape(),
        **snapshot_before(outstanding_principal="50.00", as_of_date="2025-01-30"),
    ),
    good("restated_book", "told as before", tape(), **told_again(("60.00", 5), ("60.00", 5))),
    bad(
        "restated_book",
        "another balance, later than before",
        tape(),
        (LOANS, 1, "L1", "residual by 10.00, days past due by 30"),
        **told_again(("60.00", 35), ("50.00", 5)),
    ),
    good("reporting_date_stale", "four quiet days", tape(), bind={"last_date": date(2025, 1, 27)}),
    bad(
        "reporting_date_stale",
        "five of them",
        tape(),
        (LOANS, None, None, "last reporting date 2025-01-26, 5 days before the as-of date"),
        bind={"last_date": date(2025, 1, 26)},
    ),
]
