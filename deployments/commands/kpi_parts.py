"""What a KPI is made of: its loans, or the checks or KPIs it is worked out from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, fields
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue
from rich.console import Console

from deployments.bare_table import bare_table
from deployments.render import print_facts
from deployments.spreadsheet import write_csv
from settings.errors import UsageError
from warehouse.kinds import TapeFacts
from warehouse.loans import LoansBehind, LoanShare, has_loans, loans_behind

if TYPE_CHECKING:
    from deployments.commands.kpi import View


class NotOfLoansError(UsageError):
    """The KPI is not made of loans, so none can be written."""

    code = "NOT_OF_LOANS"


def loans_of(view: View, limit: int) -> LoansBehind | None:
    """Return the loans of a KPI, None for one that is made of other things."""
    is_own_basis = view.sql_folder == "kpi"
    tape = TapeFacts.from_json(view.run.manifest.ingestion)
    if not (is_own_basis and tape.kind.has_loans and has_loans(view.kpi.name)):
        return None
    with TemporaryDirectory(prefix="tapewatch-") as spill:
        return loans_behind(view.run, view.value, view.settings, Path(spill), limit)


def write_loans(path: Path, view: View, behind: LoansBehind | None) -> None:
    """Write the loans for a spreadsheet.

    Raises:
        NotOfLoansError: It is made of other things.
        StorageError: The disk refused.
    """
    if behind is None:
        raise NotOfLoansError(
            f"{view.kpi.title} of run {view.run.name} is not made of loans",
            fix="leave --csv out; par_90, collection_rate and rdr_90 of a ledger are made of loans",
        )
    columns = [field.name for field in fields(LoanShare)]
    write_csv(path, columns, [astuple(share) for share in behind.largest])


def parts_document(view: View, behind: LoansBehind | None) -> dict[str, JsonValue]:
    """Return the loans, or what it is made of instead, as JSON."""
    if behind is None:
        return {"loans": None, "parts": {**_parts(view)}}
    shares: list[JsonValue] = [
        {
            name: f"{told:f}" if isinstance(told, Decimal) else told
            for name, told in asdict(share).items()
        }
        for share in behind.largest
    ]
    return {"loan_count": behind.loans, "loans": shares}


def _parts(view: View) -> dict[str, str]:
    """Return what a KPI is made of that is not made of loans."""
    run = view.run.manifest
    if view.kpi.requires == ("quality_result",):
        checks = cast("Mapping[str, int]", run.quality["checks"])
        failed = cast("list[str]", run.quality["failed"])
        return {name: f"{checks[name]:,} rows" for name in failed}
    weighed = cast("list[Mapping[str, str | None]]", run.kpis["health"])
    return {
        str(part["kpi"]): f"value {part['value'] or 'unknown'}, weight {part['weight']}, "
        f"score {part['score'] or 'unknown'}"
        for part in weighed
    }


def print_parts(console: Console, view: View, behind: LoansBehind | None) -> None:
    """Show the loans, or what it is made of instead."""
    if behind is None:
        console.print(f"{view.kpi.title} is not made of loans of this tape", soft_wrap=True)
        print_facts(console, _parts(view) or {"nothing": "no check failed"})
        return
    table = bare_table()
    table.add_column("loan")
    table.add_column("client")
    has_denominator = behind.denominator is not None
    figures = ("numerator", "denominator") if has_denominator else ("numerator",)
    for name in ("row", "days past due", "live principal", *figures):
        table.add_column(name, justify="right")
    for share in behind.largest:
        table.add_row(
            share.loan,
            f"#{(share.customer or '')[:12]}",
            str(share.source_row),
            str(share.days_past_due),
            figure_text(share.live_principal),
            figure_text(share.numerator),
            *([figure_text(share.denominator)] if has_denominator else []),
        )
    console.print(table)
    shown = len(behind.largest)
    more = f" (the {shown:,} largest are shown; --limit shows more)" * (shown < behind.loans)
    console.print(
        f"{behind.loans:,} loans add up to {figure_text(behind.numerator)}, the numerator{more}",
        soft_wrap=True,
    )


def figure_text(number: Decimal | None) -> str:
    """Return a figure with its thousands apart, nothing where there is none."""
    return "" if number is None else f"{number:,.2f}"
