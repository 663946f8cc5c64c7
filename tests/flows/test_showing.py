"""What is shown on a flow run's page: the keys of its artifacts, and a bar that asks seldom."""

import itertools
import logging
import re

import pytest

from tasks.progress import Progress
from tasks.showing import artifact_key

NAMES = ["".join(name) for n in (1, 2, 3, 4) for name in itertools.product("au-_", repeat=n)]


def test_no_two_portfolios_share_a_key():
    keys = {artifact_key("kpis", name) for name in NAMES}

    assert len(keys) == len(NAMES)
    assert [key for key in keys if not re.fullmatch(r"[a-z0-9-]+", key)] == []


class Clock:
    """A clock that moves when it is told to."""

    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def bar(monkeypatch):
    """A bar, where it was drawn, and its clock; there is no server."""
    bar = Progress("progress-default", "four phases")
    bar.drawn, bar.clock = [], Clock()
    draw = {"create": lambda percent, **_: bar.drawn.append(percent) or "an id"}
    draw["update"] = lambda _id, percent: bar.drawn.append(percent)
    for name, function in draw.items():
        monkeypatch.setattr(f"tasks.progress.{name}_progress_artifact", function)
    monkeypatch.setattr("tasks.progress.monotonic", bar.clock)
    return bar


def test_a_bar_that_moves_often_asks_the_server_once_a_second(bar):
    bar.show(0)
    for percent in range(1, 40):
        bar.clock.now += 0.1
        bar.move(percent)
    bar.show(100)

    assert bar.drawn == [0, 10, 20, 30, 100]


def test_a_server_that_refused_is_not_asked_at_each_step(bar, monkeypatch):
    refused = []

    def refuse(*_, **__):
        refused.append(1)
        raise ConnectionError

    monkeypatch.setattr("tasks.progress.create_progress_artifact", refuse)
    monkeypatch.setattr("tasks.showing.get_run_logger", lambda: logging.getLogger("test"))
    bar.show(0)
    for percent in range(1, 40):
        bar.clock.now += 1
        bar.move(percent)

    assert (bar.drawn, refused) == ([], [1])
