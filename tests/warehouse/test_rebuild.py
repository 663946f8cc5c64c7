"""A sealed run comes out the same again, by its own settings, and loan by loan."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.mixed_tape import mixed_tape
from tests.warehouse.valued_tape import settings_for
from warehouse.engine import one_row, read_sql
from warehouse.identity import RunIdentity
from warehouse.job import RunRequest
from warehouse.loans import LoansDifferError, has_loans, loans_behind
from warehouse.rebuild import RunSettingsError, open_run, rebuild, run_settings
from warehouse.run import Start, run_daily
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis

NAMES = [kpi.name for kpi in load_catalogue()]
START = Start("a" * 32, datetime(2025, 12, 11, 9, tzinfo=UTC), "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("rebuild")


@pytest.fixture(scope="module")
def settings(root):
    return settings_for(root)


@pytest.fixture(scope="module")
def run(root, settings) -> SealedRun:
    tape = mixed_tape().write(root / "tape")
    return run_daily(RunRequest((tape,)), settings, START, lambda _name, step: step()).sealed


@pytest.fixture
def kpis(run):
    return {kpi.name: kpi for kpi in read_kpis(run)}


def test_only_the_two_scores_are_not_made_of_loans():
    assert [name for name in NAMES if not has_loans(name)] == [
        "portfolio_health",
        "data_quality_score",
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if has_loans(name)])
def test_the_rows_of_loans_sql_add_up_to_the_kpi(run, kpis, settings, tmp_path, name):
    sql = read_sql("loans", name)
    sums = "count(*), count(distinct loan_key), sum(numerator), sum(denominator)"

    with open_run(run, settings, tmp_path) as (db, parameters):
        summed = f"select {sums} from ({sql})"  # noqa: S608 - our own file
        rows, loans, numerator, denominator = one_row(db, summed, parameters)

    assert rows == loans > 0
    assert kpis[name].numerator == numerator > 0  # the tape gives every KPI something to say
    assert kpis[name].denominator == denominator


def test_the_loans_behind_a_recovery_are_its_defaults(run, kpis, settings, tmp_path):
    behind = loans_behind(run, kpis["rdr_90"], settings, tmp_path, 10)

    assert behind.loans == 4  # of 7 defaults, those that paid 900 afterwards
    assert behind.numerator == Decimal(3600)
    assert behind.denominator == Decimal(6515)  # 1000 + 1001 + ... + 1005, and 500 of OLD
    assert [share.numerator for share in behind.largest] == [Decimal(900)] * 4


def test_a_client_counts_once_by_the_largest_of_its_loans(run, kpis, settings, tmp_path):
    behind = loans_behind(run, kpis["active_clients"], settings, tmp_path, 10)

    # CLI7 has four live loans: LATE-100 stands for it
    assert sorted(share.live_principal for share in behind.largest) == [1000, 70000, 100000]


def test_loans_that_do_not_add_up_to_what_is_said_are_an_error(run, kpis, settings, tmp_path):
    altered = replace(kpis["par_90"], numerator=Decimal("99999.99"))

    with pytest.raises(LoansDifferError, match=r"100,000\.00 / 291,000\.00"):
        loans_behind(run, altered, settings, tmp_path, 10)


def test_a_run_comes_out_the_same_to_the_last_digit(run, settings, tmp_path):
    rebuilt = rebuild(run, settings, tmp_path)

    assert rebuilt.differing == ()
    assert [kpi.rebuilt for kpi in rebuilt.kpis] == list(read_kpis(run))
    assert rebuilt.reconciliation.compared > 50


def test_a_run_is_rebuilt_with_its_own_settings_not_with_todays(run, root, tmp_path):
    today = settings_for(
        root,
        TAPEWATCH_BOOK__WRITTEN_OFF_AFTER_DAYS="60",
        TAPEWATCH_WINDOWS__COLLECTION_DAYS="7",
        TAPEWATCH_HEALTH__WEIGHTS='{"par_90": 0.2, "collection_rate": 0.2, "rdr_90": 0.6}',
    )

    assert rebuild(run, today, tmp_path).differing == ()
    assert run_settings(run, today).value_settings() == run.manifest.identity.settings


def test_settings_that_are_no_longer_known_name_the_version_that_knew_them(run, settings):
    identity = vars(run.manifest.identity) | {"settings": {"book": {"closed_below": "0.01"}}}
    manifest = replace(run.manifest, identity=RunIdentity(**identity))

    with pytest.raises(RunSettingsError, match="settings that this version does not know"):
        run_settings(replace(run, manifest=manifest), settings)
