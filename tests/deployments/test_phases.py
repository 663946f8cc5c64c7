"""The plain runner tries again what can heal, later each time, and nothing else."""

import io

import pytest
from rich.console import Console

from deployments import phases
from deployments.phases import PlainPhases, retry_delay
from settings.errors import DataRejectedError, StorageError
from settings.running import PhaseSettings, PhasesSettings

POLICY = PhaseSettings(retries=2, retry_delay_seconds=10, timeout_seconds=60)
POLICIES = PhasesSettings(
    ingestion=POLICY, transformation=POLICY, calculation=POLICY, output=POLICY
)


@pytest.fixture
def slept(monkeypatch):
    """The delays that were waited, none of them really."""
    delays: list[float] = []
    monkeypatch.setattr(phases.time, "sleep", delays.append)
    return delays


def failing(error, times):
    """Return a step that fails so often and then gives its number of calls."""
    calls: list[None] = []

    def step():
        calls.append(None)
        if len(calls) <= times:
            raise error
        return len(calls)

    return step


def runner():
    return PlainPhases(POLICIES, Console(file=io.StringIO()))


def test_what_can_heal_is_tried_again_until_it_does(slept):
    error = StorageError("the disk was busy", fix="wait")

    assert runner()("ingestion", failing(error, 2)) == 3
    assert 10 <= slept[0] <= 15
    assert 20 <= slept[1] <= 30


def test_what_does_not_heal_ends_with_its_own_error(slept):
    error = StorageError("the disk was busy", fix="wait")

    with pytest.raises(StorageError, match="the disk was busy"):
        runner()("ingestion", failing(error, 3))
    assert len(slept) == 2


def test_what_cannot_heal_is_not_tried_again(slept):
    with pytest.raises(DataRejectedError):
        runner()("ingestion", failing(DataRejectedError("no tape", fix="none"), 1))
    assert slept == []


def test_the_delay_doubles_and_jitters_by_half_at_most():
    delays = [retry_delay(30, tried) for tried in range(4)]

    for tried, delay in enumerate(delays):
        assert 30 * 2**tried <= delay <= 45 * 2**tried
