"""Find the contract's columns in a header, in English or Spanish, each at most once."""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from settings.errors import DataRejectedError
from warehouse.tape import TapeTable

# What senders call a column; case, accents, spaces and a final _usd make no difference.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "loan_id": (
        "loan_id_raw",
        "id_prestamo",
        "prestamo_id",
        "numero_prestamo",
        "operacion",
        "numero_operacion",
        "codigo_desembolso",
    ),
    "customer_id": ("client_id", "borrower_id", "obligor_id", "id_cliente", "codigo_cliente"),
    "outstanding_principal": (
        "outstanding_balance",
        "current_balance",
        "balance",
        "principal_outstanding",
        "saldo_capital",
        "saldo_pendiente",
        "saldo_insoluto",
        "capital_vigente",
    ),
    "dpd": (
        "days_past_due",
        "days_in_default",
        "dias_mora",
        "dias_de_mora",
        "dias_atraso",
        "mora",
    ),
    "disbursed_principal": (
        "disburse_principal",
        "disbursement_amount",
        "original_balance",
        "original_amount",
        "principal_amount",
        "monto_desembolsado",
    ),
    "disburse_date": (
        "disbursement_date",
        "origination_date",
        "fecha_desembolso",
        "fecha_otorgamiento",
    ),
    "maturity_date": ("fecha_vencimiento", "vencimiento"),
    "due_date": ("date_due", "fecha_pago_programado"),
    "paid_date": ("date_paid", "true_payment_date", "fecha_pago"),
    "principal": ("true_principal_payment", "actual_principal", "abono_capital"),
    "interest": ("true_interest_payment", "interes", "intereses"),
    "fees": ("comision", "comisiones"),
    "other": ("otros",),
    "tax": ("to_tax", "iva", "impuesto", "impuestos"),
    "reporting_date": ("measurement_date", "as_of_date", "fecha_corte"),
    "apr": ("interest_rate", "interest_rate_apr", "tasa", "tasa_interes", "tasa_anual"),
    "term_days": ("term", "plazo", "plazo_dias"),
    "status": ("loan_status", "estado"),
    "state_province": ("location_state_province", "departamento"),
    "currency": ("loan_ccy", "moneda"),
}
# Words that mean one thing only where nothing says it better.
_AMBIGUOUS = {
    "saldo": "outstanding_principal",
    "monto": "disbursed_principal",
    "capital": "disbursed_principal",
    "fecha": "reporting_date",
}
_IN_TABLE = {("schedules", "payment_date"): "due_date"}
_MEANING = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}
_NO_WORD = re.compile(r"[^a-z0-9]+")
_SHOWN = 40


class SchemaMissingError(DataRejectedError):
    """A column of the contract is not in the header; `missing` names all of them."""

    code = "SCHEMA_MISSING"

    def __init__(self, message: str, *, fix: str, missing: Sequence[str]) -> None:
        super().__init__(message, fix=fix, evidence={"missing": [*missing]})
        self.missing = tuple(missing)


class SchemaDuplicateError(DataRejectedError):
    """Two columns of the header are the same column of the contract."""

    code = "SCHEMA_DUPLICATE"


@dataclass(frozen=True)
class Columns:
    """Where each column of the contract is in a header, counted from 0, and what nobody reads."""

    found: Mapping[str, int]
    unread: tuple[str, ...]


def match_columns(names: Sequence[str], table: TapeTable) -> Columns:
    """Find the columns of `table` among the names of a header.

    The contract's own spelling is taken first, then an alias, then a word that may mean several
    things.

    Raises:
        SchemaDuplicateError: Two columns mean the same one.
        SchemaMissingError: Required columns are missing; the nearest names are offered.
    """
    found: dict[str, int] = {}
    own = {column: column for column in table.columns}
    rest = _claim(names, range(len(names)), own, found, table, folded=False)
    rest = _claim(names, rest, _aliases(table), found, table, folded=True)
    weak = {w: c for w, m in _AMBIGUOUS.items() for c in table.columns if meaning(c) == m}
    open_words = {word: column for word, column in weak.items() if column not in found}
    rest = _claim(names, rest, open_words, found, table, folded=True)
    _refuse_missing(names, rest, found, table)
    return Columns(found, tuple(shown(names[position]) for position in rest))


