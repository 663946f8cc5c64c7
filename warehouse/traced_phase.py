"""One phase of a trace, in which every SQL file that runs is a step."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import time_ns
from typing import TYPE_CHECKING, TypeVar, cast

from warehouse.engine import WATCH
from warehouse.tracing import Fact, current_span, fail, open_tracer, put, step
from warehouse.watched import INLINE, watched

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

T = TypeVar("T")


@contextmanager
def traced_phase(name: str, **facts: Fact) -> Generator[None]:
    """Make the block the span of a phase; also `--profile` goes on seeing its statements."""
    with step(name, **facts):
        tracer, watch = open_tracer(), WATCH.get()
        if tracer is None or current_span() is None:
            yield
            return
        steps = _SqlSteps(tracer)
        token = WATCH.set(lambda db: watched(watch(db) if watch else db, steps))
        try:
            yield
        finally:
            WATCH.reset(token)
            steps.end()


class _SqlSteps:
    """Makes each statement of an SQL file a span; it ends with the last row that is fetched."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._span: Span | None = None
        self._until = 0

    def measure(self, name: str, step: Callable[[], T], calls: int = 1) -> T:
        """Run one step of a statement of the SQL file `name`."""
        if calls:
            self.end()
            self._span = None if name == INLINE else self._tracer.start_span(name)
        try:
            result = step()
        except BaseException as error:
            if self._span is not None:
                fail(self._span, type(error).__name__)  # the phase tells it by its code
            raise
        finally:
            self._until = time_ns()
        if self._span is not None:
            put(self._span, {"rows_out": _rows(result)})
        return result

    def end(self) -> None:
        """End the span of the last statement when its last step was over."""
        if self._span is not None:
            self._span.end(self._until)
            self._span = None


def _rows(result: object) -> int | None:
    """Return how many rows were fetched, or written: the one cell that a COPY returns."""
    match result:
        case list():
            return len(cast("list[object]", result))
        case (int(rows),):
            return rows
        case _:
            return None
