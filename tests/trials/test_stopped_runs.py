"""SIGTERM at random moments: the run ends soon, says so, and the next one heals what it left."""

import time
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest

from tests.trials.evidence import after_heal, after_kill, attempts, died_in
from tests.trials.run_process import end_of

pytestmark = pytest.mark.slow

STOP_SECONDS = 5
HEARD_WITHIN = timedelta(seconds=0.5)


def stop_a_run(stage, scratch, moment):
    """Return the folder, the end and the delay of a run that SIGTERM met at work."""
    for k in count():  # a moment that came after the end stops nothing: earlier, on a fresh folder
        folder = stage.folder.copy_to(scratch / f"trial{k}")
        process = folder.start_and_wait(moment * stage.seconds / 2**k)
        sent_at, sent = datetime.now(UTC), time.monotonic()
        process.terminate()
        done = end_of(process)
        seconds = time.monotonic() - sent
        ended_at = [r["ended_at"] for r in attempts(folder.root).values() if r["outcome"]]
        if len(ended_at) == 1:  # the older run's alone
            return folder, done, seconds
        assert datetime.fromisoformat(max(ended_at)) < sent_at + HEARD_WITHIN, "it did not listen"
    raise AssertionError


def test_a_run_told_to_stop_is_canceled_and_the_next_one_finishes(
    stage, stop_seed, tmp_path, record_property
):
    record_property("kind", "SIGTERM")
    died = died_in(stage.folder.root)
    before = attempts(stage.folder.root).keys()

    moment = Random(stop_seed).random()  # noqa: S311
    folder, done, seconds = stop_a_run(stage, tmp_path, moment)

    assert done.code == 143, done.err
    assert done.err.splitlines()[-1].startswith("TAPEWATCH-CANCELED: ")
    assert seconds < STOP_SECONDS
    assert after_kill(folder.root, stage.expected) == []
    records = attempts(folder.root)
    statuses = {records[name]["status"] for name in records.keys() - before}
    assert statuses <= {"canceled"}  # none when it was stopped before it began
    next_run = folder.run()
    assert next_run.code == 0, next_run.err
    assert after_heal(folder.root, stage.expected, died) == []
