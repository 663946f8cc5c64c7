"""Run the phases without Prefect: one after another, again when that can heal, told on stderr."""

import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from time import perf_counter
from typing import TypeVar

from rich.console import Console

from settings.errors import TapewatchError
from settings.running import Phase, PhasesSettings
from warehouse.profile import Profile

T = TypeVar("T")
_JITTER = 0.5  # of the delay, so that machines that failed together do not come back together


class PlainPhases:
    """The runner of `tapewatch run`; `seconds` tells how long each phase took."""

    def __init__(
        self, policies: PhasesSettings, console: Console, profile: Profile | None = None
    ) -> None:
        self.seconds: dict[str, float] = {}
        self._policies = policies
        self._console = console
        self._profile = profile

    def __call__(self, name: Phase, step: Callable[[], T], /) -> T:
        """Run one phase, with the retries of its settings.

        Raises:
            TapewatchError: It failed, and trying again did not help or could not.
        """
        policy = self._policies.policy(name)
        for tried in range(policy.retries):
            try:
                return self._try(name, step)
            except TapewatchError as error:
                if not error.can_heal:
                    raise
                delay = retry_delay(policy.retry_delay_seconds, tried)
                self._tell(f"{error.line()} | try {tried + 2} of {policy.retries + 1}", delay)
                time.sleep(delay)
        return self._try(name, step)

    def _try(self, name: Phase, step: Callable[[], T]) -> T:
        measured = self._profile.of_phase(name) if self._profile else nullcontext()
        shown = self._console.status(f"{name} …") if self._console.is_terminal else nullcontext()
        started = perf_counter()
        with measured, shown:
            result = step()
        self.seconds[name] = perf_counter() - started
        mark = "[green]✓[/] " if self._console.is_terminal else ""
        self._console.print(f"{mark}{name:<15}{self.seconds[name]:7.2f} s", soft_wrap=True)
        return result

    def _tell(self, line: str, delay: float) -> None:
        text = f"{line} in {delay:.1f} s"
        self._console.print(text, style="yellow", markup=False, soft_wrap=True)


def retry_delay(first: float, tried: int) -> float:
    """Return the seconds before the next try: doubled with each, and up to half as much again."""
    return first * 2**tried * (1 + random.uniform(0, _JITTER))  # noqa: S311 - no secret
