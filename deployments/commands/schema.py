"""`tapewatch schema`: the contract of a loan tape, for people and as JSON Schema."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console, short_path
from warehouse.columns import spellings
from warehouse.durable import durable_write
from warehouse.json_text import pretty_json
from warehouse.kinds import KINDS, TapeKind
from warehouse.schema import cell_of, json_schema
from warehouse.tape import TapeTable


def show_schema(out: Path | None, *, is_json: bool) -> None:
    """Print the contract, or write its JSON Schema to `out`.

    Raises:
        StorageError: The file cannot be written.
    """
    if out is not None:
        durable_write(out, pretty_json(json_schema()))
        open_console().print(f"wrote {short_path(out.absolute())}", markup=False, soft_wrap=True)
    elif is_json:
        print_json(json_schema())
    else:
        console = open_console()
        for kind in KINDS.values():
            _print_kind(console, kind)


def _print_kind(console: Console, kind: TapeKind) -> None:
    title = f"{kind.name}: {kind.title}, basis {kind.basis}"
    console.print(Text(title, "bold"), soft_wrap=True)
    for table in kind.tables:
        console.print(f"{table.file_name}", markup=False)
        console.print(_columns(table))
    console.print()


def _columns(table: TapeTable) -> Table:
    shown = bare_table(indent=2)
    for name in ("column", "", "holds", "may also be called"):
        shown.add_column(name)
    for column in table.columns:
        needed = "required" if column in table.required else ""
        also = ", ".join(name for name in spellings(column, table) if name != column.lower())
        shown.add_row(f"  {column}", needed, cell_of(column), also)
    return shown
