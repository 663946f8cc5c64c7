"""The shadow flow: the runs of staging beside those of production, and whether a cutover can be."""

from prefect import State, flow
from prefect.states import Completed

from settings.load import load_settings
from settings.model import Environment
from tasks.progress import name_flow_run
from tasks.shadow import look_at_shadows


@flow(name="shadow", flow_run_name="shadow", persist_result=False, validate_parameters=True)
def shadow(
    reference: Environment = "production",
    candidate: Environment = "staging",
    portfolio: str | None = None,
) -> State[None]:
    """Compare every shadow run of the last hours; end as Ready or NotReady, neither is a failure.

    Args:
        reference: The environment that is in use.
        candidate: The environment that runs beside it.
        portfolio: Whose book this is; the settings' portfolio when absent.

    Raises:
        StorageError: A run cannot be read.
    """
    settings = load_settings(portfolio=portfolio)
    name_flow_run(f"{candidate} beside {reference}")
    day = look_at_shadows(settings, reference, candidate)
    told = "; ".join(day.reasons) or f"{len(day.comparisons)} runs agree"
    return Completed(name="Ready" if day.is_ready else "NotReady", message=told)
