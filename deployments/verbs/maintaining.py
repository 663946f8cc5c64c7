"""The commands that keep the house in order: what is kept, what is told of it, and when."""

from typing import Annotated, Literal

import typer

from deployments.verbs.options import Json, Portfolio

app = typer.Typer()


@app.command()
def retention(
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without it nothing is touched.")
    ] = False,
    wait: Annotated[
        int, typer.Option(min=0, max=1_440, metavar="MINUTES", help="For a run that is at work.")
    ] = 0,
    json: Json = False,
) -> None:
    """Show what is kept no longer, and why; with --apply archive and remove it, recorded."""
    from deployments.commands.retention import retain_or_show
    from settings.load import load_settings

    retain_or_show(load_settings(), is_applied=apply, wait_minutes=wait, is_json=json)


@app.command()
def maintain(
    kind: Annotated[
        Literal["weekly", "monthly", "quarterly", "annual"],
        typer.Argument(metavar="weekly|monthly|quarterly|annual"),
    ],
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Do it; without it the steps are listed.")
    ] = False,
    json: Json = False,
) -> None:
    """List the steps of a maintenance, or do them all, as its flow does on its schedule."""
    from deployments.commands.maintain import do_maintenance, list_steps
    from settings.load import load_settings

    command = do_maintenance if apply else list_steps
    command(kind, load_settings(), is_json=json)


@app.command()
def compliance(
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="The last one that is over without it.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Write the compliance report of a month: runs, breaches, alerts, changes, who did what."""
    from deployments.commands.compliance import report_month
    from settings.load import load_settings

    report_month(load_settings(portfolio=portfolio), month, is_json=json)