def _claim(
    names: Sequence[str],
    positions: Sequence[int],
    meanings: Mapping[str, str],
    found: dict[str, int],
    table: TapeTable,
    *,
    folded: bool,
) -> list[int]:
    """Enter what `meanings` tell of these positions into `found`; return those left over."""
    rest: list[int] = []
    for position in positions:
        column = _meaning(names[position], meanings) if folded else meanings.get(names[position])
        if column is None:
            rest.append(position)
        elif column in found:
            raise _twice(names[found[column]], names[position], column, table)
        else:
            found[column] = position
    return rest


def _meaning(name: str, meanings: Mapping[str, str]) -> str | None:
    folded = fold(name)
    return meanings.get(folded) or meanings.get(folded.removesuffix("_usd"))


def meaning(column: str) -> str:
    """Return what a contract column is called in the canonical tables."""
    return _MEANING.get(column, column)


def spellings(column: str, table: TapeTable) -> tuple[str, ...]:
    """Return the other names that a column of this table may have in a header."""
    aliases = [alias for alias, known in _aliases(table).items() if known == column]
    weak = [word for word, meant in _AMBIGUOUS.items() if meant == meaning(column)]
    return tuple(sorted({*aliases, *weak} - {column}))


def _aliases(table: TapeTable) -> dict[str, str]:
    """Return what every other spelling means in this table."""
    by_meaning: dict[str, str] = {}
    for column in table.columns:
        by_meaning.setdefault(meaning(column), column)
    known = {alias: by_meaning[m] for alias, m in _MEANING.items() if m in by_meaning}
    known |= {w: by_meaning[m] for (t, w), m in _IN_TABLE.items() if t == table.source}
    own = {fold(column): column for column in table.columns}
    return {name.removesuffix("_usd"): column for name, column in own.items()} | known | own


def _twice(first: str, second: str, column: str, table: TapeTable) -> SchemaDuplicateError:
    if first == second:
        told = f"has column {shown(first)} twice"
    else:
        told = f"has two columns for {column}: {shown(first)} and {shown(second)}"
    return SchemaDuplicateError(
        f"{table.file_name} {told}", fix="export the table again with each column once"
    )


def _refuse_missing(
    names: Sequence[str], rest: Sequence[int], found: Mapping[str, int], table: TapeTable
) -> None:
    missing = [column for column in table.required if column not in found]
    if not missing:
        return
    if len(names) == 1 and ";" in names[0]:
        raise SchemaMissingError(
            f"{table.file_name} is separated by semicolons",
            fix="export it with commas between the columns",
            missing=missing[:1],
        )
    spare = [names[position] for position in rest]
    told = [_with_nearest(column, spare) for column in missing]
    raise SchemaMissingError(
        f"{table.file_name} has no column {', '.join(told)}",
        fix="export the table with its full header; `tapewatch schema` lists every column and "
        "the names it may have",
        missing=missing,
    )


def _with_nearest(column: str, spare: Sequence[str]) -> str:
    folded = {fold(name): name for name in spare}
    near = difflib.get_close_matches(fold(column), folded, n=1, cutoff=0.6)
    return f"{column} (did you mean {shown(folded[near[0]])}?)" if near else column


def fold(name: str) -> str:
    """Return a name without case, accents, spaces and signs: `Días de Mora` is dias_de_mora."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NO_WORD.sub("_", plain).strip("_")


def shown(text: str) -> str:
    """Return a name from a file as it may be shown: one line of at most 40 plain characters."""
    return "".join(c if c.isprintable() else "?" for c in text)[:_SHOWN]
