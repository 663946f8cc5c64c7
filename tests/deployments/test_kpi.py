"""`tapewatch kpi`: the value, all that is needed to work it out again, and the loans behind it."""

import json
from decimal import Decimal

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.mixed_tape import AS_OF
from tests.warehouse.tape_builder import Tape
from warehouse.loans import has_loans

MADE_OF_LOANS = [kpi.name for kpi in load_catalogue() if has_loans(kpi.name)]


@pytest.fixture
def asked(full_home, tapewatch):
    """Ask for one KPI as JSON."""

    def ask(*arguments: str) -> dict[str, object]:
        done = tapewatch("kpi", *arguments, "--json")
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return ask


def test_every_kpi_of_the_served_run_is_listed(asked):
    document = asked()

    assert document["is_served"] is True
    assert [kpi["name"] for kpi in document["kpis"]] == [kpi.name for kpi in load_catalogue()]


def test_a_kpi_comes_with_its_formula_its_sql_and_its_input(full_home, tapewatch):
    done = tapewatch("kpi", "par_90")

    # LATE-100 is the one live loan of 90 days: 100,000 of 100,000 + 70,000 + 40,000 + 10,000
    # + 70,000 (NEW) + 1,000 (MONTHLY)
    assert done.out.startswith(f"PAR 90 on {AS_OF}: 34.36 %  critical\n")
    assert "100,000.00" in done.out
    assert "291,000.00" in done.out
    assert "live principal of loans 90 to 180 days past due / live principal" in done.out
    assert "warehouse/sql/kpi/par_90.sql" in done.out
    assert "loans.csv" in done.out
    assert "beside it    Written off " in done.out


def test_the_json_of_a_kpi_is_exact(asked):
    document = asked("par_90")

    assert document["value"] == "0.343643"  # 100,000 / 291,000
    assert document["numerator"] == "100000.000000"
    assert document["thresholds"] == {
        "target": "0.03",
        "warning": "0.03",
        "critical": "0.05",
        "escalation": "0.10",
    }
    assert document["is_definition_current"] is True
    assert [kept["name"] for kept in document["inputs"]] == [
        "loans.csv",
        "schedules.csv",
        "transactions.csv",
        "loan_par_balances.csv",
    ]


def test_the_dates_a_kpi_was_given_are_told(asked):
    assert asked("collection_rate")["parameters"] == {
        "as_of": AS_OF,
        "window_start": "2025-11-11",  # 30 days, both ends included
        "written_off_after_days": "180",
    }


@pytest.mark.parametrize("name", MADE_OF_LOANS)
def test_the_loans_behind_a_kpi_add_up_to_it(asked, name):
    document = asked(name, "--loans", "--limit", "100")

    summed = sum(Decimal(loan["numerator"]) for loan in document["loans"])
    assert len(document["loans"]) == document["loan_count"] > 0
    assert summed == Decimal(document["numerator"])


def test_the_largest_part_comes_first_and_ids_are_masked(full_home, tapewatch):
    done = tapewatch("kpi", "outstanding", "--loans", "--limit", "2")

    loans = [line.split() for line in done.out.splitlines() if line.startswith("#")]
    assert [loan[-1] for loan in loans] == ["100,000.00", "70,000.00"]
    assert "6 loans add up to 291,000.00" in done.out
    assert "the 2 largest are shown" in done.out
    assert not any(name in done.out for name in ("LATE-", "NEW", "CLI7"))


def test_a_loan_keeps_its_row_in_the_file_when_rows_before_it_are_set_apart(
    home, tmp_path, tapewatch
):
    tape = Tape()
    for number in range(1, 301):
        tape.loan(f"L{number}", disbursed="2025-11-01", principal=100 + number, due="2026-01-01")
    folder = tape.write(tmp_path / "tape")
    loans = (folder / "loans.csv").read_text().splitlines(keepends=True)
    loans[1] = loans[1].replace(",0.6,", ",abc,")  # the interest rate of L1
    (folder / "loans.csv").write_text("".join(loans))
    assert tapewatch("run", "--input", folder).code == 0

    document = json.loads(tapewatch("kpi", "outstanding", "--loans", "--limit", "1", "--json").out)

    assert document["loan_count"] == 299
    assert document["loans"][0]["numerator"] == "400.00"  # L300
    assert document["loans"][0]["source_row"] == 300


def test_a_score_shows_what_it_is_made_of_instead_of_loans(asked):
    assert set(asked("portfolio_health", "--loans")["parts"]) == {
        "par_90",
        "collection_rate",
        "rdr_90",
    }
    assert asked("data_quality_score", "--loans")["loans"] is None


def test_the_run_of_a_day_can_be_asked_for(asked):
    assert asked("--as-of", AS_OF)["as_of"] == AS_OF


def test_a_book_that_has_published_nothing_says_what_to_do(full_home, tapewatch):
    done = tapewatch("kpi", "--portfolio", "another")

    assert done.code == 64
    assert "development-another has published nothing" in done.err
    assert "tapewatch run --input PATH" in done.err
