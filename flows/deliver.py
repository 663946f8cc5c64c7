"""The delivery flow: whatever no receiver has acknowledged yet is sent again."""

from prefect import flow

from blocks.clients.traces import start_traces
from settings.load import load_settings
from tasks.delivery import deliver_pending
from warehouse.delivery import Delivered

start_traces()  # as in flows/daily.py


@flow(name="deliver", flow_run_name="deliver", persist_result=False)
def deliver() -> tuple[Delivered, ...]:
    """Send every receiver what it lacks, oldest first.

    Raises:
        TapewatchError: A receiver refused an item for good, or cannot be reached.
    """
    return deliver_pending(load_settings())
