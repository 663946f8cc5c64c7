"""A store of three runs, and an export of it."""

import pytest

from blocks.clients.audit_export import export_store
from tests.blocks.audit_exports import RUNS, record, store_of


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
