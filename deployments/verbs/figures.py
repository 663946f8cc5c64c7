"""The commands that run a tape and read what it gives."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from deployments.verbs.options import Day, Json, Portfolio

app = typer.Typer()


@app.command()
def run(
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            metavar="PATH",
            help="A ZIP, workbook, folder, CSV or Parquet; repeatable. Without it the export is "
            "fetched from Cascade, or the newest of the drop folder is taken.",
        ),
    ] = None,
    as_of: Day = None,
    portfolio: Portfolio = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Store a day before the served one; do not serve it.")
    ] = False,
    accept_anomaly: Annotated[
        str | None, typer.Option(metavar="RUN", help="Let this refused run pass; needs --reason.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is right; kept in the run.")] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Tell time and memory by phase and by SQL file.")
    ] = False,
    json: Json = False,
) -> None:
    """Take one tape from its bytes to a served run; the same tape again changes nothing."""
    from deployments.commands.run import accepted_anomaly, run_tape
    from warehouse.job import RunRequest

    accepted = accepted_anomaly(accept_anomaly, reason)
    request = RunRequest(tuple(inputs or ()), as_of, backfill, accepted)
    run_tape(request, portfolio, is_profiled=profile, is_json=json)


@app.command()
def inspect(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="A ZIP, workbook, folder or table.")
    ],
    json: Json = False,
) -> None:
    """Show what a file is, how its columns are read, and which KPIs it will give."""
    from deployments.commands.inspect import inspect_input
    from settings.load import load_settings

    inspect_input(inputs, load_settings(), is_json=json)


@app.command()
def schema(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the JSON Schema: loan_tape.json.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the contract of a loan tape: kinds, tables, columns and the names they may have."""
    from deployments.commands.schema import show_schema

    show_schema(out, is_json=json)


@app.command()
def backfill(
    first: Annotated[
        date | None,
        typer.Option(
            "--from", parser=date.fromisoformat, metavar="DATE", help="The first loan without it."
        ),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option(
            "--to", parser=date.fromisoformat, metavar="DATE", help="The run's day without it."
        ),
    ] = None,
    every: Annotated[
        Literal["month", "week", "day"], typer.Option(help="Month ends, Sundays or each day.")
    ] = "month",
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Work out the KPIs of past days from the served tape; what is known is left as it is."""
    from deployments.commands.backfill import backfill_past
    from settings.load import load_settings
    from warehouse.backfill import PastDays

    asked = PastDays(first, last, every)
    backfill_past(load_settings(portfolio=portfolio), asked, is_json=json)


@app.command()
def kpi(
    name: Annotated[str | None, typer.Argument(help="One KPI; all of them without.")] = None,
    as_of: Day = None,
    loans: Annotated[
        bool, typer.Option("--loans", help="Show the loans behind it, ids masked.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many loans to show.")] = 20,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write those loans for a spreadsheet.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Show the KPIs of the served run, or one with its formula, inputs and loans."""
    from deployments.commands.kpi import show_kpi, show_kpis
    from settings.load import load_settings

    if (loans or csv) and name is None:
        raise typer.BadParameter("name the KPI whose loans to show", param_hint="--loans")
    settings = load_settings(portfolio=portfolio)
    if name is None:
        show_kpis(settings, as_of, is_json=json)
    else:
        shown = limit if loans or csv else None
        show_kpi(name, settings, as_of, limit=shown, csv=csv, is_json=json)


@app.command()
def changed(
    name: Annotated[
        str | None, typer.Argument(metavar="KPI", help="One KPI with its loans; all without.")
    ] = None,
    since: Annotated[
        date | None,
        typer.Option(
            parser=date.fromisoformat,
            metavar="DATE",
            help="Against the newest run of that day or earlier; the run before without it.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many loans of each part to show.")] = 5,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Show what moved each KPI since an earlier run: delinquencies, payoffs, write-offs, loans."""
    from deployments.commands.changed import show_changes
    from settings.load import load_settings

    show_changes(name, load_settings(portfolio=portfolio), since, shown=limit, is_json=json)


@app.command()
def history(
    kpi: Annotated[
        str | None, typer.Argument(metavar="[KPI]", help="One KPI; all of them without.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Show the course of a KPI: what runs said day by day, and what was backfilled before."""
    from deployments.commands.history import show_all, show_one
    from settings.load import load_settings

    settings = load_settings(portfolio=portfolio)
    if kpi is None:
        show_all(settings, is_json=json)
    else:
        show_one(kpi, settings, is_json=json)


@app.command("report")
def draw_report(
    run: Annotated[
        str | None, typer.Argument(help="The served run without it; see `tapewatch runs`.")
    ] = None,
    is_opened: Annotated[
        bool, typer.Option("--open", help="Show it in the browser of this machine.")
    ] = False,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Draw the report of a run: one page that needs no network, and say where it lies."""
    from deployments.commands.report import make_report
    from settings.load import load_settings

    make_report(load_settings(portfolio=portfolio), run, is_opened=is_opened, is_json=json)
