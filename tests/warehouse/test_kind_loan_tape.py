"""A tape with one row a loan and no ledger: what it answers, and what it says it cannot."""

import csv
from datetime import date, datetime
from decimal import Decimal

import pytest
import xlsxwriter

from tests.warehouse.kind_tapes import LOAN_HEADER, assert_sound, kpis_of, loan_tape, write_csv
from tests.warehouse.tape_runs import Desk
from tests.warehouse.valued_tape import settings_for
from warehouse.sealed_kpis import read_health

SPANISH = (
    "ID Préstamo,Código Cliente,Saldo Capital,Días de Mora,Monto Desembolsado,"
    "Fecha Desembolso,Fecha Vencimiento,Moneda,Estado,Departamento"
)
PRESTAMOS = (
    "P-1,CLI1,100.00,0,200.00,2025-11-29,2026-01-01,USD,Vigente,San Salvador",
    "P-2,CLI2,50.25,95,100.00,2025-08-01,2025-09-23,USD,Mora,Cuscatlán",
    "P-3,CLI2,49.75,31,100.00,2025-10-01,2025-11-26,USD,Mora,Cuscatlán",
)
TOTAL = "TOTAL,,200.00,,400.00,,,,,"


@pytest.fixture
def empty_desk(tmp_path):
    """Return a data folder on which nothing has run."""
    return Desk(tmp_path / "root")


@pytest.fixture
def loans(tmp_path):
    """Return a tape of seven loans: one on time, four late, one of them written off, two paid."""
    return write_csv(
        tmp_path / "loan_tape.csv",
        LOAN_HEADER,
        "A,C1,1000,0,1000,2024-01-02,2026-06-30",
        "B,C1,600,95,600,2025-01-02,2026-06-30",
        "C,C2,300,180,300,2025-01-02,2026-06-30",
        "D,C3,100,181,100,2025-01-02,2026-06-30",
        "E,C4,0.99,200,100,2025-01-02,2026-06-30",  # below 1 % of its principal: paid off
        "F,C5,100,89,100,2025-09-20,2026-06-30",
        "G,C6,0,0,100,2025-12-20,2026-06-30",  # new, and paid off
    )


def test_par_of_a_loan_tape_counts_the_reported_days_past_due(empty_desk, loans):
    outcome = empty_desk.run(loans)

    kpis = kpis_of(outcome)
    par_90 = kpis["par_90"]
    # live: A + B + C + F = 2000; late: B on day 95 and C on day 180, its last live day
    assert (par_90.numerator, par_90.denominator, par_90.basis) == (900, 2000, "reported")
    assert par_90.value == Decimal("0.45")
    assert kpis["par_60"].value == Decimal("0.5")  # F on day 89 too: 1000 / 2000
    assert_sound(empty_desk, outcome)


def test_a_loan_tape_tells_write_offs_counts_and_what_was_lent(empty_desk, loans):
    kpis = kpis_of(empty_desk.run(loans))

    assert kpis["written_off"].value == 100  # D, on day 181
    assert kpis["outstanding"].value == 2000
    assert kpis["active_loans"].value == 4  # A, B, C, F
    assert kpis["active_clients"].value == 3  # C1, C2, C5
    assert kpis["originations"].value == 100  # G
    assert kpis["rdr90_12m_books"].value == 0  # A alone is a year old


def test_collections_and_recoveries_are_unknown_on_the_first_loan_tape(empty_desk, loans):
    outcome = empty_desk.run(loans)

    kpis = kpis_of(outcome)
    told = {name: (kpis[name].basis, kpis[name].reason) for name in ("collection_rate", "rdr_90")}
    assert told == {
        "collection_rate": (
            "snapshot_delta",
            "it needs a stored tape at least a week older, of the last two windows",
        ),
        "rdr_90": (
            "snapshot_delta",
            "the stored tapes show 0 default events, at least 5 are needed",
        ),
    }
    assert [kpis[name].value for name in told] == [None, None]
    assert kpis["portfolio_health"].reason == "collection_rate is unknown"
    assert [part.kpi for part in read_health(outcome.sealed) if part.score is None] == [
        "collection_rate",
        "rdr_90",
    ]


def test_a_loan_tape_without_clients_and_dates_says_what_it_cannot_tell(empty_desk, tmp_path):
    short = write_csv(tmp_path / "tape.csv", "loan_id,balance,dpd", "A,100,0", "B,100,90")

    kpis = kpis_of(empty_desk.run(short))

    assert kpis["par_90"].value == Decimal("0.5")
    assert (
        kpis["active_clients"].reason
        == "it needs customer_id, which a loan tape with one row a loan does not tell"
    )
    for name in ("originations", "rdr90_12m_books"):
        assert kpis[name].value is None
        assert "disburse_date" in (kpis[name].reason or "")


