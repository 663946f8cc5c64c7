"""Each step of a maintenance as a task: one that fails hides no other."""

from collections.abc import Callable
from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from blocks.audit_store import load_audit_settings
from settings.errors import DataRejectedError
from settings.model import Settings
from tasks.maintenance_run import StepDone, audit_variables, maintain
from tasks.maintenance_steps import Kind, Step
from tasks.showing import artifact_key, showing


class StepFailedError(DataRejectedError):
    """A step of a maintenance failed."""

    code = "STEP_FAILED"

    def __init__(self, done: StepDone) -> None:
        super().__init__(f"{done.step.name}: {done.said}", fix=f"see {done.log}")
        self.done = done


@task(cache_policy=NO_CACHE, persist_result=False)
def _step(step: Callable[[], StepDone]) -> StepDone:
    log = get_run_logger()
    done = step()
    log.info("%s after %.1f s: %s", done.outcome, done.seconds, done.said)
    if done.outcome == "failed":
        raise StepFailedError(done)
    return done


def do_maintenance(kind: Kind, settings: Settings) -> tuple[StepDone, ...]:
    """Do every step of one kind, each as a task of its own, and show how each went.

    Raises:
        LockHeldError: Another maintenance was at work for longer than this one may wait.
        MaintenanceFailedError: A step failed; the others were done.
    """
    audit = load_audit_settings(settings)
    found = settings.model_copy(update={"audit": audit})
    shown: list[StepDone] = []

    def run(step: Step, work: Callable[[], StepDone]) -> StepDone:
        told = _step.with_options(
            name=step.name, task_run_name=step.name, description=step.told, tags=["tapewatch"]
        )
        shown.append(_done(step, told(work, return_state=True).result(raise_on_failure=False)))
        return shown[-1]

    try:
        return maintain(kind, found, datetime.now(UTC), run, audit_variables(audit))
    finally:
        _show(kind, settings, shown)


def _done(step: Step, result: object) -> StepDone:
    if isinstance(result, StepFailedError):
        return result.done
    if isinstance(result, StepDone):
        return result
    return StepDone(step, "failed", type(result).__name__)  # a disk that refused its log


def _show(kind: Kind, settings: Settings, done: list[StepDone]) -> None:
    rows = [
        {
            "step": one.step.name,
            "outcome": one.outcome,
            "seconds": f"{one.seconds:,.1f}",
            "said": one.said,
            "command": one.step.typed,
        }
        for one in done
    ]
    with showing("the steps"):
        key = artifact_key(f"maintenance-{kind}", settings.portfolio.name)
        create_table_artifact(table=rows, key=key, description=f"{kind} maintenance")
