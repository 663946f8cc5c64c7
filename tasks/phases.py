"""The four phases as Prefect tasks: retried when they can heal, ended when they take too long."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, TypeVar

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from settings.errors import TapewatchError
from settings.running import Phase, PhasesSettings
from tasks.progress import Progress, moving
from warehouse.attempts import PHASES
from warehouse.run import RunPhase

T = TypeVar("T")
_JITTER = 0.5
_TOLD: Mapping[Phase, str] = {
    "ingestion": "Fetches the tape, keeps its bytes, and reads it into typed tables.",
    "transformation": "Sets bad rows apart, runs the quality checks, and makes the book.",
    "calculation": "Computes every KPI of the catalogue and what moved it.",
    "output": "Seals the run by one rename and serves it.",
}
_GRACE_SECONDS = (
    5  # the engine stops itself at the limit; Prefect's own is for what hangs elsewhere
)


def can_heal(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether trying again may help: never after a wrong tape, setting or credential."""
    try:
        state.result(raise_on_failure=True)
    except TapewatchError as error:
        return error.can_heal
    except (OSError, TimeoutError):
        return True
    except Exception:  # noqa: BLE001 - whatever else it was, it is ours and stays as it is
        return False
    return False


@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=can_heal)
def _phase(name: Phase, step: Callable[[], T]) -> T:
    log = get_run_logger()
    started = perf_counter()
    log.info("%s started", name, extra={"phase": name})
    result = step()
    seconds = perf_counter() - started
    log.info("%s completed in %.1f s", name, seconds, extra={"phase": name, "seconds": seconds})
    return result


def prefect_phases(policies: PhasesSettings, progress: Progress | None = None) -> RunPhase:
    """Return the runner that gives every phase its own task, with the policy of its settings.

    `progress` is moved on by each phase, and inside it by each SQL file.
    """

    def run_phase(name: Phase, step: Callable[[], T]) -> T:
        if progress is not None:
            progress.show(100 * PHASES.index(name) / len(PHASES))
            step = moving(progress, name, step)
        policy = policies.policy(name)
        return _phase.with_options(
            name=name,
            task_run_name=name,
            description=_TOLD[name],
            tags=["tapewatch"],
            retries=policy.retries,
            retry_delay_seconds=exponential_backoff(policy.retry_delay_seconds),
            retry_jitter_factor=_JITTER,
            timeout_seconds=policy.timeout_seconds + _GRACE_SECONDS,
        )(name, step)

    return run_phase
