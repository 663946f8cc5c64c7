"""A store of three runs and an export of it; Slack on loopback and the runs that tell it."""

import pytest

from blocks.clients.audit_export import export_store
from tests.blocks.audit_exports import RUNS, record, store_of
from tests.slack_server import serve_slack
from tests.warehouse.channel_desk import ChannelDesk


@pytest.fixture
def filled(database):
    """A store of three runs."""
    for number in range(1, RUNS + 1):
        record(database, number)
    return database


@pytest.fixture
def export(filled, tmp_path):
    """An export of three runs, which this test may damage."""
    export_store(store_of(filled), tmp_path / "export")
    return tmp_path / "export"


@pytest.fixture
def slack():
    """Slack on loopback."""
    with serve_slack() as served:
        yield served


@pytest.fixture
def desk(tmp_path, slack):
    """A data folder whose channels are told from now on."""
    made = ChannelDesk(tmp_path, slack)
    made.send()
    return made
