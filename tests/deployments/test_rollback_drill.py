"""The rollback of code and data together, in a checkout and an environment of its own."""

import os
import shutil
import subprocess
import time

import pytest

from deployments.deploy import HOME
from tests.deployments.conftest import EARLIER_DAYS, KEY
from tests.leaving_out import leave_out

FIVE_MINUTES = 300  # the runbook's


def run(command, folder, **more):
    done = subprocess.run(  # noqa: S603 - git, make, and what they have made
        command, cwd=folder, env=os.environ | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.soak
def test_code_and_data_are_back_within_five_minutes(published_days, tmp_path):
    """Check out, install from the lock, move the pointer, and verify what is served."""
    if shutil.which("git") is None or not (HOME / ".git").exists():
        leave_out("no git, or no checkout: there is no earlier commit to go back to")
    data = shutil.copytree(published_days, tmp_path / "home", symlinks=True)
    settings = {
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(data),
        "TAPEWATCH_PII_KEY": KEY,
    }
    began = time.monotonic()

    checkout = tmp_path / "checkout"
    run(["git", "clone", "--quiet", str(HOME), str(checkout)], tmp_path)
    run(["make", "--quiet", ".venv/.run"], checkout)
    tapewatch = str(checkout / ".venv/bin/tapewatch")
    run([tapewatch, "rollback", "--reason", "a drill", "--json"], checkout, **settings)
    run([tapewatch, "verify"], checkout, **settings)

    assert time.monotonic() - began < FIVE_MINUTES
    served = (data / "data/current/development-default").read_text()
    assert served.startswith(EARLIER_DAYS[-1])
