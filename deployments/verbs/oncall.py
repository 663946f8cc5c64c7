"""The commands for who has duty: what happened, who is called, what was written of it."""

from typing import Annotated, Literal

import typer

from deployments.verbs.options import Json

app = typer.Typer()
oncall_app = typer.Typer(invoke_without_command=True)
incident_app = typer.Typer()
app.add_typer(oncall_app, name="oncall")
app.add_typer(incident_app, name="incident")
AnyPortfolio = Annotated[
    str | None, typer.Option("--portfolio", metavar="NAME", help="Whose; any without it.")
]

Moment = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="2025-12-29T09:00 (UTC); now without it.")
]


@app.command()
def explain(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="`latest`, a log folder, an attempt, or a run.")
    ] = "latest",
    portfolio: AnyPortfolio = None,
    json: Json = False,
) -> None:
    """Say what happened to a run: failed phase, root error, first action, alerts, links."""
    from deployments.commands.explain import explain as say
    from settings.load import load_settings

    say(load_settings(portfolio=portfolio), run, portfolio, is_json=json)


@oncall_app.callback()
def oncall(
    context: typer.Context,
    at: Moment = None,
    json: Json = False,
) -> None:
    """Show who has duty, until when, and whom it goes to after that."""
    if context.invoked_subcommand is None:
        from deployments.commands.oncall import moment_of, show_duty
        from settings.load import load_settings

        show_duty(load_settings(), moment_of(at), is_json=json)


@oncall_app.command("handover")
def oncall_handover(at: Moment = None, json: Json = False) -> None:
    """Print the hand-over sheet: runs, failures, breaches, alerts, deliveries, incidents."""
    from deployments.commands.handover import hand_over
    from deployments.commands.oncall import moment_of
    from settings.load import load_settings

    hand_over(load_settings(), moment_of(at), is_json=json)


@incident_app.callback()
def incident() -> None:
    """Write incidents down, and list them."""


@incident_app.command("new")
def incident_new(
    title: Annotated[str, typer.Option(metavar="TEXT", help="What happened, in a few words.")],
    run: Annotated[
        str, typer.Option(metavar="RUN", help="Prefilled from it; from the newest without it.")
    ] = "latest",
    severity: Annotated[
        Literal["P1", "P2", "P3", "P4"] | None,
        typer.Option(help="That of the gravest alert that stands, without it."),
    ] = None,
    portfolio: AnyPortfolio = None,
    json: Json = False,
) -> None:
    """Write an incident and its post-mortem as a new Markdown file, prefilled from a run."""
    from deployments.attempts import find_attempt
    from deployments.commands.incident import new_incident
    from settings.load import load_settings

    settings = load_settings(portfolio=portfolio)
    attempt = find_attempt(settings, run, portfolio)
    new_incident(settings, attempt, severity, title, is_json=json)


@incident_app.command("list")
def incident_list(json: Json = False) -> None:
    """List the incidents, the open ones first; one is open until its file says `closed`."""
    from deployments.commands.incident import show_incidents
    from settings.load import load_settings

    show_incidents(load_settings(), is_json=json)