def write_workbook(path, header, rows):
    """Write one sheet as Excel would hold it: numbers as numbers, days as days."""
    with xlsxwriter.Workbook(str(path), {"default_date_format": "dd/mm/yyyy"}) as book:
        sheet = book.add_worksheet("Cartera")
        sheet.write_row(0, 0, header.split(","))
        for row, cells in enumerate(csv.reader(rows), start=1):
            for column, cell in enumerate(cells):
                sheet.write(row, column, _as_excel(cell))
    return path


def _as_excel(cell):
    for kind in (float, datetime.fromisoformat):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_spanish_tape_is_read_and_its_row_of_totals_is_set_apart(empty_desk, tmp_path, suffix):
    path = tmp_path / f"cartera.{suffix}"
    write = write_csv if suffix == "csv" else lambda path, head, *r: write_workbook(path, head, r)
    write(path, SPANISH, *PRESTAMOS, TOTAL)

    outcome = empty_desk.run(path)

    kpis, quality = kpis_of(outcome), outcome.sealed.manifest.quality
    assert kpis["outstanding"].value == 200  # 100 + 50.25 + 49.75, the total not once more
    assert kpis["par_90"].value == Decimal("0.251250")  # 50.25 / 200
    assert kpis["active_clients"].value == 2
    assert kpis["originations"].value == 200  # P-1, lent on 29 November, 29 days ago
    assert quality["quarantine"] == {
        "loans": 1,
        "bad_rows": 1,
        "rows": 0,
        "row_ratio": "0.000000",
        "balance_ratio": "0.000000",
        "reasons": {"loan_id:TOTAL_ROW": 1},
    }
    assert "unparseable_cell" in quality["failed"]
    assert_sound(empty_desk, outcome)


def test_a_row_of_totals_is_known_by_its_first_words(empty_desk, tmp_path):
    labels = ("Total", "TOTALES:", "Gran Total", "Subtotal", "Sub-total", "total general")
    totals = [label + TOTAL.removeprefix("TOTAL") for label in labels]
    tape = write_csv(tmp_path / "t.csv", SPANISH, *PRESTAMOS, *totals)

    outcome = empty_desk.run(tape)

    assert kpis_of(outcome)["outstanding"].value == 200
    assert outcome.sealed.manifest.quality["quarantine"]["loans"] == len(labels)


def test_an_unreadable_loan_still_counts_against_the_limits(empty_desk, tmp_path):
    broken = PRESTAMOS[1].replace("USD", "EUR")
    tape = write_csv(tmp_path / "t.csv", SPANISH, PRESTAMOS[0], broken, PRESTAMOS[2], TOTAL)

    line = empty_desk.refuse(tape, code="TOO_MANY_BAD_ROWS")

    # 1 of 4 rows, and 50.25 of 200: the row of totals is none of the balance
    assert "25.00% of the rows and 25.12% of the balance" in line


def test_a_loan_tape_meets_the_blocking_checks_it_can_be_asked(empty_desk, tmp_path):
    tape = write_csv(
        tmp_path / "loan_tape.csv",
        LOAN_HEADER,
        "A,C1,-1,0,100,2025-01-02,2026-06-30",
        "B,C1,101,0,100,2025-01-02,2026-06-30",
        "C,C1,0,0,0,2025-01-02,2026-06-30",
        "D,C1,50,0,100,2025-01-02,2025-01-02",
        "E,C1,50,0,100,2025-12-29,2026-06-30",
        ",C1,50,0,100,2025-01-02,2026-06-30",
        "F,,50,0,100,2025-01-02,2026-06-30",
        "G,C1,50,0,100,2025-01-02,2026-06-30",
        "G,C1,60,0,100,2025-01-02,2026-06-30",
    )

    line = empty_desk.refuse(tape, code="QUALITY_GATE")

    told = line.removeprefix("TAPEWATCH-QUALITY_GATE: blocking checks failed: ").split(";")[0]
    assert sorted(told.split(", ")) == [
        "balance_out_of_range (2)",  # A and B
        "customer_null (1)",  # F
        "future_date (1)",  # E
        "loan_id_conflict (2)",  # both G
        "loan_id_null (1)",
        "maturity_not_after_disbursement (1)",  # D
        "principal_not_positive (1)",  # C
    ]


def test_the_declared_day_outranks_the_reporting_date_of_a_loan_tape(empty_desk, tmp_path):
    tape = write_csv(tmp_path / "t.csv", "loan_id,balance,dpd,fecha", "A,1,0,2025-12-24")

    declared = empty_desk.run(tape, as_of="2025-12-26").sealed.manifest

    assert declared.identity.as_of == date(2025, 12, 26)
    assert declared.ingestion["as_of_basis"] == "declared"
    assert declared.quality["failed"] == []


@pytest.mark.parametrize(
    ("told", "as_of"), [("2025-12-24", date(2025, 12, 24)), ("2025-12-31", date(2025, 12, 28))]
)
def test_the_last_reporting_date_is_the_day_but_never_after_it_came(
    empty_desk, tmp_path, told, as_of
):
    tape = write_csv(
        tmp_path / "t.csv", "loan_id,balance,dpd,fecha", "A,1,0,2025-12-01", f"B,1,0,{told}"
    )

    manifest = empty_desk.run(tape, as_of=None).sealed.manifest

    assert manifest.identity.as_of == as_of  # received on the 28th
    assert manifest.ingestion["as_of_basis"] == "last_reporting_date"


