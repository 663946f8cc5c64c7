"""An attempt always ends with a name, a killed one heals, and people can read what happened."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import Mock

import pytest

from settings.errors import DataRejectedError, InternalError
from tests.leaving_out import leave_out
from warehouse import attempt_folder, attempts
from warehouse.attempt_folder import describe_error
from warehouse.attempt_state import list_attempts, recover
from warehouse.attempts import open_attempt
from warehouse.failpoints import FAIL_POINTS
from warehouse.layout import Layout
from warehouse.lock import HeldLock, hold_lock

NOW = datetime(2025, 12, 27, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "data", tmp_path / "logs")
    made.make()
    return made


def begin(layout: Layout, attempt_id: str = "a1", environment: str = "production"):
    return open_attempt(layout, attempt_id, environment, "cascade", NOW)


def summary(layout: Layout) -> dict:
    return json.loads((layout.latest / "pipeline_summary.json").read_bytes())


def log_lines(layout: Layout) -> list[dict]:
    [path] = layout.latest.glob("pipeline_*.log")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_running_attempt_is_on_the_disk_before_its_first_phase(layout):
    with begin(layout) as attempt:
        [record] = list_attempts(layout)

        assert (record.status, record.attempt_id, record.ended_at) == ("running", "a1", None)
        assert summary(layout)["status"] == "running"
        report = json.loads((layout.latest / "validation_report.json").read_bytes())
        assert report["status"] == "unknown"
        attempt.succeed("published")

    assert [r.status for r in list_attempts(layout)] == ["success"]


def test_the_summary_of_a_good_run_tells_every_phase_and_the_kpis(layout):
    with begin(layout) as attempt:
        for name in ("ingestion", "transformation", "calculation", "output"):
            with attempt.phase(name):
                attempt.identify("26f5b76c-80eb-5d28-aa3e-31edb2291ab5", date(2025, 12, 26))
        attempt.succeed("published", Path("runs/x"), {"par_90": {"value": 0.1}})

    told = summary(layout)
    assert list(told["phases"]) == ["ingestion", "transformation", "calculation", "output"]
    assert all(phase["duration_seconds"] >= 0 for phase in told["phases"].values())
    assert (told["as_of"], told["run_folder"], told["outcome"]) == (
        "2025-12-26",
        "runs/x",
        "published",
    )
    assert told["kpis"] == {"par_90": {"value": 0.1}}
    assert list(layout.latest.glob("*_error.log")) == []


def test_the_runbooks_own_command_shows_the_phases(layout):
    if shutil.which("jq") is None:
        leave_out("jq is not installed")
    with begin(layout) as attempt:
        with attempt.phase("ingestion"):
            pass
        attempt.succeed("published")
    command = 'grep "completed at" logs/runs/latest/pipeline_summary.json | jq ".phases"'

    done = subprocess.run(  # noqa: S602
        command, shell=True, cwd=layout.logs.parent, capture_output=True, check=True
    )

    assert json.loads(done.stdout)["ingestion"]["status"] == "success"


def test_every_log_line_carries_attempt_run_environment_and_phase(layout):
    with begin(layout) as attempt:
        with attempt.phase("ingestion"):
            attempt.log.info("tape read", rows=3)
            attempt.identify("run-1", date(2025, 12, 26))
            attempt.log.warning("one row dropped")
        attempt.succeed("published")

    lines = {line["event"]: line for line in log_lines(layout)}
    assert all({"attempt_id", "run_id", "environment", "phase"} <= set(x) for x in lines.values())
    assert lines["tape read"]["run_id"] is None
    assert lines["tape read"]["phase"] == "ingestion"
    assert lines["one row dropped"]["run_id"] == "run-1"
    assert lines["one row dropped"]["level"] == "warning"
    assert lines["attempt ended"]["phase"] is None
    assert lines["tape read"]["timestamp"].startswith("2025-12-27T09:00:")


def test_a_failed_phase_leaves_one_line_its_evidence_and_no_text_of_foreign_errors(layout):
    cell = "airaM"[::-1]  # so that the name is in no line of code that the error log may show

    with pytest.raises(DataRejectedError), begin(layout) as attempt, attempt.phase("ingestion"):
        try:
            raise ValueError(f"could not convert {cell} to DATE")
        except ValueError as error:
            raise DataRejectedError(
                "loans.csv line 7 has a bad date", fix="ask for the tape again", evidence={"row": 7}
            ) from error

    text = (layout.latest / "ingestion_error.log").read_text()
    assert text.splitlines()[:2] == [
        "TAPEWATCH-DATA_REJECTED: loans.csv line 7 has a bad date | fix: ask for the tape again"
        " | run: a1",
        "row: 7",
    ]
    assert "ValueError" in text
    told = summary(layout)
    assert (told["status"], told["phases"]["ingestion"]["status"]) == ("failed", "failed")
    assert told["error"]["code"] == "DATA_REJECTED"
    assert "completed at" not in json.dumps(told)
    everything = "".join(p.read_text() for p in layout.latest.iterdir())
    assert cell not in everything


def test_a_phase_that_healed_on_retry_keeps_no_error_log(layout):
    with begin(layout) as attempt:
        with pytest.raises(OSError, match="flaky"), attempt.phase("output"):
            raise OSError("flaky")
        assert (layout.latest / "output_error.log").exists()
        with attempt.phase("output"):
            pass
        attempt.succeed("published")

    phase = summary(layout)["phases"]["output"]
    assert (phase["status"], phase["tries"]) == ("success", 2)
    assert not (layout.latest / "output_error.log").exists()


def test_an_untyped_error_is_told_by_its_type_and_place_alone():
    try:
        {}["Maria Lopez"]
    except KeyError as error:
        facts = describe_error(error)

    assert (facts.code, facts.exit_code) == ("INTERNAL", 70)
    assert re.fullmatch(r"KeyError in test_attempts\.py:\d+", facts.message)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit(143)])
def test_a_run_told_to_stop_is_canceled_not_failed(layout, stop):
    with (
        pytest.raises((KeyboardInterrupt, SystemExit)),
        begin(layout) as attempt,
        attempt.phase("ingestion"),
    ):
        raise stop

    [record] = list_attempts(layout)
    assert record.status == "canceled"
    assert record.error is not None
    assert record.error.exit_code == 143
    assert summary(layout)["phases"]["ingestion"]["status"] == "canceled"


@pytest.mark.parametrize("moment", ["make_attempt_folder", "write_validation_report"])
def test_a_run_told_to_stop_while_it_begins_is_canceled(layout, monkeypatch, moment):
    monkeypatch.setattr(attempt_folder, moment, Mock(side_effect=KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt), begin(layout):
        pass

    assert [r.status for r in list_attempts(layout)] == ["canceled"]
    [told] = layout.log_runs.glob("*_a1/pipeline_summary.json")
    assert json.loads(told.read_bytes())["status"] == "canceled"


def test_a_run_told_to_stop_before_its_success_is_written_is_canceled(layout, monkeypatch):
    with pytest.raises(KeyboardInterrupt), begin(layout) as attempt:
        stopped = Mock(side_effect=[KeyboardInterrupt, None])
        monkeypatch.setattr(attempts, "save_attempt", stopped)
        attempt.succeed("published")

    assert [call.args[1].status for call in stopped.call_args_list] == ["success", "canceled"]


def test_a_published_run_stays_a_success_whatever_fails_after(layout):
    with pytest.raises(ZeroDivisionError), begin(layout) as attempt:
        attempt.succeed("published")
        _ = 1 // 0

    assert [r.status for r in list_attempts(layout)] == ["success"]


def test_an_attempt_that_ends_without_saying_how_is_our_mistake(layout):
    with pytest.raises(InternalError, match="without saying how"), begin(layout):
        pass

    assert [r.status for r in list_attempts(layout)] == ["failed"]


def test_a_phase_nobody_knows_is_our_mistake(layout):
    with (
        pytest.raises(InternalError, match="delivery"),
        begin(layout) as attempt,
        attempt.phase("delivery"),
    ):
        pass


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ("production", "20251227T090000Z_a1"),
        ("staging", "staging_20251227T090000Z_a1"),
        ("development", "20251227T090000Z_a1"),
    ],
)
def test_the_log_folder_has_the_runbooks_name_and_latest_points_at_it(tmp_path, environment, name):
    layout = Layout(tmp_path / "data", tmp_path / "logs", f"{environment}-cascade")
    layout.make()
    with begin(layout, environment=environment) as attempt:
        attempt.succeed("published")

    assert attempt.folder == layout.log_runs / name
    assert layout.latest.readlink() == Path(name)


def test_the_folder_is_named_in_utc_whatever_the_zone_of_now(layout):
    local = NOW.astimezone(timezone(timedelta(hours=-6)))
    with open_attempt(layout, "a1", "production", "cascade", local) as attempt:
        attempt.succeed("published")

    assert attempt.folder.name == "20251227T090000Z_a1"
    assert attempt.record.started_at == "2025-12-27T09:00:00.000Z"


def test_a_time_without_a_zone_is_refused(layout):
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(InternalError, match="zone"):
        open_attempt(layout, "a1", "production", "cascade", naive).__enter__()


def test_latest_moves_to_the_newest_attempt_a_failed_one_too(layout):
    with begin(layout, "a1") as attempt:
        attempt.succeed("published")
    with pytest.raises(ZeroDivisionError), begin(layout, "a2"):
        _ = 1 // 0

    assert summary(layout)["attempt_id"] == "a2"


DIE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from warehouse.attempts import open_attempt
from warehouse.layout import Layout, open_staging
root = Path(sys.argv[1])
layout = Layout(root / "data", root / "logs")
now = datetime(2025, 12, 27, 9, 0, tzinfo=UTC)
with open_attempt(layout, "dead", "production", "cascade", now) as attempt:
    (open_staging(layout, "dead").tape / "loans.csv").write_bytes(b"half")
    probed = (layout.staging, layout.runs, layout.raw, layout.attempts, layout.log_runs)
    for folder in (*probed, layout.data, attempt.folder):
        (folder / "probe.0a1b2c3d.tmp").write_bytes(b"half")
    layout.latest.with_name("latest.0a1b2c3d.tmp").symlink_to("half")
    with attempt.phase("ingestion"):
        pass
"""


