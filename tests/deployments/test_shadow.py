"""`tapewatch shadow`: staging beside production, as a person compares them before a cutover."""

import json
from pathlib import Path

import pytest

from tests.warehouse.mixed_tape import AS_OF


@pytest.fixture
def run(home, tape, tapewatch, monkeypatch):
    """Publish the mixed tape in an environment."""

    def published(environment, *arguments):
        monkeypatch.setenv("PIPELINE_ENV", environment)
        done = tapewatch("run", "--input", tape, "--as-of", AS_OF, *arguments, "--json")
        assert done.code == 0, done.err
        return Path(json.loads(done.out)["run_folder"])

    return published


@pytest.fixture
def both(run):
    return run("production"), run("staging")


def test_the_served_runs_of_two_environments_are_the_same(both, home, tapewatch):
    done = tapewatch("shadow", "compare", "production", "staging")

    assert done.code == 0, done.err
    assert "verdict same" in done.out
    [page] = (home / "logs/shadow").iterdir()
    assert page.read_text().startswith(f"# staging/{both[1].name} beside production/")


@pytest.mark.parametrize("how", ["environment/run", "path"])
def test_a_run_is_named_by_its_environment_or_by_its_folder(both, how, tapewatch):
    names = [f"production/{both[0].name}", f"staging/{both[1].name}"]

    done = tapewatch("shadow", "compare", *(names if how == "environment/run" else both))

    assert done.code == 0, done.err


def test_other_settings_give_other_figures_and_the_command_says_which(run, tapewatch, monkeypatch):
    run("production")
    monkeypatch.setenv("TAPEWATCH_WINDOWS__COLLECTION_DAYS", "31")
    run("staging")

    done = tapewatch("shadow", "compare", "production", "staging", "--json")

    assert done.code == 65
    assert "SHADOW_DIFFERS" in done.err and "KPI collection_rate" in done.err
    told = json.loads(done.out)
    beyond = {line["what"] for line in told["lines"] if not line["is_within"]}
    assert "collection_rate" in beyond and "par_90" not in beyond


def test_a_run_with_itself_under_another_day_is_refused(run, tape, tapewatch):
    run("production")
    earlier = tapewatch("run", "--input", tape, "--as-of", "2025-12-03", "--backfill", "--json")
    assert earlier.code == 0
    run("staging")
    other = Path(json.loads(earlier.out)["run_folder"])

    done = tapewatch("shadow", "compare", other, "staging")

    assert done.code == 64
    assert "NOT_COMPARABLE: tape as of" in done.err


def test_the_summary_counts_the_hours_and_is_not_ready_before(both, tapewatch):
    done = tapewatch("shadow", "summary", "--json")

    told = json.loads(done.out)
    assert done.code == 65
    assert [one["verdict"] for one in told["comparisons"]] == ["same"]
    assert told["reasons"] == [f"only {told['covered_hours']:.1f} of 24 hours are covered"]


def test_an_environment_that_is_none_is_refused(home, tapewatch):
    done = tapewatch("shadow", "summary", "--candidate", "stagging")

    assert done.code == 64
    assert "NO_SUCH_ENVIRONMENT" in done.err


def test_an_environment_that_serves_nothing_says_so(run, tapewatch):
    run("production")

    done = tapewatch("shadow", "compare", "production", "staging")

    assert done.code == 64
    assert "NOTHING_PUBLISHED" in done.err
