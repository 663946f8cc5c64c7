"""A maintenance does every step, tells how each went, and fails by name when one did."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest

from settings.load import load_settings
from tasks.maintenance_run import MaintenanceFailedError, audit_variables, run_step
from tasks.maintenance_steps import Step, steps_of
from tests.deployments.conftest import KEY

USER = "postgresql://app:" + "canary4711"  # put together here, so that this file holds none


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_PII_KEY", KEY)
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    return tmp_path


def kept(home):
    (record,) = (home / "data" / "maintenance").glob("*.json")
    return json.loads(record.read_bytes())


def test_a_failing_step_hides_no_other_and_the_flow_says_which_failed(
    prefect_server, home, monkeypatch
):
    from flows.maintenance import monthly

    monkeypatch.setenv("SUPABASE_DB_URL", f"{USER}@127.0.0.1:9/x")

    with pytest.raises(MaintenanceFailedError) as caught:
        monthly()

    told = {step["step"]: step for step in kept(home)["steps"]}
    assert {name: step["outcome"] for name, step in told.items()} == {
        "compliance default": "ok",
        "audit export": "failed",
        "audit drill": "failed",
        "credentials": "ok",
        "rotate": "by hand",
        "upgrade": "by hand",
    }
    assert "2 of 6 steps failed: audit export, audit drill" in caught.value.message
    assert told["audit export"]["said"].startswith("TAPEWATCH-")
    written = "".join(
        p.read_text() for p in home.rglob("*") if p.suffix in {".json", ".out", ".err"}
    )
    assert "canary4711" not in written


def test_a_year_is_a_checklist(prefect_server, home):
    from flows.maintenance import annual

    assert {done.outcome for done in annual()} == {"by hand"}
    assert kept(home)["kind"] == "annual"


def step_of(home, code, **more):
    environment = {"TAPEWATCH_DATA_DIR": str(home), "PATH": "/usr/bin:/bin"}
    step = Step("one", "told", ("python", "-c", code), **more)
    return run_step(step, home, environment, 30)


def test_the_last_word_of_a_step_is_what_is_told(home):
    done = step_of(home, "print('first'); print('  last   word ')")

    assert (done.outcome, done.said) == ("ok", "last word")
    assert done.log.read_text().startswith("first\n")


def test_of_a_failed_step_its_own_error_is_told_and_not_what_make_adds(home):
    said = r"TAPEWATCH-X: why | fix: y\nmake: *** Error 1\n"
    done = step_of(home, f"import sys; sys.stderr.write('{said}'); sys.exit(2)")

    assert done.outcome == "failed"
    assert done.said == "TAPEWATCH-X: why | fix: y"


def test_a_step_that_had_nothing_to_look_at_is_not_run_and_no_failure(home):
    code = "import sys; sys.exit('TAPEWATCH-AUDIT_NOT_RUN: nobody to ask')"

    assert step_of(home, code, not_run_codes=("AUDIT_NOT_RUN",)).outcome == "not run"
    assert step_of(home, code).outcome == "failed"


def test_a_step_that_does_not_end_is_ended(home):
    environment = {"TAPEWATCH_DATA_DIR": str(home)}
    step = Step("endless", "told", ("python", "-c", "import time; time.sleep(3600)"))

    done = run_step(step, home, environment, 0.2)

    assert (done.outcome, done.said) == ("failed", "not done in 0 minutes")


def test_what_a_step_has_begun_ends_with_it(home):
    begun = home / "begun"
    step = Step("endless", "told", ("sh", "-c", "sleep 3600 & echo $! > begun; wait"))
    environment = {"TAPEWATCH_DATA_DIR": str(home), "PATH": "/usr/bin:/bin"}

    for seconds in (0.5, 5, 60):  # a busy machine may need more to begin
        done = run_step(step, home, environment, seconds)
        if begun.is_file() and begun.read_text().strip():
            break

    assert done.outcome == "failed"
    deadline = time.monotonic() + 60
    while is_alive(int(begun.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(begun.read_text()))


def is_alive(pid):
    """A zombie that nobody has waited for yet is not."""
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_a_command_that_is_not_installed_is_a_failed_step_and_hides_no_other(home):
    step = Step("style", "told", ("no-such-make", "check"))

    done = run_step(step, home, {"TAPEWATCH_DATA_DIR": str(home), "PATH": "/nowhere"}, 30)

    assert done.outcome == "failed"
    assert done.said == "no-such-make cannot be run: No such file or directory"


def test_every_tapewatch_command_of_a_step_is_one_with_these_options(home):
    from datetime import UTC, datetime

    from typer.main import get_command

    from deployments.cli import app

    now, settings = datetime(2026, 1, 1, tzinfo=UTC), load_settings()
    for kind in ("weekly", "monthly", "quarterly", "annual"):
        for step in steps_of(kind, settings, now):
            if step.command[:1] == ("tapewatch",):
                command, words = get_command(app), list(step.command[1:])
                while words and words[0] in getattr(command, "commands", {}):
                    command = command.commands[words.pop(0)]
                known = {option for parameter in command.params for option in parameter.opts}
                assert {word for word in words if word.startswith("--")} <= known
                assert command is not get_command(app)


def test_a_store_that_only_a_block_knows_is_told_to_the_commands(home):
    url = f"{USER}@127.0.0.1:5432/x"
    audit = load_settings({"TAPEWATCH_PII_KEY": KEY, "SUPABASE_DB_URL": url}).audit

    told = audit_variables(audit)

    again = load_settings({"TAPEWATCH_PII_KEY": KEY, "SUPABASE_URL": "https://old.example", **told})
    assert again.audit == audit
