"""The real programs that the tests run: Prometheus, Alertmanager and the tools of each."""

import os
import shutil
import subprocess

from tests.leaving_out import leave_out

PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")


def find_binary(name: str) -> str:
    """The path of a program, or skip: in CI, where MUST_NOT_SKIP or CI is set, fail.

    A variable such as PROMTOOL or PROMETHEUS_ALERTMANAGER outranks the PATH.
    """
    assert name in PROGRAMS
    variable = name.replace("-", "_").upper()
    found = shutil.which(os.environ.get(variable) or name)
    if found is None:
        reason = (
            f"{name} is not installed: apt-get install prometheus prometheus-alertmanager, "
            f"or set {variable}"
        )
        leave_out(reason)
    return found


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What a program answers; the caller judges its exit code."""
    command = [find_binary(name), *map(str, arguments)]
    return subprocess.run(  # noqa: S603 - one of PROGRAMS, by its path
        command, capture_output=True, text=True, check=False, timeout=120
    )
