"""SIGKILL anywhere in a daily run: nothing torn, nothing lost, and the next run heals all of it.

An audit store is told of every run, and holds each once in the end.

`pytest --trials 1000 "tests/trials/test_killed_runs.py::NAME[seed-17]"` plays one trial again.
"""

import pytest

from tests.trials.killing import KILL_POINTS, kill_trial
from warehouse.failpoints import DELIVERY_POINTS, FAIL_POINTS

pytestmark = pytest.mark.slow


def test_the_trials_kill_at_every_fail_point():
    assert {name.partition(":")[0] for name in KILL_POINTS} == {
        *FAIL_POINTS,
        *DELIVERY_POINTS,
    }


def test_a_killed_run_loses_nothing_and_the_next_one_heals_it(
    stage, trial_name, tmp_path, databases, record_property
):
    verdict = kill_trial(stage, trial_name, tmp_path, databases)

    record_property("kind", "SIGKILL")
    record_property("kills", verdict.kills)
    assert verdict.problems == []
