"""What moved each KPI, as messages tell it: the parts, and the loans that did most, ids masked."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from warehouse.change_parts import Part
from warehouse.json_text import JsonObject
from warehouse.messages import text_of

CHANGES_FILE = "changes.json"
_LOANS = 3


@dataclass(frozen=True)
class _Change:
    kpi: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Changes:
    before: str | None
    kpis: tuple[_Change, ...]


_CHANGES = TypeAdapter(_Changes)


def change_facts(folder: Path) -> Mapping[str, JsonObject]:
    """Return `since`, `parts` and `loans` by KPI, as a run folder that is being built tells them.

    A KPI that is not told in parts is left out.
    """
    with suppress(OSError, ValidationError):  # nothing earlier, or a run of another version
        told = _CHANGES.validate_json((folder / CHANGES_FILE).read_bytes())
        since = told.before and told.before[: len("2025-12-26")]
        return {
            change.kpi: {"since": since, **_parts_facts(change.parts)}
            for change in told.kpis
            if change.parts
        }
    return {}


def _parts_facts(parts: tuple[Part, ...]) -> dict[str, JsonValue]:
    loans = [loan for part in parts for loan in part.largest]
    largest = sorted(loans, key=lambda loan: -abs(loan.amount))[:_LOANS]
    return {
        "parts": [
            {
                "name": part.name,
                "title": part.title,
                "amount": text_of(part.amount),
                "loans": part.loans,
                "book": _book(part),
            }
            for part in parts
        ],
        "loans": [
            {
                "loan": loan.loan,
                "principal": text_of(loan.principal_now),
                "principal_before": text_of(loan.principal_before),
                "days_past_due": loan.days_past_due_now,
                "days_past_due_before": loan.days_past_due_before,
                "amount": text_of(loan.amount),
            }
            for loan in largest
        ],
    }


def _book(part: Part) -> str | None:
    """Return `smaller` or `larger` where a part moved a ratio by the size of the book alone."""
    if part.by_denominator is None or abs(part.by_denominator) <= abs(part.by_numerator):
        return None
    return "smaller" if part.by_denominator > 0 else "larger"
