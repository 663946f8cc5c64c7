"""A disk that is full, read-only or stingy: one line says so, the last good run stays, all heals.

`pytest --trials 1000 "tests/trials/test_full_disk.py::NAME[17of31]"` plays one size again.
"""

import re
import shutil
import signal

import pytest

from tests.leaving_out import leave_out
from tests.trials.evidence import after_kill, died_in, files
from tests.trials.killing import judge_heal
from tests.trials.small_disk import SmallDisk
from tests.trials.syscalls import ONE_TRY, code_of, judge_refusal

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20
# Python would leave half a compiled module in our tree, and every later start would fail.
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
STINGY = {"TOO_MANY_FILES", "FILE_TOO_BIG", "ENGINE_IO"}


@pytest.fixture
def small(stage, tmp_path):
    """A disk of 8 MB with the stage's data folder, whose runs do not ask for room first."""
    with SmallDisk(tmp_path / "disk", "size=8m,nr_inodes=1000") as disk:
        folder = stage.folder.copy_to(disk.root / "here")
        yield disk, folder.altered("any_room_is_enough").set(**ONE_TRY)


@pytest.fixture(scope="session")
def needed(stage, tmp_path_factory):
    """How many bytes and files a run has written when it is sealed: with less it cannot be."""
    with SmallDisk(tmp_path_factory.mktemp("measured") / "disk", "size=8m,nr_inodes=1000") as disk:
        folder = stage.folder.copy_to(disk.root / "here").altered("any_room_is_enough")
        size, count = disk.free_bytes(), disk.free_inodes()
        assert folder.run(crash_at="seal_committed").code == -signal.SIGKILL
        return size - disk.free_bytes(), count - disk.free_inodes()


def test_a_run_that_fills_the_disk_says_so_and_is_healed(
    stage, small, needed, disk_share, record_property
):
    disk, folder = small
    number, of = disk_share
    left = needed[0] * number // of
    record_property("kind", f"disk full, {left} bytes left of {needed[0]}")
    disk.leave_bytes(left)

    done = folder.run()
    disk.clear()

    assert done.code == 74, done.err
    assert code_of(done) == "DISK_FULL"
    assert re.search(rf" while writing {disk.root}/\S+, which needs [1-9][\d,]* bytes ", done.err)
    assert judge_refusal(stage, folder, done) == []


def test_a_run_with_a_little_more_than_that_is_published(stage, small, needed):
    disk, folder = small
    died = died_in(folder.root)
    disk.leave_bytes(needed[0] + MEGABYTE // 4)

    done = folder.run()

    assert (done.code, done.outcome) == (0, "published"), done.err
    disk.clear()
    assert judge_heal(stage, folder, died) == []


def test_a_run_asks_for_room_before_it_writes_any(stage, tmp_path):
    with SmallDisk(tmp_path / "disk", "size=128m") as disk:
        folder = stage.folder.copy_to(disk.root / "here").set(**ONE_TRY)
        kept = files(folder.root / "data/raw")
        disk.leave_bytes(63 * MEGABYTE)

        done = folder.run()

        assert (done.code, code_of(done)) == (74, "DISK_FULL"), done.err
        assert re.search(rf"{disk.root}/here/data, which needs 67,108,864 bytes", done.err)
        assert files(folder.root / "data/raw") == kept
        disk.clear()
        assert judge_refusal(stage, folder, done) == []


def test_a_run_that_can_make_no_more_files_says_so_and_is_healed(
    stage, small, needed, files_share, record_property
):
    disk, folder = small
    left = needed[1] * files_share[0] // files_share[1]
    record_property("kind", f"files full, {left} can be made of {needed[1]}")
    disk.leave_inodes(left)

    done = folder.run()
    disk.clear()

    assert (done.code, code_of(done)) == (74, "DISK_FULL"), done.err
    assert "df -i" in done.err
    assert judge_refusal(stage, folder, done) == []


def test_a_run_on_a_read_only_disk_says_so_before_any_work(stage, small):
    disk, folder = small
    folder = folder.altered(None)
    before = files(folder.root)
    disk.remount("ro")

    done = folder.run()

    assert (done.code, code_of(done)) == (74, "NOT_WRITABLE"), done.err
    assert files(folder.root) == before
    assert after_kill(folder.root, stage.expected) == []
    disk.remount("rw")
    disk.clear()
    assert judge_heal(stage, folder.altered("any_room_is_enough"), died_in(folder.root)) == []


def test_a_run_that_may_open_few_files_or_write_small_ones_says_so_and_is_healed(
    stage, data_folder, stingy_limit, record_property
):
    record_property("kind", f"prlimit {stingy_limit}")
    done = limited(data_folder, stingy_limit).set(**ONE_TRY, **NO_BYTECODE).run()

    assert done.code == 74, done.err
    assert judge_refusal(stage, data_folder, done, STINGY) == []


def test_32_open_files_are_enough_for_a_run(stage, data_folder):
    done = limited(data_folder, "--nofile=32").run()

    assert (done.code, done.outcome) == (0, "published"), done.err


def limited(folder, limit):
    """Return the folder whose runs are under a limit of the system."""
    if shutil.which("prlimit") is None:
        leave_out("prlimit is not installed")
    return folder.started_under("prlimit", limit)
