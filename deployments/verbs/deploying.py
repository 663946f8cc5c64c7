"""The commands of a deployment: what runs is written down, compared, and verified."""

from typing import Annotated

import typer

from deployments.verbs.options import Json, Portfolio

app = typer.Typer()


@app.command()
def snapshot(
    every: Annotated[bool, typer.Option("--list", help="List those that were taken.")] = False,
    json: Json = False,
) -> None:
    """Write down which code, lock, settings and runs are in use, under .rollback/."""
    from deployments.commands.snapshot import snapshot_now, snapshots
    from settings.load import load_settings

    (snapshots if every else snapshot_now)(load_settings(), is_json=json)


@app.command("deploy-verify")
def deploy_verify(
    tests: Annotated[
        list[str] | None,
        typer.Option("--tests", metavar="PATH", help="Run these tests alone; may be repeated."),
    ] = None,
    no_tests: Annotated[
        bool, typer.Option("--no-tests", help="Where the tests are not installed: leave them out.")
    ] = False,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Check the five criteria of the first hour: tests, latency, KPIs, audit store, error logs."""
    from deployments.commands.deploy_verify import verify_deployment
    from settings.load import load_settings

    settings = load_settings(portfolio=portfolio)
    verify_deployment(settings, tuple(tests or ()), is_tested=not no_tests, is_json=json)
