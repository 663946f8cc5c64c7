"""Options that several commands have."""

from datetime import date
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Day = Annotated[
    date | None,
    typer.Option("--as-of", parser=date.fromisoformat, metavar="DATE", help="A day: 2025-12-31."),
]

Portfolio = Annotated[
    str | None, typer.Option(metavar="NAME", help="Whose book; the settings' one without it.")
]
