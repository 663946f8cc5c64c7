"""`tapewatch changed`: what moved every KPI, or one with its loans, for people and for programs."""

import json
from decimal import Decimal

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.mixed_tape import AS_OF

LAST_WEEK, YESTERDAY = "2025-12-03", "2025-12-09"  # the other days of `published_days`


@pytest.fixture
def asked(days, tapewatch):
    """Ask as JSON."""

    def ask(*arguments):
        done = tapewatch("changed", *arguments, "--json")
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return ask


def test_every_kpi_is_told_with_both_values_and_the_parts_of_its_move(days, tapewatch):
    lines = tapewatch("changed").out.splitlines()

    assert lines[0] == f"What moved the KPIs since {YESTERDAY}"
    titles = [kpi.title for kpi in load_catalogue()]
    assert [line for title in titles for line in lines if line.startswith(title)]
    [at] = [n for n, line in enumerate(lines) if line.startswith("Outstanding")]
    # MONTHLY owed 2,000 and paid 1,000 of them on the last day
    assert lines[at].split()[1:] == ["292,000.00", "USD", "291,000.00", "USD", "-1,000.00", "USD"]
    assert lines[at + 1].split() == ["Payments,", "1", "loan", "-1,000.00", "USD"]


def test_one_kpi_is_told_with_the_loans_behind_each_part(days, tapewatch):
    out = tapewatch("changed", "par_90").out

    # 100,000 / 292,000, then 100,000 / 291,000
    assert out.startswith(
        f"PAR 90 from {YESTERDAY} to {AS_OF}: 34.25 % -> 34.36 %, +0.1177 pp  critical\n"
    )
    assert "denominator 292,000.00 -> 291,000.00" in out
    [loan] = [line.split() for line in out.splitlines() if line.startswith("  #")]
    assert loan[1:] == ["2,000.00", "1,000.00", "0", "0", "+0.1177", "pp"]
    assert "Payments  live loans that owe less, or more after a reversal" in out


def test_the_json_is_exact_and_adds_up(asked):
    document = asked("par_90")

    assert (document["previous_as_of"], document["as_of"]) == (YESTERDAY, AS_OF)
    [kpi] = document["kpis"]
    assert (kpi["before"], kpi["now"], kpi["move"]) == ("0.342466", "0.343643", "0.001177")
    assert (kpi["status_before"], kpi["status_now"], kpi["reason"]) == ("critical",) * 2 + (None,)
    assert sum(Decimal(part["amount"]) for part in kpi["parts"]) == Decimal(kpi["move"])
    [part] = kpi["parts"]
    assert (part["name"], part["numerator"], part["denominator"]) == ("payment", "0.00", "-1000.00")


def test_an_older_run_is_asked_for_by_a_day_that_need_not_have_one(asked):
    assert asked("--since", "2025-12-08")["previous_as_of"] == LAST_WEEK
    assert asked("--since", YESTERDAY)["previous_as_of"] == YESTERDAY
    assert asked("--since", "2026-01-31")["previous_as_of"] == YESTERDAY  # never the run itself


def test_before_the_first_run_everything_is_unknown_and_nothing_fails(asked, tapewatch):
    document = asked("--since", "2025-01-01")

    assert document["previous_run"] is None
    assert {kpi["move"] for kpi in document["kpis"]} == {None}
    out = tapewatch("changed", "--since", "2025-01-01").out
    assert "unknown: this book has no run that is early enough to compare with (every KPI)" in out


def test_the_loans_of_each_part_can_be_limited(asked):
    [few, none] = (asked("active_loans", "--since", LAST_WEEK, "--limit", n) for n in ("1", "0"))

    assert all(len(part["largest"]) <= 1 for part in few["kpis"][0]["parts"])
    assert all(part["largest"] == [] for part in none["kpis"][0]["parts"])


def test_a_kpi_that_nobody_knows_is_wrong_usage(days, tapewatch):
    done = tapewatch("changed", "par_91")

    assert done.code == 64
    assert "did you mean par_90?" in done.err


def test_a_book_that_has_published_nothing_says_what_to_do(home, tapewatch):
    assert "has published nothing" in tapewatch("changed").err
