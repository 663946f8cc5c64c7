"""What was other from one run to the next: settings, SQL, contract, masking key, code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import cast

from warehouse.run_folder import SealedRun


@dataclass(frozen=True)
class Change:
    """One thing that a run was made with, and the run sealed before it was not."""

    at: datetime
    run: str
    what: str
    before: str
    after: str


def list_changes(
    runs: Sequence[SealedRun], is_wanted: Callable[[datetime], bool]
) -> tuple[Change, ...]:
    """Return the changes of one book, by the time at which its runs were sealed."""
    by_time = sorted(runs, key=lambda run: run.manifest.created_at)
    return tuple(
        change
        for before, after in pairwise(by_time)
        if is_wanted(after.manifest.created_at)
        for change in _between(before, after)
    )


def _between(before: SealedRun, after: SealedRun) -> Iterator[Change]:
    was, now = _made_with(before), _made_with(after)
    for what in sorted(was.keys() | now.keys()):
        old, new = was.get(what, "absent"), now.get(what, "absent")
        if old != new:
            yield Change(after.manifest.created_at, after.name, what, old, new)


def _made_with(run: SealedRun) -> dict[str, str]:
    identity = run.manifest.identity
    return {
        "code": run.manifest.code,
        "contract": identity.contract_version,
        "masking key": identity.pii_key_id,
        "SQL": identity.sql_sha256[:16],
        **{name: str(value) for name, value in _flat(identity.settings, "")},
    }


def _flat(settings: Mapping[str, object], above: str) -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, object]", value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value
