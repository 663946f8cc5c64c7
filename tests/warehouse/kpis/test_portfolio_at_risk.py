"""PAR by hand: what is late, from which day, and of what."""

from decimal import Decimal

import pytest

from tests.warehouse.kpis.loans_by_hand import AS_OF, late, on_time
from tests.warehouse.tape_builder import Tape, day


def test_par_is_the_late_share_of_what_is_live(value):
    tape = on_time(Tape(), principal=900)
    late(tape, "120 days", 60, "2025-08-28")  # 3 + 30 + 31 + 30 + 26
    late(tape, "91 days", 40, "2025-09-26")
    late(tape, "181 days", 500, "2025-06-28")  # written off: in neither part

    kpi = value(tape, AS_OF).kpis["par_90"]

    assert (kpi.numerator, kpi.denominator) == (100, 1000)
    assert (kpi.value, kpi.status, kpi.reason) == (Decimal("0.1"), "critical", None)
    assert (kpi.as_of, kpi.basis, kpi.unit) == (day(AS_OF), "ledger", "ratio")


def test_each_par_counts_a_loan_from_its_day_on(value):
    tape = on_time(Tape(), principal=512)
    days_late = {
        "2025-12-20": 1,  # 6 days
        "2025-12-19": 2,  # 7
        "2025-11-27": 4,  # 29
        "2025-11-26": 8,  # 30
        "2025-10-28": 16,  # 59
        "2025-10-27": 32,  # 60
        "2025-09-28": 64,  # 89
        "2025-09-27": 128,  # 90
        "2025-06-29": 256,  # 180
        "2025-06-28": 9999,  # 181
    }
    for due, principal in days_late.items():
        late(tape, due, principal, due)

    kpis = value(tape, AS_OF).kpis

    assert kpis["par_7"].numerator == 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256
    assert kpis["par_30"].numerator == 8 + 16 + 32 + 64 + 128 + 256
    assert kpis["par_60"].numerator == 32 + 64 + 128 + 256
    assert kpis["par_90"].numerator == 128 + 256
    assert {kpis[f"par_{days}"].denominator for days in (7, 30, 60, 90)} == {1023}


@pytest.mark.parametrize("name", ["par_7", "par_30", "par_60", "par_90"])
def test_a_book_without_a_late_loan_has_a_par_of_zero_and_not_unknown(healthy, name):
    assert (healthy[name].value, healthy[name].reason) == (0, None)


@pytest.mark.parametrize("name", ["par_7", "par_30", "par_60", "par_90"])
def test_a_par_without_anything_outstanding_is_unknown(paid_off, name):
    kpi = paid_off[name]

    assert (kpi.value, kpi.status, kpi.reason) == (None, "unknown", "nothing is outstanding")
    assert kpi.numerator == 0


@pytest.mark.parametrize(
    ("late_principal", "status"),
    [("300.00", "ok"), ("300.01", "warning"), ("500.00", "warning"), ("500.01", "critical")],
)
def test_par_90_changes_its_status_strictly_beyond_a_threshold(value, late_principal, status):
    # a ratio has six decimals, so the cent must be a millionth of the book: 10,000 in all
    tape = on_time(Tape(), principal=10_000 - Decimal(late_principal))
    late(tape, "late", late_principal, "2025-09-27")

    assert value(tape, AS_OF).kpis["par_90"].status == status
