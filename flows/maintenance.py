"""The maintenance flows: weekly, monthly, quarterly and annual, each a list of steps."""

from prefect import flow

from blocks.clients.traces import start_traces
from settings.load import load_settings
from tasks.maintenance import do_maintenance
from tasks.maintenance_run import StepDone

start_traces()  # as in flows/daily.py


@flow(name="weekly", flow_run_name="weekly maintenance", persist_result=False)
def weekly() -> tuple[StepDone, ...]:
    """Let old things go, verify every run and the audit store, and look at the installation.

    Raises:
        TapewatchError: A step failed; the message names all that did.
    """
    return do_maintenance("weekly", load_settings())


@flow(name="monthly", flow_run_name="monthly maintenance", persist_result=False)
def monthly() -> tuple[StepDone, ...]:
    """Draw the compliance report, export the audit store, restore that, and list credentials.

    Raises:
        TapewatchError: A step failed; the message names all that did.
    """
    return do_maintenance("monthly", load_settings())


@flow(name="quarterly", flow_run_name="quarterly maintenance", persist_result=False)
def quarterly() -> tuple[StepDone, ...]:
    """Verify and reproduce, measure against the last time, and look for secrets and weaknesses.

    Raises:
        TapewatchError: A step failed; the message names all that did.
    """
    return do_maintenance("quarterly", load_settings())


@flow(name="annual", flow_run_name="annual maintenance", persist_result=False)
def annual() -> tuple[StepDone, ...]:
    """Show the checklist of the year: deprecations, promises, thresholds, retention.

    Raises:
        TapewatchError: A step failed; the message names all that did.
    """
    return do_maintenance("annual", load_settings())
