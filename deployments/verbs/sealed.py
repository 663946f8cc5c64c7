"""The commands that look at sealed runs, prove them, go back to one."""

from typing import Annotated

import typer

from deployments.verbs.options import Day, Json, Portfolio

app = typer.Typer()
runs_app = typer.Typer(invoke_without_command=True)
app.add_typer(runs_app, name="runs")


@runs_app.callback()
def runs(context: typer.Context, json: Json = False) -> None:
    """List the runs, newest first, and the attempts that failed."""
    if context.invoked_subcommand is None:
        runs_list(json)


@runs_app.command("list")
def runs_list(json: Json = False) -> None:
    """List the runs, newest first, and the attempts that failed."""
    from deployments.commands.runs import list_all
    from settings.load import load_settings

    list_all(load_settings(), is_json=json)


@runs_app.command("latest")
def runs_latest(json: Json = False) -> None:
    """Show the newest attempt: how it ended, how long each phase took, where its log is."""
    from deployments.commands.runs import show_latest
    from settings.load import load_settings

    show_latest(load_settings(), is_json=json)


@runs_app.command("show")
def runs_show(
    run: Annotated[str, typer.Argument(help="The folder's name, or the begin of the run id.")],
    json: Json = False,
) -> None:
    """Show one run: its input, its KPIs, its files and its attempts."""
    from deployments.commands.runs import show_run
    from settings.load import load_settings

    show_run(load_settings(), run, is_json=json)


@app.command()
def verify(
    run: Annotated[
        str | None, typer.Argument(help="The served run without it; see `tapewatch runs`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run there is.")] = False,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Prove that a run is what was sealed: hashes, chain, every figure again, its past days too."""
    from deployments.commands.verify import verify_runs
    from settings.load import load_settings

    if run is not None and every:
        raise typer.BadParameter("name one run or say --all, not both", param_hint="--all")
    verify_runs(load_settings(portfolio=portfolio), run, is_all=every, is_json=json)


@app.command()
def reproduce(
    run: Annotated[
        str | None, typer.Argument(help="The served run without it; see `tapewatch runs`.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Make a run again from its raw bytes, aside, and hold every figure and table to it."""
    from deployments.commands.reproduce import reproduce_run
    from settings.load import load_settings

    reproduce_run(load_settings(portfolio=portfolio), run, is_json=json)


@app.command()
def lineage(
    kpi: Annotated[str, typer.Argument(metavar="KPI", help="One KPI of the catalogue.")],
    as_of: Day = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Show what a KPI was made of: its SQL, every table and hash, down to the file that came."""
    from deployments.commands.lineage import show_lineage
    from settings.load import load_settings

    show_lineage(kpi, load_settings(portfolio=portfolio), as_of, is_json=json)


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept with every run that is taken back.")],
    run: Annotated[
        str | None, typer.Argument(help="The one before the served one without it.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Serve an earlier run again; later ones stay sealed, and are not served by being repeated."""
    from deployments.commands.rollback import roll_back_to
    from settings.load import load_settings

    roll_back_to(load_settings(portfolio=portfolio), run, reason, is_json=json)
