"""The table of every command: columns with room between them, and no lines."""

from rich.table import Table


def bare_table(*headings: str, indent: int = 0, is_headed: bool = True) -> Table:
    """Return a table with these columns, to which a command adds its own and the rows."""
    table = Table(box=None, padding=(0, 2, 0, indent), pad_edge=False, show_header=is_headed)
    for heading in headings:
        table.add_column(heading)
    return table
