"""The checks of the code find what they are there for, and say so when they could not look."""

import subprocess
import sys
from pathlib import Path

import pytest

from deployments.dependency_audit import (
    AuditNotRunError,
    WeakDependencyError,
    audit,
    judge,
    read_report,
)

ROOT = Path(__file__).parents[1]
PLANTED = {  # put together here, so that this file holds none
    "Supabase": "sb_" + "secret_" + "a1B2c3D4e5F6g7H8i9J0",
    "Slack token": "xoxb" + "-1234567890-abcdefghijklmnop",
    "Slack webhook": "https://hooks.slack.com/services/T0ABCDEFG/"
    + "B0ABCDEFG/a1B2c3D4e5F6g7H8i9J0kl",
    "Cascade": "CASCADE_SESSION_" + "COOKIE=session%3Aa1B2c3D4e5F6g7H8",
    "masking key": "TAPEWATCH_PII_" + "KEY='a1b2c3d4e5f6a7b8c9d0e1f2'",
    "JSON Web Token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    + "eyJyb2xlIjoic2VydmljZV9yb2xlIiwiaWF0IjoxNjE2MTYxNjE2fQ."
    + "c2lnbmF0dXJlLW9mLXRoZS10b2tlbi10aGF0LWlzLW5vbmU",
    "password of a database": "postgres" + "ql://admin:a1B2c3D4e5@db.example.com/postgres",
}


def scan(file):
    program = Path(sys.executable).with_name("detect-secrets-hook")
    return subprocess.run(  # noqa: S603 - the program that make secret-scan runs
        [program, "--baseline", ROOT / ".secrets.baseline", file],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found_and_not_shown(tmp_path, kind):
    file = tmp_path / "settings.py"
    file.write_text(f"# settings\nvalue = {PLANTED[kind]!r}\n")

    done = scan(file)

    assert done.returncode == 1
    assert f"{file}:2" in done.stdout
    assert PLANTED[kind] not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_file_without_a_secret_passes(tmp_path):
    file = tmp_path / "settings.py"
    file.write_text("value = load_settings().audit\n")

    assert scan(file).returncode == 0


def test_the_list_of_what_is_no_secret_names_no_machine():
    assert 'file://.ci/secret_patterns.py"' in (ROOT / ".secrets.baseline").read_text()


def package(name="httpx", **more):
    return {"name": name, "version": "1.0", "vulns": [], **more}


def test_every_version_that_was_looked_up_is_counted():
    assert judge([package(), package("duckdb")]) == 2


def test_one_version_that_was_skipped_is_an_audit_that_was_not_run():
    with pytest.raises(AuditNotRunError, match="not run for 1 of 2 packages: duckdb"):
        judge([package(), {"name": "duckdb", "skip_reason": "not found"}])


def test_a_known_weakness_is_named_with_its_version():
    weak = package("certifi", vulns=[{"id": "CVE-2099-1"}])

    with pytest.raises(WeakDependencyError, match=r"certifi 1\.0: CVE-2099-1") as raised:
        judge([package(), weak])
    assert "make lock" in raised.value.fix


@pytest.mark.parametrize("text", ["", "[]", '{"other": []}', "no JSON"])
def test_an_answer_that_is_none_is_no_green(text):
    assert read_report(text) is None


def test_a_lock_that_cannot_be_looked_up_is_told_as_not_run(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package-of-anybody==1.0 --hash=sha256:" + "0" * 64 + "\n")

    with pytest.raises(AuditNotRunError, match="not run"):
        audit(lock)
