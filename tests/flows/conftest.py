"""One Prefect server for all tests that need one: it takes half a minute to start."""

import pytest


@pytest.fixture(scope="session")
def prefect_server():
    from prefect.testing.utilities import prefect_test_harness  # seconds, for these tests alone

    with prefect_test_harness(server_startup_timeout=180):
        yield