@pytest.mark.parametrize(
    ("swept", "left"), [("staging", "20251227T090000Z_a1"), ("production", "staging_a1")]
)
def test_recovery_leaves_alone_what_another_environment_writes(tmp_path, swept, left):
    layout = Layout(tmp_path / "data", tmp_path / "logs", f"{swept}-cascade")
    layout.make()
    half = layout.log_runs / left / "pipeline_summary.json.0f.tmp"
    half.parent.mkdir()
    half.touch()

    with hold_lock(layout.lock, "a2", NOW) as lock:
        recover(layout, lock, NOW)

    assert half.exists()


@pytest.fixture
def dead_run(layout):
    """What a killed run leaves: a running record, staging, half-written files."""
    env = {"PYTHONPATH": str(ROOT), "TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": "phase_started"}
    command = [sys.executable, "-c", DIE, str(layout.data.parent)]
    done = subprocess.run(command, env=env, check=False)  # noqa: S603
    assert done.returncode == -9


@pytest.mark.usefixtures("dead_run")
def test_recovery_abandons_the_dead_and_wipes_what_they_left(layout):
    with hold_lock(layout.lock, "a2", NOW) as lock:
        abandoned = recover(layout, lock, NOW)

    assert [r.attempt_id for r in abandoned] == ["dead"]
    [record] = list_attempts(layout)
    assert record.status == "abandoned"
    assert record.error is not None
    assert "2025-12-27T09:00:00.000Z" in record.error.message
    assert list(layout.staging.iterdir()) == []
    assert [*layout.data.rglob("*.tmp"), *layout.logs.rglob("*.tmp")] == []
    told = summary(layout)
    assert (told["status"], told["phases"]["ingestion"]["status"]) == ("abandoned", "abandoned")


