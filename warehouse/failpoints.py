"""Named places where a fault trial may kill the process; nothing at all in a real run."""

import os
import signal
from collections import Counter

from settings.errors import ConfigError, InternalError
from settings.trials import crash_at

# In the order a run first meets them; the write_* by every durable_write.
FAIL_POINTS: tuple[str, ...] = (
    "write_created",
    "write_synced",
    "write_replaced",
    "lock_taken",
    "recover_marked",
    "recover_wiped",
    "attempt_opened",
    "phase_started",
    "probe_made",
    "copy_done",
    "raw_synced",
    "raw_kept",
    "phase_done",
    "seal_synced",
    "seal_manifest",
    "seal_renamed",
    "seal_committed",
    "current_published",
    "staging_cleared",
    "attempt_finished",
)
DELIVERY_POINTS: tuple[str, ...] = ("item_sent",)  # only where there is a receiver
RETENTION_POINTS: tuple[str, ...] = (
    "raw_archived",
    "trash_renamed",
    "removal_recorded",
    "trash_unlinked",
)
_KNOWN = (*FAIL_POINTS, *DELIVERY_POINTS, *RETENTION_POINTS)

_met: Counter[str] = Counter()


class UnknownFailPointError(ConfigError):
    """TAPEWATCH_CRASH_AT names a fail-point that does not exist."""

    code = "UNKNOWN_FAIL_POINT"


def fail_point(name: str) -> None:
    """Die here by SIGKILL when TAPEWATCH_CRASH_AT says `name` or `name:k` (the k-th time).

    Raises:
        InternalError: `name` is none of them.
        UnknownFailPointError: The trial asks for a fail-point that does not exist.
    """
    if name not in _KNOWN:
        raise InternalError(f"no fail-point is called {name!r}", fix="add it to FAIL_POINTS")
    wanted = crash_at()
    if wanted is None:
        return
    wanted_name, wanted_count = _parse(wanted)
    _met[name] += 1
    if name == wanted_name and _met[name] == wanted_count:
        os.kill(os.getpid(), signal.SIGKILL)  # no handler, no flush, no finally: like a power cut


def _parse(wanted: str) -> tuple[str, int]:
    name, _, count = wanted.partition(":")
    if name not in _KNOWN or not (count or "1").isdecimal() or int(count or "1") < 1:
        raise UnknownFailPointError(
            f"TAPEWATCH_CRASH_AT={wanted!r} is not a fail-point",
            fix="use a name or name:k of " + ", ".join(_KNOWN),
        )
    return name, int(count or "1")
