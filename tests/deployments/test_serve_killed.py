"""What the machine's death leaves of a run blocks no later one."""

import os
import shutil
import signal

import pytest

from tests.deployments.dribbling_source import dribbling
from tests.deployments.served import serving, soon
from warehouse.synthetic import write_tape


@pytest.mark.soak
def test_a_run_that_is_not_heard_of_any_more_is_called_crashed(tmp_path):
    """Frozen, as on a machine that is gone: the server hears no heartbeat for five minutes."""
    with serving(tmp_path) as served, dribbling() as source:
        asking = {"CASCADE_SESSION_COOKIE": "a=b", "CASCADE_EXPORT_URL": source.url}
        run = served.begin("daily/scheduled", asking, as_of=None)
        soon(source.asked.is_set, "a run at work")
        frozen = [*served.pids("-m", "prefect.engine"), *served.pids("-m", "prefect", "worker")]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            state = served.ended(run, seconds=900)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGKILL)

    assert state["type"] == "CRASHED"
    assert "not been heard of" in state["message"]


@pytest.mark.soak
def test_a_worker_that_dies_with_its_run_leaves_both_to_the_next_start(tmp_path):
    """SIGKILL for the worker and the run in its middle, then `make serve` again."""
    with serving(tmp_path) as served, dribbling() as source:
        asking = {"CASCADE_SESSION_COOKIE": "a=b", "CASCADE_EXPORT_URL": source.url}
        run = served.begin("daily/scheduled", asking, as_of=None)
        soon(source.asked.is_set, "a run at work")
        doomed = [
            *served.pids("-m", "prefect", "worker"),
            *served.pids("-m", "prefect.engine"),
        ]
        assert len(doomed) == 2
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        assert served.process.wait(timeout=120) == 78  # a service manager starts it again
        assert served.state_on_disk(run) == "RUNNING"  # nobody could say otherwise

    with serving(tmp_path) as served:
        assert served.get(f"/flow_runs/{run}")["state"]["type"] == "CRASHED"
        made = write_tape(tmp_path / "tape", 300).folder
        shutil.copytree(made, served.settings.drop_folder / "export")

        state = served.run("daily/scheduled", as_of=None)

        assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), state["message"]
        assert [attempt.status for attempt in served.attempts()] == ["abandoned", "success"]
