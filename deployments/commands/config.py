"""`tapewatch config show`: every setting, where it came from, and never a secret."""

from dataclasses import asdict

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console
from settings.load import describe_settings


def show_settings(*, is_json: bool) -> None:
    """Show each setting with its value, its source and the variable that sets it."""
    rows = describe_settings()
    if is_json:
        print_json({"settings": [asdict(row) for row in rows]})
        return
    table = bare_table()
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name, row.value, row.source, style="" if row.source != "default" else "dim"
        )
    open_console().print(table)
