"""The key file of a development machine: made once, whole, for one user alone."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from settings.load import InvalidSettingError, describe_settings, load_settings
from settings.pii_key import PiiKeyFileError, development_key


def development(folder, **more):
    return {"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(folder), **more}


def mode(path):
    return path.stat().st_mode & 0o777


def test_development_makes_a_key_and_keeps_it(tmp_path):
    first = load_settings(development(tmp_path))
    second = load_settings(development(tmp_path))

    assert first.pii_key_bytes() == (tmp_path / "data" / "pii.key").read_bytes().strip()
    assert len(bytes.fromhex(first.pii_key.get_secret_value())) == 32
    assert first.pii_key_id() == second.pii_key_id()


def test_two_machines_make_two_keys(tmp_path):
    one, two = (load_settings(development(tmp_path / name)) for name in ("one", "two"))

    assert one.pii_key_id() != two.pii_key_id()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_file_and_the_new_folders_are_for_this_user_alone(mask, tmp_path):
    before = os.umask(mask)
    try:
        file = load_settings(development(tmp_path / "new")).paths.pii_key_file
    finally:
        os.umask(before)

    assert mode(file) == 0o600
    assert {mode(tmp_path / "new"), mode(file.parent)} == {0o700}
    assert [path.name for path in file.parent.iterdir()] == ["pii.key"]


def test_starts_at_the_same_moment_share_one_key(tmp_path):
    file = tmp_path / "data" / "pii.key"
    together = Barrier(8)

    def start(_):
        together.wait()
        return development_key(file)

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(start, range(8)))

    assert keys == {file.read_text().strip()}
    assert list(file.parent.iterdir()) == [file]


def test_a_key_in_the_environment_makes_no_file(tmp_path):
    load_settings(development(tmp_path, TAPEWATCH_PII_KEY="k" * 16))

    assert list(tmp_path.iterdir()) == []


def test_another_wrong_setting_leaves_no_file_behind(tmp_path):
    with pytest.raises(InvalidSettingError):
        load_settings(development(tmp_path, TAPEWATCH_ENGINE__THREADS="0"))

    assert list(tmp_path.iterdir()) == []


def test_the_file_is_told_as_the_source_of_the_key(tmp_path):
    (row,) = [row for row in describe_settings(development(tmp_path)) if row.name == "pii_key"]

    assert row.source == str(tmp_path / "data" / "pii.key")


@pytest.mark.parametrize("readers", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_open_is_refused(readers, tmp_path):
    file = load_settings(development(tmp_path)).paths.pii_key_file
    file.chmod(readers)

    with pytest.raises(PiiKeyFileError, match="by other users") as raised:
        load_settings(development(tmp_path))

    assert raised.value.fix == f"chmod 600 {file}"


@pytest.mark.parametrize("content", [b"", b"\n", b"0123456789abcde\n"])
def test_an_empty_or_short_file_is_refused_by_its_name(content, tmp_path):
    file = load_settings(development(tmp_path)).paths.pii_key_file
    file.write_bytes(content)

    with pytest.raises(InvalidSettingError, match=r"pii\.key: must be at least 16 bytes long"):
        load_settings(development(tmp_path))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = load_settings(development(tmp_path)).paths.pii_key_file
    file.write_bytes(b"\xff" * 32)

    with pytest.raises(PiiKeyFileError, match="is not text"):
        load_settings(development(tmp_path))


def test_a_folder_that_cannot_be_made_names_the_variable_that_helps(tmp_path):
    (tmp_path / "data").write_text("a file in the way")

    with pytest.raises(PiiKeyFileError, match="cannot be used") as raised:
        load_settings(development(tmp_path))

    assert "TAPEWATCH_PII_KEY" in raised.value.fix
    assert raised.value.exit_code == 74
