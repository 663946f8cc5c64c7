"""Who did what by hand, or by maintenance: rollbacks, exceptions, announcements, removals."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from settings.errors import TapewatchError
from settings.model import Settings
from warehouse.delivery_box import ANNOUNCED, delivery_folder
from warehouse.layout import Layout
from warehouse.retention.log import read_log
from warehouse.rollback_record import list_rollbacks
from warehouse.run_folder import SealedRun

NOT_TOLD = "not recorded"


@dataclass(frozen=True)
class Access:
    """One thing that somebody did; `by` is the user of the machine it was done on."""

    at: datetime
    by: str
    what: str
    about: str
    why: str


def list_access(
    layout: Layout,
    settings: Settings,
    runs: Sequence[SealedRun],
    is_wanted: Callable[[datetime], bool],
) -> tuple[Access, ...]:
    """Return what was done in the time that is wanted, oldest first."""
    found = [
        *_exceptions(runs),
        *_rollbacks(layout, settings),
        *_announcements(layout, settings.environment),
        *_maintenance(layout),
        *_removals(layout, is_wanted),
    ]
    return tuple(sorted((one for one in found if is_wanted(one.at)), key=lambda one: one.at))


def _exceptions(runs: Sequence[SealedRun]) -> Iterator[Access]:
    for run in runs:
        accepted = cast("Mapping[str, str] | None", run.manifest.quality.get("accepted_anomaly"))
        if accepted:
            by, about = accepted.get("by", NOT_TOLD), run.name
            at = run.manifest.created_at
            yield Access(at, by, "exception accepted", about, accepted["reason"])


def _rollbacks(layout: Layout, settings: Settings) -> Iterator[Access]:
    for told in list_rollbacks(layout, settings.environment):
        with suppress(LookupError, TypeError, TapewatchError):  # a hand has damaged it
            run = cast("Mapping[str, Any]", told.payload()["run"])
            if run["portfolio"] == settings.portfolio.name:
                by, why = run["decision"].get("by", NOT_TOLD), run["decision"]["reason"]
                taken, now = ", ".join(run["supersedes"]), run["run_folder"]
                about = f"{taken}, served instead: {now}" if taken else f"{now} is served again"
                yield Access(told.at, by, "rolled back", about, why)


def _announcements(layout: Layout, environment: str) -> Iterator[Access]:
    path = delivery_folder(layout, environment) / ANNOUNCED
    if path.is_file():
        for line in path.read_bytes().splitlines():
            with suppress(ValueError, LookupError, TypeError):
                told = json.loads(line)
                at = _moment(told["at"])
                yield Access(at, told["by"], "announced", told["channel"], told["text"])


def _maintenance(layout: Layout) -> Iterator[Access]:
    for path in sorted(layout.maintenance.glob("*_*.json")):
        with suppress(OSError, ValueError, LookupError, TypeError):  # a hand has damaged it
            told = json.loads(path.read_bytes())
            counts = Counter(step["outcome"] for step in told["steps"])
            said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
            by = str(told.get("by", NOT_TOLD))
            yield Access(_moment(told["at"]), by, "maintenance", str(told["kind"]), said)


def _removals(layout: Layout, is_wanted: Callable[[datetime], bool]) -> Iterator[Access]:
    """Yield one line for all of a kind that one retention took away; runs one by one."""
    groups: dict[tuple[datetime, str, str, str], list[str]] = {}
    for told in read_log(layout.data):
        if is_wanted(told.at):
            own = told.name if told.kind == "run" else ""
            groups.setdefault((told.at, told.by, f"{told.kind} {told.action}", own), []).append(
                f"{told.name}: {told.why}"
            )
    for (at, by, what, own), found in groups.items():
        about = own or (f"{len(found)} of them, the first {found[0].partition(':')[0][:16]}")
        yield Access(at, by, what, about, found[0].partition(": ")[2])


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