def test_a_loan_tape_without_any_day_asks_for_one(empty_desk, loans):
    line = empty_desk.refuse(loans, code="AS_OF_UNKNOWN", as_of=None)

    assert "loan_tape.csv has no readable reporting date" in line


def test_a_reporting_date_far_before_the_declared_day_is_a_warning(empty_desk, tmp_path):
    tape = write_csv(tmp_path / "t.csv", "loan_id,balance,dpd,fecha", "A,1,0,2025-12-22")

    assert empty_desk.run(tape).sealed.manifest.quality["failed"] == ["reporting_date_stale"]


def test_a_loan_tape_that_lost_a_loan_is_refused(empty_desk, tmp_path):
    empty_desk.run(loan_tape(tmp_path / "1", ("A", 100, 0), ("B", 10, 0)), as_of="2025-12-26")

    line = empty_desk.refuse(loan_tape(tmp_path / "2", ("A", 100, 0)), code="QUALITY_GATE")

    assert "lost_loans (1)" in line


def test_a_loan_may_leave_a_tape_that_lists_open_loans_alone(tmp_path):
    desk = Desk(tmp_path / "root")
    name = "TAPEWATCH_QUALITY__LOAN_TAPE_LISTS_CLOSED_LOANS"
    desk.settings = settings_for(desk.root, **{name: "false"})
    desk.run(loan_tape(tmp_path / "1", ("A", 100, 0), ("B", 10, 0)), as_of="2025-12-26")

    outcome = desk.run(loan_tape(tmp_path / "2", ("A", 100, 0)))

    assert outcome.outcome == "published"
    assert_sound(desk, outcome)


def test_a_loan_cannot_be_later_than_it_is_old(empty_desk, tmp_path):
    rows = [f"L{n},C1,100,0,100,2025-01-02,2026-06-30" for n in range(200)]
    late = "X,C1,1,8,1,2025-12-20,2026-06-30"  # 7 days old on the 27th: day 8 may be, day 9 not
    tape = write_csv(tmp_path / "1.csv", LOAN_HEADER, *rows, late)
    impossible = write_csv(tmp_path / "2.csv", LOAN_HEADER, *rows, late.replace(",8,", ",9,"))

    sound = empty_desk.run(tape).sealed.manifest.quality
    refused = empty_desk.run(impossible).sealed.manifest.quality

    assert sound["quarantine"]["loans"] == 0
    assert refused["quarantine"]["reasons"] == {"dpd:BAD_DPD": 1}


def test_a_fall_to_zero_of_a_late_loan_is_a_write_off_and_no_cash(empty_desk, tmp_path):
    first = write_csv(tmp_path / "1.csv", LOAN_HEADER, "A,C1,900,0,900,2025-01-02,2026-06-30",
                      "C,C1,100,170,100,2025-01-02,2026-06-30")  # fmt: skip
    second = write_csv(tmp_path / "2.csv", LOAN_HEADER, "A,C1,850,0,900,2025-01-02,2026-06-30",
                       "C,C1,0,200,100,2025-01-02,2026-06-30")  # fmt: skip
    empty_desk.run(first, as_of="2025-11-27")

    rate = kpis_of(empty_desk.run(second, as_of="2025-12-27"))["collection_rate"]

    assert rate.numerator == 50  # A alone: C was written off to nothing
    assert rate.denominator == 1000 * 30  # both were live on the first tape


def test_a_tape_of_the_same_kind_is_compared_across_one_of_another(empty_desk, tmp_path):
    rows = [f"L{n},C1,100,0,100,2025-01-02,2026-06-30" for n in range(10)]
    empty_desk.run(write_csv(tmp_path / "1.csv", LOAN_HEADER, *rows), as_of="2025-12-25")
    between = write_csv(
        tmp_path / "agg.csv",
        "measurement_date,total_receivable,dpd_0_7,dpd_7_30,dpd_30_60,dpd_60_90,dpd_90_plus",
        "2025-12-26,1000,1000,0,0,0,0",
    )
    quality = empty_desk.run(between, as_of="2025-12-26").sealed.manifest.quality

    line = empty_desk.refuse(
        write_csv(tmp_path / "2.csv", LOAN_HEADER, rows[0]), code="QUALITY_GATE"
    )

    assert quality["kind_before"] == "a loan tape with one row a loan"
    assert "lost_loans (9)" in line


def test_a_reporting_date_in_the_future_blocks(empty_desk, tmp_path):
    tape = write_csv(
        tmp_path / "t.csv", "loan_id,balance,dpd,fecha", "A,1,0,2025-12-24", "B,1,0,2099-12-01"
    )

    assert "future_date (1)" in empty_desk.refuse(tape, code="QUALITY_GATE", as_of=None)
