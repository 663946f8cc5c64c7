"""A snapshot names what runs after a deployment, so that a rollback knows where to go."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from deployments.deploy import HOME
from deployments.snapshot import list_snapshots, take_snapshot
from settings.load import load_settings
from settings.version import commit_sha
from tests.deployments.conftest import KEY
from warehouse.durable import sha256_file

NOW = datetime(2025, 12, 27, 3, 0, 0, 5, tzinfo=UTC)


def test_it_holds_the_code_the_lock_the_settings_and_the_served_run(
    full_home, run_folder, tapewatch
):
    told = json.loads(tapewatch("snapshot", "--json").out)

    assert told["git_sha"] == commit_sha()
    assert told["lock_sha256"] == sha256_file(HOME / "requirements.txt")
    assert told["current"] == {"development-default": run_folder.name}
    assert len(told["settings_sha256"]) == 64
    kept = json.loads((full_home / ".rollback" / told["file"].rpartition("/")[2]).read_text())
    assert kept["current"] == told["current"]


def test_the_way_back_serves_the_run_of_the_snapshot_again(full_home, tapewatch):
    told = json.loads(tapewatch("snapshot", "--json").out)

    [rollback] = [way for way in told["come_back"] if "rollback" in way]
    served = told["current"]["development-default"]
    assert rollback == f"tapewatch rollback {served} --portfolio default --reason TEXT"


def test_no_secret_is_in_it(full_home, tapewatch):
    tapewatch("snapshot")

    [path] = (full_home / ".rollback").iterdir()
    assert KEY not in path.read_text()


def test_a_second_deployment_of_the_same_writes_nothing_new(home):
    first, path = take_snapshot(load_settings(), NOW)
    again, same = take_snapshot(load_settings(), NOW + timedelta(hours=1))

    assert (again, same) == (first, path)
    assert len(list_snapshots(load_settings())) == 1


def test_another_setting_is_another_snapshot(home, monkeypatch):
    first, _ = take_snapshot(load_settings(), NOW)
    monkeypatch.setenv("TAPEWATCH_ENGINE__THREADS", "1")
    second, _ = take_snapshot(load_settings(), NOW + timedelta(hours=1))

    assert first.settings_sha256 != second.settings_sha256
    assert list_snapshots(load_settings()) == [first, second]


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_a_damaged_snapshot_hides_no_other(home, text):
    first, path = take_snapshot(load_settings(), NOW)
    path.with_name("20251226T000000Z_development.json").write_text(text)

    assert list_snapshots(load_settings()) == [first]
