"""The KPI catalogue: what each KPI is called, whose it is, and when it is a problem."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self, cast, get_args

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from settings.errors import ConfigError, UsageError
from settings.thresholds import Direction, KpiThresholds, Number, Status, exact_number

CATALOGUE = Path(__file__).with_name("kpis.toml")

Unit = Literal["ratio", "usd", "count", "score_0_10", "score_0_100"]
Severity = Literal["warning", "critical", "escalation"]
Level = Literal["P1", "P2", "P3", "P4"]
LEVELS: tuple[Level, ...] = get_args(Level)  # the gravest first
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Required = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)?$")]
Text = Annotated[str, StringConstraints(pattern=r"^[^\r\n]+$")]  # one line, never empty

_DECIMALS: Mapping[Unit, int] = {
    "ratio": 2,
    "usd": 2,
    "count": 0,
    "score_0_10": 1,
    "score_0_100": 1,
}
_SIGN: Mapping[Unit, str] = {"ratio": " %", "usd": " USD"}
_SEEN = Decimal("0.005")  # percentage points: less would read as nothing
_OUT_OF: Mapping[Unit, str] = {"score_0_10": " / 10", "score_0_100": " / 100"}


class KpiCatalogueError(ConfigError):
    """An entry of the catalogue is incomplete or contradicts itself."""

    code = "KPI_CATALOGUE"


class UnknownKpiError(UsageError):
    """No KPI of the catalogue has the name that was asked for."""

    code = "UNKNOWN_KPI"


@dataclass(frozen=True, config=ConfigDict(extra="forbid", hide_input_in_errors=True))
class Kpi:
    """One entry of the catalogue."""

    name: Name
    title: Text
    unit: Unit
    direction: Direction | Literal["none"]  # which one is better
    owner: Name
    audience: tuple[Name, ...]  # routes by name, the daily summary among them
    requires: tuple[Required, ...]  # the tables its SQL reads, and columns not every tape tells
    description: Text
    formula: Text
    source: Text
    thresholds: KpiThresholds | None = None
    alert: Mapping[Severity, Level] | None = None
    other_bases: Mapping[Name, tuple[Required, ...]] = field(
        default_factory=dict[Name, tuple[Required, ...]]
    )
    has_parts: bool = False  # its move is told by what happened to each loan
    is_headline: bool = False  # one of those that everybody reads first
    beside: Name | None = None  # the KPI that is told beside it

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.thresholds is not None:
            if self.direction == "none":
                raise ValueError("thresholds need a direction, lower or higher")
            if problem := self.thresholds.misplaced(self.direction):
                raise ValueError(f"thresholds: {problem}")
        if set(self.alert or ()) != self._severities():
            raise ValueError("alert must give a level for each threshold but the target")
        if self.has_parts and not self._is_of_book_alone():
            raise ValueError("has_parts is for a KPI that requires the book alone, on one basis")
        return self

    def status(self, value: Number | None) -> Status:
        """Return how `value` stands: strictly beyond a threshold, or `unknown` without a value."""
        if self.thresholds is None or self.direction == "none":
            return "unknown" if exact_number(value) is None else "ok"
        return self.thresholds.status(value, self.direction)

    def threshold_line(self) -> str:
        """Return the thresholds for people: "warning > 3.00 %, critical > 5.00 %", or ""."""
        if self.thresholds is None:
            return ""
        sign = ">" if self.direction == "lower" else "<"
        lines = {"warning": self.thresholds.warning, "critical": self.thresholds.critical}
        return ", ".join(f"{name} {sign} {self._figure(line)}" for name, line in lines.items())

    def format(self, value: Number | None) -> str:
        """Return `value` for people: "1.91 %", "2,386,301.85 USD", "5.3 / 10", "unknown"."""
        exact = exact_number(value)
        return "unknown" if exact is None else self._figure(exact) + _OUT_OF.get(self.unit, "")

    @property
    def step(self) -> Decimal:
        """The smallest move that people see: a hundredth of a percent, a cent, one loan."""
        percent = 2 if self.unit == "ratio" else 0
        return Decimal(1).scaleb(-_DECIMALS[self.unit] - percent)

    def _figure(self, value: Decimal) -> str:
        shown = value.scaleb(2) if self.unit == "ratio" else value
        with localcontext(rounding=ROUND_HALF_UP):  # as DuckDB rounds
            return f"{shown:z,.{_DECIMALS[self.unit]}f}{_SIGN.get(self.unit, '')}"

    def _is_of_book_alone(self) -> bool:
        tables = {name.partition(".")[0] for name in self.requires}
        return tables == {"book"} and not self.other_bases

    def _severities(self) -> set[str]:
        if self.thresholds is None:
            return set()
        return set(self.thresholds.model_dump(exclude_none=True)) - {"target"}


def move_text(unit: str, move: Decimal, *, is_exact: bool = False) -> str:
    """Return a move in the words of its unit: "+0.12 pp", "-1,200.00 USD", "unchanged".

    An exact one has the last digit that is published, so that a reader can add moves up.
    """
    if move == 0:
        return "unchanged"
    match unit:
        case "ratio":
            percent = move.scaleb(2)
            is_seen = not is_exact and abs(percent) >= _SEEN
            return f"{percent:+.2f} pp" if is_seen else f"{percent:+.4f} pp"
        case "usd":
            return f"{move:+,.2f} USD"
        case "count":
            return f"{move:+,.0f}"
        case _:
            return f"{move:+.2f}" if is_exact else f"{move:+.1f}"


@cache
def load_catalogue(path: Path = CATALOGUE) -> tuple[Kpi, ...]:
    """Return every KPI, in the order of the file, which a process reads once.

    Raises:
        KpiCatalogueError: The file cannot be read, or an entry is incomplete or contradictory.
    """
    try:
        with path.open("rb") as file:
            entries = tomllib.load(file, parse_float=Decimal)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise KpiCatalogueError(
            f"{path} cannot be read ({type(error).__name__})", fix="install Tapewatch again"
        ) from None
    kpis = tuple(_kpi(path.name, name, entry) for name, entry in entries.items())
    for kpi in kpis:
        if kpi.beside is not None and kpi.beside not in entries:
            raise _wrong(path.name, kpi.name, [f"beside: no KPI is called {kpi.beside}"])
    return kpis


@cache
def kpis_by_name() -> Mapping[str, Kpi]:
    """Return today's KPIs by name; a run may hold others that were retired since."""
    return MappingProxyType({kpi.name: kpi for kpi in load_catalogue()})


def find_kpi(name: str) -> Kpi:
    """Return the KPI of this name.

    Raises:
        UnknownKpiError: No KPI has it.
    """
    kpis = kpis_by_name()
    if name in kpis:
        return kpis[name]
    near = difflib.get_close_matches(name.lower(), kpis, n=1)
    meant = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(kpis)}"
    raise UnknownKpiError(f"no KPI is called {name!r}", fix=meant)


def _kpi(file: str, name: str, entry: object) -> Kpi:
    if not isinstance(entry, dict):
        raise _wrong(file, name, ["must be a table"])
    try:
        return _ENTRY.validate_python({"name": name, **cast("dict[str, object]", entry)})
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))} {problem['msg']}".strip()
            for problem in error.errors(include_input=False, include_url=False)
        ]
    raise _wrong(file, name, problems)


def _wrong(file: str, name: str, problems: list[str]) -> KpiCatalogueError:
    said = "; ".join(problem.removeprefix("Value error, ") for problem in problems)
    return KpiCatalogueError(f"{file}, [{name}]: {said}", fix=f"correct [{name}] in {file}")


_ENTRY = TypeAdapter(Kpi)
