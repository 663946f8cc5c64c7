"""One writer at a time, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import pytest

from warehouse.lock import LockHeldError, hold_lock, wait_for_lock

NOW = datetime(2025, 12, 27, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from warehouse.lock import hold_lock
with hold_lock(Path(sys.argv[1]), "other", datetime(2025, 12, 27, 8, 0, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path):
    """Another process at work on the same data folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_who_holds_the_lock_and_since_when(tmp_path, other_run):
    with (
        pytest.raises(LockHeldError, match=f"pid {other_run.pid} since 2025-12-27T08:00") as caught,
        hold_lock(tmp_path / "lock", "mine", NOW),
    ):
        pass

    assert (caught.value.code, caught.value.exit_code) == ("BUSY", 75)
    assert caught.value.evidence["attempt_id"] == "other"


def test_a_killed_run_holds_nothing(tmp_path, other_run):
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()

    with hold_lock(tmp_path / "lock", "mine", NOW) as lock:
        assert lock.attempt_id == "mine"


def test_the_lock_is_held_inside_one_process_too_and_free_after_the_block(tmp_path):
    path = tmp_path / "lock"

    with (
        hold_lock(path, "first", NOW),
        pytest.raises(LockHeldError),
        hold_lock(path, "second", NOW),
    ):
        pass

    with hold_lock(path, "third", NOW) as lock:
        assert lock.attempt_id == "third"


def test_an_error_in_the_block_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "lock", "first", NOW):
        _ = 1 // 0

    with hold_lock(tmp_path / "lock", "second", NOW):
        pass


def test_reading_the_lock_file_does_not_drop_the_lock(tmp_path):
    path = tmp_path / "lock"

    with hold_lock(path, "first", NOW):
        path.read_bytes()  # with a POSIX lock this close would have let go
        with pytest.raises(LockHeldError), hold_lock(path, "second", NOW):
            pass


def test_the_lock_keeps_its_inode_so_nobody_locks_a_ghost(tmp_path):
    path = tmp_path / "lock"
    with hold_lock(path, "first", NOW):
        inode = path.stat().st_ino

    with hold_lock(path, "second", NOW):
        assert path.stat().st_ino == inode


def test_a_holder_that_has_not_yet_written_its_name_is_still_busy(tmp_path):
    path = tmp_path / "lock"

    with hold_lock(path, "first", NOW):
        path.write_bytes(b"")
        with pytest.raises(LockHeldError, match="another run"), hold_lock(path, "second", NOW):
            pass


def test_the_name_of_a_run_that_has_ended_is_not_taken_for_the_holders(tmp_path):
    path = tmp_path / "lock"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    with hold_lock(path, "first", NOW):
        name = path.read_bytes()
        path.write_bytes(name.replace(b"%d" % os.getpid(), b"%d" % ended.pid))
        late = Timer(0.02, path.write_bytes, [name])
        late.start()
        with (
            pytest.raises(LockHeldError, match=f"pid {os.getpid()} since"),
            hold_lock(path, "second", NOW),
        ):
            pass
        late.join()


def test_who_waits_for_the_lock_gets_it_when_the_other_has_ended(tmp_path):
    ended = []

    def work():
        with hold_lock(tmp_path / "lock", "first", NOW):
            begun.set()
            may_end.wait(30)
            ended.append("first")

    begun, may_end = threading.Event(), threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(30)
    with pytest.raises(LockHeldError), wait_for_lock(tmp_path / "lock", "hasty", NOW, 0):
        pass
    threading.Timer(0.1, may_end.set).start()

    with wait_for_lock(tmp_path / "lock", "second", NOW, 60):
        ended.append("second")

    thread.join()
    assert ended == ["first", "second"]
