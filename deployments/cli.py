"""The `tapewatch` command line: the list of its commands."""

import os
import sys
from typing import Annotated

import typer

from deployments.edge import INTERRUPTED, report, stop_on_signals
from deployments.verbs import (
    auditing,
    deploying,
    figures,
    machine,
    maintaining,
    oncall,
    sealed,
    telling,
)

# The modules that do the work are imported by the command that needs them: `--help` needs none.
EXIT_CODES = {
    0: "done, also when there was nothing to do",
    64: "wrong usage",
    65: "the data is not fit to publish, the last good run stays served",
    69: "the input, or a receiver, cannot be reached",
    70: "a mistake of Tapewatch",
    74: "the disk refused",
    75: "another run is at work, or a phase took too long: try later",
    77: "a credential is missing or expired",
    78: "a setting is missing or wrong",
    143: "stopped by a signal",
}
_EPILOG = "Exit codes: " + "; ".join(f"[b]{code}[/] {told}" for code, told in EXIT_CODES.items())

app = typer.Typer(add_completion=False, rich_markup_mode="rich", epilog=_EPILOG)
for topic in (figures, sealed, oncall, telling, auditing, maintaining, deploying, machine):
    app.add_typer(topic.app)


@app.callback()
def tapewatch(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; it may quote the tape.")
    ] = False,
) -> None:
    """Check a lender's loan tape, reconcile it, and publish the risk KPIs it gives."""


def main() -> None:
    """Run one command and exit with its code."""
    os.umask(0o077)
    stop_on_signals()
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; every error is one line on stderr."""
    try:
        code = app(arguments or ["--help"], prog_name="tapewatch", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the edge: no error goes further than this
        return report(error, is_debug="--debug" in arguments)
    return report(KeyboardInterrupt(), is_debug=False) if code == INTERRUPTED else int(code or 0)


if __name__ == "__main__":
    main()