@pytest.mark.usefixtures("dead_run")
@pytest.mark.parametrize("left", [None, b"", b"[]", b"{}"])
def test_a_run_that_died_without_a_whole_summary_is_told_as_abandoned_too(layout, left):
    (layout.latest / "pipeline_summary.json").unlink()
    if left is not None:
        (layout.latest / "pipeline_summary.json").write_bytes(left)

    with hold_lock(layout.lock, "a2", NOW) as lock:
        recover(layout, lock, NOW)

    assert (summary(layout)["status"], summary(layout)["phases"]) == ("abandoned", {})


@pytest.mark.usefixtures("dead_run")
def test_recovery_leaves_ended_attempts_and_needs_no_log_folder(layout):
    with begin(layout, "good") as attempt:
        attempt.succeed("published")
    shutil.rmtree(layout.log_runs / "20251227T090000Z_dead")  # the log retention was quicker

    with hold_lock(layout.lock, "a3", NOW) as lock:
        recover(layout, lock, NOW)
        assert recover(layout, lock, NOW) == []

    assert sorted(r.status for r in list_attempts(layout)) == ["abandoned", "success"]


@pytest.mark.usefixtures("dead_run")
def test_recovery_under_anothers_lock_is_refused(layout):
    with pytest.raises(InternalError, match="another's lock"):
        recover(layout, HeldLock(pid=1, since="", attempt_id="x"), NOW)

    assert (layout.staging / "dead" / "tape" / "loans.csv").exists()


@pytest.fixture(scope="module")
def kill_trials(tmp_path_factory):
    """What one run leaves when killed at every place it can die, and after the next run."""
    program = Path(__file__).with_name("protocol_trials.py")
    command = [sys.executable, str(program), str(tmp_path_factory.mktemp("trials"))]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True
    )
    seen = json.loads(done.stdout)
    return seen.pop("reference"), seen


@pytest.mark.slow
def test_a_run_can_be_killed_at_every_fail_point(kill_trials):
    reference, trials = kill_trials

    assert reference["status"] == 0
    assert {name.partition(":")[0] for name in trials} == set(FAIL_POINTS)
    assert {trial["status"] for trial in trials.values()} == {-9}


@pytest.mark.slow
def test_a_killed_run_never_leaves_a_torn_or_lost_run(kill_trials):
    reference, trials = kill_trials
    files = reference["healed"]["files"]
    served = {reference["healed"]["current"], min(files)}  # the new run or the last good one

    for name, trial in trials.items():
        assert trial["during"]["problems"] == [], name
        assert trial["during"]["current"] in served, name
        assert trial["during"]["files"].items() <= files.items(), name


@pytest.mark.slow
def test_the_run_after_a_killed_one_heals_everything(kill_trials):
    expected = kill_trials[0]["healed"]

    for name, trial in kill_trials[1].items():
        healed = trial["healed"]
        assert trial["heal"] == 0, name
        assert (healed["current"], healed["files"]) == (expected["current"], expected["files"])
        assert (healed["problems"], healed["staging"], healed["tmp"]) == ([], [], []), name
        assert (healed["raw"], healed["open"]) == (expected["raw"], []), name
        assert "running" not in healed["statuses"], name
