"""How figures are told to a person, and how errors end."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from deployments.edge import AttemptFailed, line_of, report
from deployments.render import change_text
from settings.errors import BusyError
from warehouse.freshness import freshness_hours
from warehouse.kpis import HealthComponent, KpiValue, contribution

VALUE = KpiValue(
    "par_90", date(2025, 12, 10), "ledger", "ratio", Decimal("0.0191"), "ok", None, None, None, ""
)


@pytest.mark.parametrize(
    ("unit", "value", "before", "told"),
    [
        ("ratio", "0.0191", "0.0179", "+0.12 pp"),
        ("ratio", "0.0179", "0.0191", "-0.12 pp"),
        ("ratio", "0.0191", "0.0191", "="),
        ("usd", "1100", "1000", "+10.0 %"),
        ("usd", "5", "0", "from 0"),
        ("count", "393", "1400", "-1,007"),
        ("score_0_10", "7.3", "7.1", "+0.2"),
        ("score_0_10", None, "7.1", "-"),
        ("score_0_10", "7.3", None, "-"),
    ],
)
def test_a_change_is_told_in_the_unit_of_its_kpi(unit, value, before, told):
    def of(number):
        return replace(VALUE, unit=unit, value=None if number is None else Decimal(number))

    assert change_text(of(value), of(before)) == told


def test_a_first_run_has_no_change():
    assert change_text(VALUE, None) == "-"


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2025-12-11T09:00", 3),  # 03:00 in El Salvador: the day ended at 06:00 UTC
        ("2025-12-12T09:00", 27),
        ("2025-12-11T05:00", 0),  # the day is not over
    ],
)
def test_freshness_counts_from_the_end_of_the_day_in_the_portfolios_zone(now, hours):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert freshness_hours(date(2025, 12, 10), "America/El_Salvador", moment) == hours


def test_the_parts_of_health_share_the_weight_of_an_unknown_one():
    known = HealthComponent("par_90", Decimal("0.01"), Decimal("0.5"), Decimal(8))
    other = HealthComponent("collection_rate", Decimal("0.02"), Decimal("0.3"), Decimal(4))
    unknown = HealthComponent("rdr_90", None, Decimal("0.2"), None)
    parts = (known, other, unknown)

    assert contribution(known, parts) == Decimal(5)  # 0.5 x 8 / 0.8
    assert contribution(other, parts) == Decimal("1.5")  # 0.3 x 4 / 0.8
    assert contribution(unknown, parts) is None


def test_a_mistake_of_ours_is_one_line_with_its_place_and_without_its_text():
    try:
        raise ValueError("cell 'Maria Perez' of the tape")
    except ValueError as error:
        line, code = line_of(error)

    assert code == 70
    assert re.fullmatch(
        r"TAPEWATCH-INTERNAL: ValueError in test_render\.py:\d+ \| fix: [^|\n]+", line
    )


def test_the_line_of_a_failed_attempt_ends_with_its_id():
    failed = AttemptFailed("abc")
    failed.__cause__ = BusyError("two at once", fix="wait")

    assert line_of(failed) == ("TAPEWATCH-BUSY: two at once | fix: wait | run: abc", 75)


def test_a_traceback_is_shown_when_asked_for_alone(capsys):
    error = BusyError("two at once", fix="wait")

    report(error, is_debug=False)
    assert len(capsys.readouterr().err.splitlines()) == 1
    report(error, is_debug=True)
    assert "settings.errors.BusyError: two at once" in capsys.readouterr().err
