"""Write tables that people open in a spreadsheet: no text of a tape may act as a formula there."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from warehouse.durable import durable_write

Cell = str | int | Decimal | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def neutral(text: str) -> str:
    """Return text that a spreadsheet shows as it is: a leading formula sign gets a quote."""
    return f"'{text}" if text.lstrip(" \n").startswith(_FORMULA) else text


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a CSV for people, for its owner alone; numbers stay numbers, text is neutral.

    Raises:
        StorageError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(map(neutral, header))
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    durable_write(path, text.getvalue().encode())


def _cell(cell: Cell) -> str | int:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, str):
        return neutral(cell)
    return "" if cell is None else cell
