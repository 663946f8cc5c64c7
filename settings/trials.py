"""The one switch of the fault trials: where a run must kill itself, read from the environment."""

import os
from functools import cache


@cache
def crash_at() -> str | None:
    """Return the fail-point this process must die at, None in every run that is not a trial.

    Read once a process, so a trial cannot change its mind half way.
    """
    if os.environ.get("TAPEWATCH_TEST") != "1":
        return None
    return os.environ.get("TAPEWATCH_CRASH_AT") or None
