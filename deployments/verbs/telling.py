"""The commands about who is told what: Slack, the exporter, alerting, Prefect's blocks."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from deployments.verbs.options import Json, Portfolio

app = typer.Typer()
blocks_app = typer.Typer()
app.add_typer(blocks_app, name="blocks")


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
    """Send every receiver what it lacks, oldest first; what it does not take stays pending.

    Receivers are those of the settings and variables; the flows look at Prefect's blocks first.
    """
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
    """Say something in a channel, now: a deployment, a rollback. It is kept who said it.

    The way there is that of the settings and variables; the flows look at Prefect's blocks first.
    """
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
