"""The contract of a loan tape as JSON Schema, for those who write one."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from warehouse.columns import meaning, spellings
from warehouse.json_text import JsonObject
from warehouse.kinds import KINDS, TapeKind
from warehouse.tape import CONTRACT_VERSION, TapeTable

# The patterns of sql/canonical/macros.sql: what a cell must look like before it is cast.
_MONEY = r"^-?[0-9]{1,12}(\.[0-9]{1,20})?([eE]-[0-9]{1,2})?$"
_CELLS: Mapping[str, tuple[str, str]] = {
    "day": (r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$", "a day, written 2025-12-31"),
    "money": (_MONEY, "an amount with a decimal point, rounded to cents"),
    "ratio": (_MONEY, "a ratio: 0.12 is 12 %"),
    "whole": (r"^-?[0-9]{1,9}$", "a whole number"),
    "flag": (r"^(true|false)$", "true or false"),
    "text": (r"^[^\u0000]{0,128}$", "text of at most 128 bytes"),
}
_KIND_OF_CELL: Mapping[str, tuple[str, ...]] = {
    "day": (
        "disburse_date",
        "maturity_date",
        "reporting_date",
        "due_date",
        "paid_date",
        "dpd_date",
        "application_date",
        "pledge_date",
    ),
    "ratio": ("apr", "ratio_paid", "xchg_rate_to_usd", "debt_to_equity"),
    "whole": ("dpd", "term_days", "loan_counts", "credit_bureau_score"),
    "flag": ("is_writeoff",),
    "text": (
        "loan_id",
        "customer_id",
        "currency",
        "status",
        "originator",
        "company",
        "product_type",
        "state_province",
        "frequency",
        "loan_grade",
        "lender",
        "facility",
        "amount_buckets",
        "term_buckets",
        "transaction_type",
        "writeoff_type",
    ),
}
_CELL_OF = {name: cell for cell, names in _KIND_OF_CELL.items() for name in names}


def cell_of(column: str) -> str:
    """Return what a cell of this contract column holds: day, money, ratio, whole, flag or text."""
    return _CELL_OF.get(meaning(column), "money")


def json_schema() -> JsonObject:
    """Return the contract as JSON Schema: a tape is an object of tables, a table a list of rows.

    Cells are text, as in a CSV; a column may also have one of the names in `x-also-called`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Loan tape",
        "description": "One of the kinds of input that Tapewatch takes",
        "x-contract-version": CONTRACT_VERSION,
        "oneOf": [_kind_schema(kind) for kind in KINDS.values()],
    }


def _kind_schema(kind: TapeKind) -> dict[str, JsonValue]:
    return {
        "title": kind.name,
        "description": f"{kind.title}; basis {kind.basis}",
        "type": "object",
        "required": [table.source for table in kind.tables],
        "additionalProperties": False,
        "properties": {table.source: _table_schema(table) for table in kind.tables},
    }


def _table_schema(table: TapeTable) -> dict[str, JsonValue]:
    return {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": list(table.required),
            "properties": {name: _cell_schema(name, table) for name in table.columns},
        },
    }


def _cell_schema(column: str, table: TapeTable) -> dict[str, JsonValue]:
    pattern, told = _CELLS[cell_of(column)]
    kinds: Sequence[JsonValue] = ["string"] if column in table.required else ["string", "null"]
    return {
        "type": list(kinds),
        "pattern": pattern,
        "description": told,
        "x-also-called": list(spellings(column, table)),
    }
