"""`tapewatch run`: what it prints, what it leaves, and how it ends when it cannot."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.cli import EXIT_CODES
from tests.warehouse.mixed_tape import AS_OF, mixed_tape
from warehouse.lock import hold_lock

ROOT = Path(__file__).parents[2]


def one_line(error: str) -> str:
    """Return the last line of stderr: the phases before it are progress."""
    line = error.splitlines()[-1]
    assert line.startswith("TAPEWATCH-")
    assert " | fix: " in line
    return line


def test_a_run_prints_its_kpis_its_proof_and_where_things_are(published):
    done = published.printed

    assert done.code == 0
    assert done.out.startswith(f"published run {published.folder.name}\n")
    assert re.search(r"^PAR 90 .* critical .*> 3\.00 % / > 5\.00 %", done.out, re.MULTILINE)
    assert re.search(r"^reconciled: (\d+) of \1 snapshot rows$", done.out, re.MULTILINE)
    assert str(published.folder) in done.out
    assert "tapewatch kpi par_90 --loans" in done.out


def test_the_phases_are_told_on_stderr_one_line_each(published):
    phases = [line.split()[0] for line in published.printed.err.splitlines()]

    assert phases == ["ingestion", "transformation", "calculation", "output"]


def test_nothing_a_run_prints_is_wider_than_the_terminal_but_paths(published):
    lines = published.printed.out.splitlines()

    assert [line for line in lines if len(line) > 100 and str(published.root) not in line] == []


def test_the_same_tape_again_changes_nothing(full_home, tape, tapewatch):
    before = {path: path.stat().st_mtime_ns for path in (full_home / "data" / "runs").rglob("*")}

    done = tapewatch("run", "--input", tape)

    assert done.code == 0
    assert done.out.startswith("already published: nothing changed")
    after = {path: path.stat().st_mtime_ns for path in (full_home / "data" / "runs").rglob("*")}
    assert before == after


def test_another_tape_of_the_day_supersedes_the_first(full_home, tmp_path, tapewatch):
    restated = mixed_tape(extra_payment=100).write(tmp_path / "restated")

    done = tapewatch("run", "--input", restated, "--profile")

    assert done.out.startswith("published run")
    assert re.search(r"^  kpi/par_90\.sql +[\d.]+ +1", done.out, re.MULTILINE)
    listed = json.loads(tapewatch("runs", "--json").out)["runs"]
    assert [run["state"] for run in listed] == ["served", "superseded"]


def test_the_json_of_a_run_is_all_there_is_on_stdout_its_profile_included(home, tape, tapewatch):
    done = tapewatch("run", "--input", tape, "--json", "--profile")

    document = json.loads(done.out)
    assert document["outcome"] == "published"
    assert document["as_of"] == AS_OF
    assert list(document["phases"]) == [
        "ingestion",
        "transformation",
        "calculation",
        "output",
    ]
    profiled = {cost["name"] for cost in document["profile"]}
    assert {"ingestion", "kpi/par_90.sql", "book/book.sql"} <= profiled


def test_everything_a_run_writes_is_for_its_owner_alone(tape, tmp_path):
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "deployments.cli", "run", "--input", str(tape)],
        cwd=ROOT,
        env=os.environ | {"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(tmp_path / "x")},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.umask(0),
    )

    assert done.returncode == 0, done.stderr
    made = [tmp_path / "x", *(tmp_path / "x").rglob("*")]
    assert [p for p in made if not p.is_symlink() and stat.S_IMODE(p.stat().st_mode) & 0o077] == []


def test_a_tape_without_a_column_is_one_line_and_the_last_good_run_stays(
    full_home, tape, tmp_path, tapewatch
):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tape.iterdir():
        text = path.read_text().replace("disburse_principal", "principal_lent")
        (broken / path.name).write_text(text)

    done = tapewatch("run", "--input", broken)

    line = one_line(done.err)
    assert (done.code, done.out) == (65, "")
    assert "disburse_principal" in line
    assert re.search(r" \| run: [0-9a-f]{32}$", line)
    assert json.loads(tapewatch("kpi", "--json").out)["as_of"] == AS_OF
    failed = json.loads(tapewatch("runs", "--json").out)["attempts"][0]
    assert (failed["status"], failed["error"]["exit_code"]) == ("failed", 65)


def test_an_input_that_is_not_there_is_69(home, tapewatch):
    done = tapewatch("run", "--input", home / "none.zip")

    assert done.code == 69
    assert "none.zip does not exist" in one_line(done.err)


def test_a_run_beside_another_is_75_and_leaves_no_attempt(full_home, tape, tapewatch):
    attempts = len(list((full_home / "data" / "attempts").iterdir()))

    with hold_lock(full_home / "data" / "lock", "other", datetime(2025, 12, 11, tzinfo=UTC)):
        done = tapewatch("run", "--input", tape)

    assert done.code == 75
    assert f"pid {os.getpid()}" in one_line(done.err)
    assert "run:" not in done.err
    assert len(list((full_home / "data" / "attempts").iterdir())) == attempts


def test_a_disk_that_refuses_is_74(home, tape, tapewatch):
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the data folder should be")

    done = tapewatch("run", "--input", tape)

    assert done.code == 74
    one_line(done.err)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("TAPEWATCH_PII_KEY", "", "PII_KEY_MISSING"),
        ("TAPEWATCH_ENGINE__THREADS", "many", "INVALID_SETTING"),
        ("TAPEWATCH_ENGIN__THREADS", "2", "UNKNOWN_VARIABLE"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_78(
    home, tape, tapewatch, monkeypatch, name, value, code
):
    monkeypatch.setenv("PIPELINE_ENV", "production")
    monkeypatch.setenv(name, value)

    done = tapewatch("run", "--input", tape)

    assert done.code == 78
    assert one_line(done.err).startswith(f"TAPEWATCH-{code}: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["rum"],
        ["run", "--input", "x", "--as-of", "yesterday"],
        ["run", "--input", "x", "--as-of", "2025-02-30"],
        ["run", "--input", "x", "--reason", "I know"],
        ["run", "--input", "x", "--accept-anomaly", "1234abcd"],
        ["run", "--inputs", "x"],
        ["kpi", "par_91"],
        ["kpi", "--loans"],
        ["kpi", "par_90", "--loans", "--limit", "0"],
        ["kpi", "par_90", "--as-of", "2020-01-01"],
        ["runs", "show", "2020-01-01-00000000"],
        ["verify", "2020-01-01"],
        ["verify", "2020-01-01", "--all"],
        ["synthesize", "--loans", "0"],
        ["config"],
    ],
)
def test_wrong_usage_is_64_and_one_line(full_home, tapewatch, arguments):
    done = tapewatch(*arguments)

    assert (done.code, done.out) == (64, "")
    assert len(done.err.splitlines()) == 1
    one_line(done.err)


def test_help_lists_every_command_and_every_exit_code(tapewatch):
    done = tapewatch("--help")

    assert done.code == 0
    for name in ("run", "kpi", "runs", "verify", "synthesize", "doctor", "config"):
        assert re.search(rf"^│ {name} ", done.out, re.MULTILINE), name
    told = " ".join(done.out.split())
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in told


def test_a_command_line_without_a_command_is_the_help(tapewatch):
    assert tapewatch() == tapewatch("--help")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_within_5_seconds_as_canceled(tape, tmp_path, number):
    root = tmp_path / "home"
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "deployments.cli", "run", "--input", str(tape)],
        cwd=ROOT,
        env=os.environ
        | {
            "PIPELINE_ENV": "development",
            "TAPEWATCH_DATA_DIR": str(root),
            # too little for any phase, which can heal: it waits for its second try
            "TAPEWATCH_ENGINE__MEMORY_LIMIT": "1MB",
            "TAPEWATCH_PHASES__INGESTION__RETRY_DELAY_SECONDS": "600",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        waiting = process.stderr.readline()
        sent = time.monotonic()
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)

    assert "try 2 of 3" in waiting
    assert time.monotonic() - sent < 5
    assert process.returncode == 143
    assert one_line(rest).startswith("TAPEWATCH-CANCELED: ")
    (attempt,) = (root / "data" / "attempts").iterdir()
    assert json.loads(attempt.read_text())["status"] == "canceled"
    assert list((root / "data" / "staging").iterdir()) == []
