"""`tapewatch run` without --input: Cascade when it is configured, else the drop folder."""

import io
import json
import os
import time
import zipfile

import pytest

from tests.export_server import COOKIE, TOKEN, serve_export


@pytest.fixture
def export(tape):
    """The mixed tape as the ZIP that Cascade sends."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tape.iterdir()):
            archive.write(path, path.name)
    return packed.getvalue()


@pytest.fixture
def cascade(home, export, monkeypatch):
    """A loopback Cascade that the environment names; the requests it has answered."""
    with serve_export(export) as (url, seen):
        monkeypatch.setenv("CASCADE_SESSION_COOKIE", COOKIE)
        monkeypatch.setenv("CASCADE_EXPORT_URL", url)
        yield seen


def drop(home, name, data, age_seconds):
    folder = home / "data" / "raw" / "cascade"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    moment = time.time() - age_seconds
    os.utime(path, (moment, moment))
    return path


def test_the_export_of_cascade_becomes_a_served_run(home, cascade, tapewatch):
    done = tapewatch("run", "--json")

    told = json.loads(done.out)
    manifest = json.loads((home / "data" / "runs" / told["run"] / "manifest.json").read_text())
    assert (done.code, told["outcome"], told["is_served"]) == (0, "published", True)
    assert manifest["ingestion"]["origin"] == "cascade"
    assert len(cascade) == 1


def test_the_same_bytes_again_are_no_new_data_and_no_fresher(home, cascade, tapewatch):
    first = json.loads(tapewatch("run", "--json").out)

    again = json.loads(tapewatch("run", "--as-of", "2026-03-01", "--json").out)

    assert again["outcome"] == "no_new_data"
    assert (again["run"], again["as_of"]) == (first["run"], first["as_of"])
    assert [run.name for run in (home / "data" / "runs").iterdir()] == [first["run"]]


def test_an_expired_session_is_one_line_that_names_the_variable(
    home, cascade, tapewatch, monkeypatch
):
    monkeypatch.setenv("CASCADE_SESSION_COOKIE", "session=old")

    done = tapewatch("run")

    [line] = done.err.splitlines()
    assert done.code == 77
    assert line.startswith("TAPEWATCH-AUTH_EXPIRED: ")
    assert "CASCADE_SESSION_COOKIE" in line.split("fix: ")[1]
    assert len(cascade) == 1
    [attempt] = (home / "data" / "attempts").glob("*.json")
    assert json.loads(attempt.read_text())["error"]["code"] == "AUTH_EXPIRED"


def test_no_secret_of_cascade_is_told_or_kept(home, cascade, tapewatch):
    done = tapewatch("run")
    shown = tapewatch("config", "show", "--json").out

    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for secret in (COOKIE, TOKEN):
        assert secret not in done.out + done.err + shown
        assert secret.encode() not in kept


def test_one_of_the_two_variables_alone_is_a_configuration_error(home, tapewatch, monkeypatch):
    monkeypatch.setenv("CASCADE_SESSION_COOKIE", COOKIE)

    done = tapewatch("run")

    assert done.code == 78
    assert "CASCADE_EXPORT_URL" in done.err
    assert COOKIE not in done.err


def test_without_cascade_the_newest_export_of_the_drop_folder_is_taken(home, export, tapewatch):
    drop(home, "old.zip", b"PK no export", age_seconds=7200)
    drop(home, "new.zip", export, age_seconds=3600)

    done = tapewatch("run", "--json")

    assert done.code == 0
    assert json.loads(done.out)["inputs"][0]["name"] == "new.zip"


def test_without_any_source_the_line_names_all_three(home, tapewatch):
    done = tapewatch("run")

    assert done.code == 69
    assert "TAPEWATCH-NO_INPUT" in done.err
    assert all(way in done.err for way in ("--input", "CASCADE_EXPORT_URL", "data/raw/cascade"))


@pytest.mark.parametrize(
    ("url", "verdict", "told"),
    [
        ("https://app.cascadedebt.com/export?token=x", "ok", "Cascade at app.cascadedebt.com"),
        ("https://elsewhere.invalid/export", "failed", "CASCADE_EXPORT_URL is refused"),
        (None, "failed", "CASCADE_EXPORT_URL"),
    ],
)
def test_the_doctor_judges_the_source_without_asking_it(
    home, tapewatch, monkeypatch, url, verdict, told
):
    monkeypatch.setenv("CASCADE_SESSION_COOKIE", COOKIE)
    if url:
        monkeypatch.setenv("CASCADE_EXPORT_URL", url)

    checks = json.loads(tapewatch("doctor", "--json").out)["checks"]

    [source] = [check for check in checks if check["check"] == "source"]
    assert source["verdict"] == verdict
    assert told in source["found"]
    assert "token" not in source["found"]


def test_an_older_export_that_no_run_was_made_of_comes_before_one_that_was(
    home, export, tape, tapewatch
):
    drop(home, "served.zip", export, age_seconds=60)
    first = json.loads(tapewatch("run", "--json").out)
    other = io.BytesIO(export)
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("README.txt", "another export, other bytes")
    drop(home, "older.zip", other.getvalue(), age_seconds=3600)

    again = json.loads(tapewatch("run", "--json").out)

    assert first["inputs"][0]["name"] == "served.zip"
    assert (again["outcome"], again["inputs"][0]["name"]) == ("published", "older.zip")
    assert json.loads(tapewatch("run", "--json").out)["outcome"] == "no_new_data"
