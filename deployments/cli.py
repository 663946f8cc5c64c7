"""The `tapewatch` command line: the list of its commands."""

import os
import sys
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

import typer

from deployments.edge import INTERRUPTED, report, stop_on_signals

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
runs_app = typer.Typer(invoke_without_command=True)
config_app = typer.Typer()
audit_app = typer.Typer()
blocks_app = typer.Typer()
app.add_typer(runs_app, name="runs")
app.add_typer(config_app, name="config")
app.add_typer(audit_app, name="audit")
app.add_typer(blocks_app, name="blocks")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Day = Annotated[
    date | None,
    typer.Option("--as-of", parser=date.fromisoformat, metavar="DATE", help="A day: 2025-12-31."),
]

Portfolio = Annotated[
    str | None, typer.Option(metavar="NAME", help="Whose book; the settings' one without it.")
]


@app.callback()
def tapewatch(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; it may quote the tape.")
    ] = False,
) -> None:
    """Check a lender's loan tape, reconcile it, and publish the risk KPIs it gives."""


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
    """Prove that a run is what was sealed: its hashes, its chain, and every figure again."""
    from deployments.commands.verify import verify_runs
    from settings.load import load_settings

    if run is not None and every:
        raise typer.BadParameter("name one run or say --all, not both", param_hint="--all")
    verify_runs(load_settings(portfolio=portfolio), run, is_all=every, is_json=json)


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


@app.command()
def deliver(
    again: Annotated[
        bool, typer.Option("--again", help="Also what has a receipt: the store was restored.")
    ] = False,
    retry_refused: Annotated[
        bool, typer.Option("--retry-refused", help="Also what was refused for good.")
    ] = False,
    json: Json = False,
) -> None:
    """Send every receiver what it lacks, oldest first; what it does not take stays pending."""
    from deployments.commands.deliver import deliver_pending
    from settings.load import load_settings

    deliver_pending(load_settings(), is_again=again, is_refused_too=retry_refused, is_json=json)


@app.command()
def notify(
    run: Annotated[
        str | None, typer.Argument(help="The served run without it; see `tapewatch runs`.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show each message as its channel would.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="Post each to this webhook, as a test.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Show what a run says in Slack, or post it to a test address; no receipt is written."""
    from deployments.commands.notify import notify as show_or_send
    from settings.load import load_settings

    if dry_run == (to is not None):
        raise typer.BadParameter("say --dry-run or --to URL", param_hint="--dry-run")
    show_or_send(load_settings(portfolio=portfolio), run, to, is_json=json)


@app.command()
def announce(
    text: Annotated[str, typer.Argument(help="What to say; it is shown as it is.")],
    route: Annotated[
        str, typer.Option(metavar="ROUTE", help="pipeline_failures, risk_alerts, ...")
    ],
    json: Json = False,
) -> None:
    """Say something in a channel, now: a deployment, a rollback. It is kept who said it."""
    from deployments.commands.announce import announce as say
    from deployments.commands.announce import route_named
    from settings.load import load_settings

    say(load_settings(), text, route_named(route), is_json=json)


@blocks_app.callback()
def blocks() -> None:
    """Save the connections as blocks of Prefect."""


@blocks_app.command("register")
def blocks_register() -> None:
    """Save every block that the environment can fill, in the running Prefect server."""
    from deployments.commands.blocks import register_blocks

    register_blocks()


@app.command()
def exporter(
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="9464 without it; 0 takes any.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            parser=lambda text: str(ip_address(text)), metavar="IP", help="127.0.0.1 without it."
        ),
    ] = None,
) -> None:
    """Serve Prometheus the metrics of what is published, until a signal ends it."""
    from deployments.commands.exporter import serve_metrics
    from settings.load import load_settings

    serve_metrics(load_settings(), address, port)


@app.command()
def observe(
    any_port: Annotated[
        bool, typer.Option("--any-port", help="Free ports instead of 9464, 9090 and 9093.")
    ] = False,
    files: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the configuration there; start nothing."),
    ] = None,
    exporter_at: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="With --files: where the exporter will be.")
    ] = "127.0.0.1:9464",
    alertmanager_at: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="With --files: where Alertmanager will be.")
    ] = "127.0.0.1:9093",
) -> None:
    """Run exporter, Prometheus and Alertmanager on this machine, over the last runs."""
    from deployments.commands import observe as command
    from settings.load import load_settings

    if files is None:
        command.observe(load_settings(), is_any_port=any_port)
    else:
        command.write_files(load_settings(), files, exporter_at, alertmanager_at)


@app.command()
def drill(
    name: Annotated[str, typer.Argument(metavar="par-spike|run-failed|late-tape|exporter-down")],
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the programs running until a signal.")
    ] = False,
    json: Json = False,
) -> None:
    """Practise an alert on the real programs, against stand-ins: who would hear what."""
    from deployments.commands.drill import practise
    from deployments.observe.drill import NAMES
    from settings.load import load_settings

    if name not in NAMES:
        raise typer.BadParameter(f"choose one of {', '.join(NAMES)}", param_hint="NAME")
    practise(name, load_settings(), is_kept=keep, is_json=json)


@audit_app.callback()
def audit() -> None:
    """Show, send, verify, export and restore what an auditor asks for."""


@audit_app.command("payload")
def audit_payload(
    run: Annotated[
        str | None, typer.Argument(help="The run sealed last without it; see `tapewatch runs`.")
    ] = None,
) -> None:
    """Print what the audit store is sent for a run; nothing is sent."""
    from deployments.commands.audit import print_payload
    from settings.load import load_settings

    print_payload(load_settings(), run)


@audit_app.command("write")
def audit_write(json: Json = False) -> None:
    """Send the audit store all that it lacks; an error if no store is set."""
    from deployments.commands.audit import write_audit
    from settings.load import load_settings

    write_audit(load_settings(), is_json=json)


@audit_app.command("verify")
def audit_verify(json: Json = False) -> None:
    """Prove that run folders and audit store are what was sealed and received."""
    from deployments.commands.audit import verify_audit
    from settings.load import load_settings

    verify_audit(load_settings(), is_json=json)


@audit_app.command("migrate")
def audit_migrate(json: Json = False) -> None:
    """Make the audit store's tables in its Postgres, as `supabase db push` does."""
    from deployments.commands.audit_export import migrate_store
    from settings.load import load_settings

    migrate_store(load_settings(), is_json=json)


@audit_app.command("export")
def audit_export(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A new one; without it the settings say.")
    ] = None,
    json: Json = False,
) -> None:
    """Export the audit store to Parquet as of one moment, if its chain holds."""
    from deployments.commands.audit_export import export_audit
    from settings.load import load_settings

    export_audit(load_settings(), folder, is_json=json)


@audit_app.command("drill")
def audit_drill(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `audit export` wrote.")],
    json: Json = False,
) -> None:
    """Restore an export into a throw-away PostgreSQL and prove that nothing is missing."""
    from deployments.commands.audit_export import drill_export

    drill_export(folder, is_json=json)


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
