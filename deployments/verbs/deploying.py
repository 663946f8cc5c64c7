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


shadow_app = typer.Typer(no_args_is_help=True)
app.add_typer(shadow_app, name="shadow")


@shadow_app.callback()
def shadow() -> None:
    """Hold the next code to the code in use, on the same tape."""


@shadow_app.command("compare")
def shadow_compare(
    reference: Annotated[
        str, typer.Argument(help="production, production/RUN, RUN, or a run folder's path.")
    ],
    candidate: Annotated[str, typer.Argument(help="The same of the shadow run: staging.")],
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Show two runs side by side: KPIs, rows, checks, errors, seconds; 65 where they differ."""
    from deployments.commands.shadow import compare_runs
    from settings.load import load_settings

    compare_runs(load_settings(portfolio=portfolio), reference, candidate, is_json=json)


@shadow_app.command("summary")
def shadow_summary(
    reference: Annotated[
        str, typer.Option(metavar="ENVIRONMENT", help="The one in use.")
    ] = "production",
    candidate: Annotated[
        str, typer.Option(metavar="ENVIRONMENT", help="The one beside it.")
    ] = "staging",
    hours: Annotated[
        int | None, typer.Option(min=1, help="How far back; shadow.hours without it.")
    ] = None,
    portfolio: Portfolio = None,
    json: Json = False,
) -> None:
    """Say whether a cutover can follow: every shadow run of the last 24 hours beside its run."""
    from deployments.commands.shadow import summarise
    from settings.load import load_settings

    settings = load_settings(portfolio=portfolio)
    summarise(settings, reference, candidate, hours, is_json=json)


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
