"""The commands about this installation: settings, credentials, what a run needs, trial tapes."""

from pathlib import Path
from typing import Annotated

import typer

from deployments.verbs.options import Json

app = typer.Typer()
config_app = typer.Typer()
app.add_typer(config_app, name="config")


@app.command()
def doctor(json: Json = False) -> None:
    """Check every setting and dependency of a run, with a fix for each that is wrong."""
    from deployments.commands.doctor import examine

    examine(is_json=json)


@app.command()
def credentials(json: Json = False) -> None:
    """List the credentials in use, when each was set and when it ends; never a value."""
    from deployments.commands.credentials import show_credentials
    from settings.load import load_settings

    show_credentials(load_settings(), is_json=json)


@config_app.callback()
def config() -> None:
    """Show the settings of this process."""


@config_app.command("show")
def config_show(json: Json = False) -> None:
    """Show every setting with where it came from; secrets are masked."""
    from deployments.commands.config import show_settings

    show_settings(is_json=json)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Without pauses.")] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new folder to leave its runs in.")
    ] = None,
    json: Json = False,
) -> None:
    """Play two minutes of a lender's week: a good day, a late tape, a PAR spike, a store down.

    All of it is made up, runs on this machine alone, and calls nobody.
    """
    from deployments.commands.demo import show_demo

    show_demo(keep, is_fast=fast, is_json=json)


@app.command()
def synthesize(
    loans: Annotated[int, typer.Option(min=1, help="How many; 17,688 is the real size.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new folder; under data/ without it.")
    ] = None,
    faults: Annotated[
        bool, typer.Option("--faults", help="Plant every known defect, with its answer key.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another book.")] = 7,
    json: Json = False,
) -> None:
    """Make a synthetic tape of any size; the same seed gives the same bytes."""
    from deployments.commands.synthesize import make_tape

    make_tape(loans, out, seed, has_faults=faults, is_json=json)


@app.command()
def stress(
    phase: Annotated[str, typer.Option(metavar="NAME", help="The phase whose costs to show.")],
    loans: Annotated[int, typer.Option(min=1, help="How large a tape.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Another seed is another book.")] = 7,
) -> None:
    """Run a large synthetic tape aside and show time and memory of one phase by SQL file."""
    from deployments.commands.stress import stress_phase

    stress_phase(phase, loans, seed)
