"""Hold a shadow run to the run it ran beside: figures, rows, errors and times, with tolerances."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast

from settings.model import Settings
from settings.running import ShadowSettings
from warehouse.attempt_folder import SUMMARY, logged_errors
from warehouse.attempt_state import AttemptRecord, read_attempt
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.sealed_kpis import read_kpis
from warehouse.shadow_rows import rows_apart

Part = Literal["tape", "KPI", "rows", "check", "errors", "seconds"]
ShadowVerdict = Literal["same", "differs", "not comparable"]


@dataclass(frozen=True)
class RunSeen:
    """A sealed run and the attempt that made it, where its record is still there."""

    environment: str
    run: SealedRun
    attempt: AttemptRecord | None
    errors: Mapping[str, int]  # how many, by the log
    retries: int

    @property
    def name(self) -> str:
        """Environment and folder, as a person names it."""
        return f"{self.environment}/{self.run.name}"


@dataclass(frozen=True)
class Line:
    """One thing side by side; `is_within` tells whether the tolerance holds."""

    part: Part
    what: str
    reference: str
    shadow: str
    is_within: bool


@dataclass(frozen=True)
class Comparison:
    """Every line of two runs; what is not comparable was not asked the same question."""

    reference: RunSeen
    shadow: RunSeen
    lines: tuple[Line, ...]

    @property
    def beyond(self) -> tuple[Line, ...]:
        """The lines beyond their tolerance."""
        return tuple(line for line in self.lines if not line.is_within)

    @property
    def verdict(self) -> ShadowVerdict:
        """Same, differs, or not comparable."""
        if any(line.part == "tape" for line in self.beyond):
            return "not comparable"
        return "differs" if self.beyond else "same"


def look_at(layout: Layout, environment: str, run: SealedRun) -> RunSeen:
    """Return a run with what its attempt's folder tells of errors and retries.

    Raises:
        StorageError: The attempts or the log cannot be read.
    """
    record = layout.attempts / f"{run.manifest.ingestion['attempt_id']}.json"
    attempt = read_attempt(record) if record.is_file() else None
    if attempt is None:
        return RunSeen(environment, run, None, {}, 0)
    folder = layout.log_runs / attempt.log_folder
    tries = 0
    with suppress(OSError, ValueError, LookupError, TypeError):  # the log retention was quicker
        phases = json.loads((folder / SUMMARY).read_bytes())["phases"]
        tries = sum(phase["tries"] - 1 for phase in phases.values())
    return RunSeen(environment, run, attempt, logged_errors(folder), tries)


def compare_shadow(reference: RunSeen, shadow: RunSeen, settings: Settings) -> Comparison:
    """Return both runs side by side.

    Raises:
        StorageError: A table cannot be read.
    """
    allowed = settings.shadow
    lines = (
        *_tape(reference.run, shadow.run),
        *_kpis(reference.run, shadow.run, allowed.kpi_tolerance_ratio),
        *_counts(reference.run, shadow.run, allowed.row_tolerance_ratio),
        *_errors(reference, shadow),
        *_seconds(reference.attempt, shadow.attempt, allowed),
    )
    comparison = Comparison(reference, shadow, lines)
    if comparison.verdict == "not comparable":
        return comparison
    apart = _apart(reference.run, shadow.run, settings)
    return Comparison(reference, shadow, (*lines, *apart))


def _tape(reference: SealedRun, shadow: SealedRun) -> Iterator[Line]:
    asked, again = reference.manifest.identity, shadow.manifest.identity
    for what, one, other in (
        ("portfolio", asked.portfolio, again.portfolio),
        ("as of", str(asked.as_of), str(again.as_of)),
        ("input sha256", _short(asked.input_sha256s), _short(again.input_sha256s)),
    ):
        yield Line("tape", what, one, other, one == other)


def _short(hashes: tuple[str, ...]) -> str:
    return ", ".join(sha256[:12] for sha256 in sorted(hashes))


def _kpis(reference: SealedRun, shadow: SealedRun, tolerance: Decimal) -> Iterator[Line]:
    known = {kpi.name: kpi for kpi in read_kpis(reference)}
    again = {kpi.name: kpi for kpi in read_kpis(shadow)}
    for name in {**known, **again}:
        one, other = known.get(name), again.get(name)
        if one is None or other is None:
            told = ("none" if one is None else _text(one.value), _text(other and other.value))
            yield Line("KPI", name, *told, is_within=False)
            continue
        is_within = one.status == other.status and _is_near(one.value, other.value, tolerance)
        told = (f"{_text(kpi.value)} {kpi.status}" for kpi in (one, other))
        yield Line("KPI", name, *told, is_within=is_within)


def _counts(reference: SealedRun, shadow: SealedRun, tolerance: Decimal) -> Iterator[Line]:
    parts: tuple[tuple[Part, Mapping[str, int], Mapping[str, int]], ...] = (
        ("rows", _tables(reference), _tables(shadow)),
        ("check", _checks(reference), _checks(shadow)),
    )
    for part, one, other in parts:
        for name in sorted({**one, **other}):
            here, there = one.get(name), other.get(name)
            is_within = None not in (here, there) and _is_near(
                Decimal(here or 0), Decimal(there or 0), tolerance
            )
            yield Line(part, name, _text(here), _text(there), is_within)


def _apart(reference: SealedRun, shadow: SealedRun, settings: Settings) -> Iterator[Line]:
    """Tell the rows that are not the same, where the tables have any."""
    tolerance, counts = settings.shadow.row_tolerance_ratio, _tables(reference)
    for name, apart in rows_apart(reference, shadow, settings.engine).items():
        if apart:
            is_within = apart <= counts[name] * tolerance
            yield Line("rows", f"{name}: other content", "0", f"{apart:,}", is_within)


def _tables(run: SealedRun) -> Mapping[str, int]:
    files = run.manifest.files.items()
    return {name: facts.rows for name, facts in files if facts.rows is not None}


def _checks(run: SealedRun) -> Mapping[str, int]:
    return cast("Mapping[str, int]", run.manifest.quality["checks"])


def _errors(reference: RunSeen, shadow: RunSeen) -> Iterator[Line]:
    logs = sorted({**reference.errors, **shadow.errors})
    for log in logs or ["logged"]:
        one, other = reference.errors.get(log, 0), shadow.errors.get(log, 0)
        yield Line("errors", log, str(one), str(other), other <= one)
    one, other = reference.retries, shadow.retries
    yield Line("errors", "phases tried again", str(one), str(other), other <= one)


def _seconds(
    reference: AttemptRecord | None, shadow: AttemptRecord | None, settings: ShadowSettings
) -> Iterator[Line]:
    if reference is None or shadow is None:
        return  # the record is gone: a time that nobody knows proves nothing
    for name, here in reference.phase_seconds.items():
        there = shadow.phase_seconds.get(name)
        if there is None:
            continue
        longer = there - here
        is_slower = there > here * float(settings.slower_factor)
        is_within = not (is_slower and longer > settings.slower_seconds)
        yield Line("seconds", name, f"{here:.1f} s", f"{there:.1f} s", is_within)


def _is_near(one: Decimal | None, other: Decimal | None, tolerance: Decimal) -> bool:
    if one is None or other is None:
        return one is other
    return abs(other - one) <= abs(one) * tolerance


def _text(value: Decimal | int | None) -> str:
    return "unknown" if value is None else f"{value:,}"
