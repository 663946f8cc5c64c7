"""A durable write is whole or absent, private whatever the umask, and refused with a code."""

import errno
import hashlib
import os
import resource
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from settings.errors import InternalError, StorageError
from tests.leaving_out import leave_out
from warehouse.durable import copy_with_sha256, durable_write, make_folder, sha256_file
from warehouse.failpoints import FAIL_POINTS, fail_point
from warehouse.layout import Layout, SplitDiskError, preflight, safe_attempt_id
from warehouse.storage_errors import DiskFullError, storage_error

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_umask():
    old = os.umask(0)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_durable_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "current"
    durable_write(path, b"a much longer first text")

    durable_write(path, b"second")

    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("open_umask")
def test_files_and_folders_are_private_under_an_open_umask(tmp_path):
    folder = make_folder(tmp_path / "a" / "b")
    durable_write(folder / "file", b"x")
    copy = copy_with_sha256(folder / "file", folder / "copy")

    assert [mode(tmp_path / "a"), mode(folder)] == [0o700, 0o700]
    assert [mode(folder / "file"), mode(copy.path)] == [0o600, 0o600]


def test_a_write_beyond_the_file_size_limit_keeps_the_old_file_and_leaves_no_tmp(tmp_path):
    path = tmp_path / "file"
    durable_write(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="file") as caught:
            durable_write(path, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.code == "FILE_TOO_BIG"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_a_typed_error_naming_the_path(tmp_path):
    with pytest.raises(StorageError, match=r"gone/file") as caught:
        durable_write(tmp_path / "gone" / "file", b"x")

    assert (caught.value.code, caught.value.exit_code) == ("DISK_FAILED", 74)


@pytest.mark.parametrize(
    ("number", "code", "can_heal"),
    [
        (errno.ENOSPC, "DISK_FULL", True),
        (errno.EDQUOT, "DISK_FULL", True),
        (errno.EROFS, "NOT_WRITABLE", False),
        (errno.EACCES, "NOT_WRITABLE", False),
        (errno.EFBIG, "FILE_TOO_BIG", False),
        (errno.EMFILE, "TOO_MANY_FILES", True),
        (errno.EIO, "DISK_FAILED", True),
    ],
)
def test_what_the_system_answers_gets_its_code_and_exits_74(number, code, can_heal):
    error = storage_error(OSError(number, os.strerror(number)), Path("/d/file"), 4096)

    assert (error.code, error.exit_code, error.can_heal) == (code, 74, can_heal)
    assert "/d/file" in error.message


def test_a_full_disk_names_the_path_and_the_bytes_needed():
    error = storage_error(OSError(errno.ENOSPC, "No space left on device"), Path("/d/f"), 12345)

    assert "/d/f" in error.message
    assert "12,345 bytes" in error.message
    assert error.evidence["bytes_needed"] == 12345


def test_a_copy_tells_hash_size_and_lines_of_one_read(tmp_path):
    source = tmp_path / "loans.csv"
    source.write_bytes(b"loan_id\n" + b"L1,900\n" * 300_000)  # 8 + 7 * 300,000: several chunks

    copied = copy_with_sha256(source, tmp_path / "copy")

    assert (copied.size, copied.newlines, copied.ends_with_newline) == (2_100_008, 300_001, True)
    assert copied.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert sha256_file(copied.path) == copied.sha256


@pytest.mark.parametrize(
    ("data", "newlines", "ends"),
    [(b"", 0, False), (b"\n", 1, True), (b"a\nb", 1, False), (b"a\r\nb\r\n", 2, True)],
)
def test_a_copy_sees_a_tape_cut_before_its_last_newline(tmp_path, data, newlines, ends):
    copied = copy_with_sha256(BytesIO(data), tmp_path / "copy")

    assert (copied.size, copied.newlines, copied.ends_with_newline) == (len(data), newlines, ends)


def test_a_member_of_an_archive_is_copied_as_a_stream(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("loans.csv", "loan_id\nL1\n")

    with zipfile.ZipFile(tmp_path / "x.zip") as archive, archive.open("loans.csv") as member:
        copied = copy_with_sha256(member, tmp_path / "loans.csv")

    assert copied.path.read_bytes() == b"loan_id\nL1\n"
    assert copied.newlines == 2


def test_a_copy_never_overwrites(tmp_path):
    (tmp_path / "copy").write_bytes(b"mine")

    with pytest.raises(StorageError, match="copy"):
        copy_with_sha256(BytesIO(b"yours"), tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"mine"


def test_preflight_makes_the_folders_and_leaves_no_probe(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "logs")

    preflight(layout, 0)

    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert layout.runs.is_dir()
    assert layout.log_runs.is_dir()


def test_preflight_wants_twice_the_input_and_64_mb(tmp_path):
    with pytest.raises(DiskFullError) as caught:
        preflight(Layout(tmp_path / "data", tmp_path / "logs"), 10**18)

    assert caught.value.evidence["bytes_needed"] == 2 * 10**18 + 67_108_864  # 64 * 1024 * 1024


def test_preflight_refuses_staging_on_another_file_system(tmp_path):
    shm = Path("/dev/shm")  # noqa: S108
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        leave_out("no second file system here")
    layout = Layout(tmp_path / "data", tmp_path / "logs")
    elsewhere = shm / f"tapewatch-{os.getpid()}"
    elsewhere.mkdir()
    layout.data.mkdir()
    layout.staging.symlink_to(elsewhere)
    try:
        with pytest.raises(SplitDiskError, match="different file systems") as caught:
            preflight(layout, 0)
    finally:
        elsewhere.rmdir()

    assert caught.value.exit_code == 78


@pytest.mark.parametrize("bad", ["", "../x", "a/b", "A", "x" * 65, "-x", "x\n"])
def test_an_attempt_id_that_is_no_file_name_is_refused(bad):
    with pytest.raises(InternalError, match="attempt id"):
        safe_attempt_id(bad)


def test_a_fail_point_nobody_listed_is_our_mistake():
    with pytest.raises(InternalError, match="nowhere"):
        fail_point("nowhere")


@pytest.mark.parametrize(
    ("env", "status"),
    [
        ({"TAPEWATCH_CRASH_AT": "lock_taken"}, 0),  # not a trial: never dies
        ({"TAPEWATCH_TEST": "1"}, 0),
        ({"TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": "lock_taken:3"}, 0),  # met twice only
        ({"TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": "lock_taken:2"}, -9),
        ({"TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": "lock_token"}, 78),
        ({"TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": "lock_taken:0"}, 78),
    ],
)
def test_a_process_dies_only_in_a_trial_and_only_where_it_was_told(env, status):
    program = """
import sys
from warehouse.failpoints import UnknownFailPointError, fail_point
try:
    fail_point("lock_taken"), fail_point("attempt_opened"), fail_point("lock_taken")
except UnknownFailPointError as error:
    sys.exit(error.exit_code)
"""

    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, cwd=ROOT, check=False)  # noqa: S603

    assert done.returncode == status


def test_every_fail_point_is_passed_somewhere():
    code = "".join(
        path.read_text()
        for room in ("warehouse", "tasks", "flows", "deployments")
        for path in (ROOT / room).rglob("*.py")
    )

    assert [name for name in FAIL_POINTS if f'fail_point("{name}")' not in code] == []
