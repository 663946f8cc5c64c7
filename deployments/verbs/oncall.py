"""The commands for who has duty: what happened, who is called, what was written of it."""

from typing import Annotated

import typer

from deployments.verbs.options import Json

app = typer.Typer()
AnyPortfolio = Annotated[
    str | None, typer.Option("--portfolio", metavar="NAME", help="Whose; any without it.")
]


@app.command()
def explain(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="`latest`, a log folder, an attempt, or a run.")
    ] = "latest",
    portfolio: AnyPortfolio = None,
    json: Json = False,
) -> None:
    """Say what happened to a run: failed phase, root error, first action, alerts, links."""
    from deployments.commands.explain import explain as say
    from settings.load import load_settings

    say(load_settings(portfolio=portfolio), run, portfolio, is_json=json)
