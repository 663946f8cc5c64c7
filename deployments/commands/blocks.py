"""`tapewatch blocks register`: in a process of its own, since this one starts without Prefect."""

import subprocess
import sys

import typer


def register_blocks() -> None:
    """Save every block that the environment can fill in the running Prefect server.

    Raises:
        typer.Exit: With the code of that process, which has told its error in one line.
    """
    command = [sys.executable, "-m", "deployments.register"]
    done = subprocess.run(command, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise typer.Exit(done.returncode)
