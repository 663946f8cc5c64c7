"""The trials would notice: each mistake in the write protocol makes its trial fail."""

import pytest

from tests.trials.killing import kill_trial

pytestmark = pytest.mark.slow

SABOTAGES = {
    "manifest_before_tables": ("seal_renamed", "after the kill: torn"),
    "copied_not_renamed": ("seal_renamed:3", "after the kill: torn"),
    "served_before_sealed": ("seal_synced", "after the kill: served"),
    "only_newest_kept": ("current_published", "after the kill: lost"),
    "raw_written_in_place": ("raw_synced", "after the kill: torn: raw"),
    "staging_left": ("phase_done:2", "after the next run: staging"),
    "half_files_left": ("write_created:2", "after the next run: tmp"),
    "dead_left_running": ("phase_started:3", "after the next run: attempts"),
    "latest_left": ("attempt_opened", "after the next run: latest"),
    "row_lost": ("copy_done:4", "after the next run: tables"),
    "kpi_off": ("seal_synced", "after the next run: kpis"),
    "answered_anew": ("recover_wiped", "the third run"),
}


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_trial_of_a_sabotaged_run_fails(stage, tmp_path, sabotage):
    crash_at, noticed = SABOTAGES[sabotage]

    verdict = kill_trial(stage, crash_at, tmp_path, alteration=sabotage)

    assert verdict.kills == 1
    assert [problem for problem in verdict.problems if problem.startswith(noticed)]
