"""The trials would notice: each mistake in the write protocol makes its trial fail."""

import pytest

from tests.trials.killing import kill_trial
from tests.trials.power_loss import undone_by_power_loss
from tests.trials.syscalls import Point, fixed, syscall_trial, trace_run

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
    "receipt_before_sending": ("item_sent:2", "the store: "),
    "receipts_never_kept": ("phase_done:2", "the store: receipts"),
    "new_ids_at_every_try": ("item_sent:1", "the store: "),
    "half_the_rows": ("phase_done:2", "the store: "),
}
STAGED = "data/staging/00000000000000000000000000000001/run"
AT_A_CALL = {
    "written_in_place": (
        "SIGKILL",
        Point("write", "data/current/development-default", 2),
        "after the kill: served",
    ),
    "full_disk_swallowed": (
        "ENOSPC",
        Point("write", f"{STAGED}/manifest.json.00000000.tmp", 1),
        "after the refusal: torn",
    ),
    "failed_sync_tried_again": (
        "EIO",
        Point("fsync", f"{STAGED}/book.parquet", 1),
        "swallowed: exit 0",
    ),
}
UNDONE_BY_POWER_LOSS = {
    "files_unsynced": "book.parquet: not synced before the rename to runs/",
    "folders_unsynced": "runs: the rename to runs/2025-12-10-",
    "folder_of_run_unsynced": "run: its names are not synced before the rename to runs/",
    "served_before_synced": "it names a run before the folder of runs is synced",
    "manifest_before_tables": ".parquet is never kept by a sync of the folder",
    "copied_not_renamed": "book.parquet: written in place",
    "written_in_place": "current/development-default: written in place",
}


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_trial_of_a_sabotaged_run_fails(stage, tmp_path, databases, sabotage):
    crash_at, noticed = SABOTAGES[sabotage]

    verdict = kill_trial(stage, crash_at, tmp_path, databases, alteration=sabotage)

    assert verdict.kills == 1
    assert [problem for problem in verdict.problems if problem.startswith(noticed)]


@pytest.mark.parametrize("sabotage", AT_A_CALL)
def test_a_trial_of_a_sabotaged_run_fails_at_a_system_call(stage, tmp_path, sabotage):
    fault, point, noticed = AT_A_CALL[sabotage]

    verdict = syscall_trial(stage, fault, point, tmp_path, alteration=sabotage)

    assert [problem for problem in verdict.problems if problem.startswith(noticed)], verdict


@pytest.mark.parametrize("sabotage", UNDONE_BY_POWER_LOSS)
def test_what_a_power_cut_could_undo_of_a_sabotaged_run_is_found(stage, tmp_path, sabotage):
    folder = fixed(stage.folder.copy_to(tmp_path / "run"), sabotage)

    done, calls = trace_run(folder, tmp_path / "strace.log")

    assert done.code == 0, done.err
    undone = undone_by_power_loss(f"{folder.root}/data", calls)
    assert [problem for problem in undone if UNDONE_BY_POWER_LOSS[sabotage] in problem], undone
