"""Tell a run as a trace: a span of the run, of each phase, of each step.

OpenTelemetry's API alone is known here; without an SDK, which `blocks.clients.traces` sets up, all
of this does nothing. A span holds figures, ids and codes: never a cell, a message or a path.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warehouse.attempt_folder import describe_error

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

SCOPE = "tapewatch"
Fact = str | int | float | bool | Sequence[str] | None


def open_tracer() -> Tracer | None:
    """Return what makes spans, None where nobody would see them."""
    if "opentelemetry.trace" not in sys.modules:
        return None  # who sets a tracer up imports it; to import it for nothing costs 30 ms
    from opentelemetry import trace

    return trace.get_tracer(SCOPE)


def current_span() -> Span | None:
    """Return the span of this moment, None where nobody would see it."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    span = trace.get_current_span()
    return span if span.is_recording() else None


def trace_id() -> str | None:
    """Return the id of the trace that this moment belongs to, as 32 hex digits."""
    span = current_span()
    return None if span is None else f"{span.get_span_context().trace_id:032x}"


@contextmanager
def step(name: str, **facts: Fact) -> Generator[None]:
    """Make the block, or the function, one span; an error that leaves it is told by its code."""
    tracer = open_tracer()
    if tracer is None:
        yield
        return
    # the SDK would record the text of the error, and that of a foreign one quotes the tape
    with tracer.start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as span:
        put(span, facts)
        try:
            yield
        except BaseException as error:
            fail(span, describe_error(error).code)
            raise


def tell(**facts: Fact) -> None:
    """Add facts to the span of this moment; None is not told."""
    span = current_span()
    if span is not None:
        put(span, facts)


def tell_step(name: str, since: int, error: BaseException | None, **facts: Fact) -> None:
    """Tell of a step when it is over: it began at `since`, in nanoseconds, in another thread."""
    tracer = open_tracer()
    if tracer is None:
        return
    span = tracer.start_span(name, start_time=since)
    put(span, facts)
    if error is not None:
        fail(span, describe_error(error).code)
    span.end()


def put(span: Span, facts: dict[str, Fact]) -> None:
    """Set the facts as attributes of the span."""
    for name, fact in facts.items():
        if fact is not None:
            span.set_attribute(f"{SCOPE}.{name}", fact)


def fail(span: Span, code: str) -> None:
    """Let the span say that it failed, by a code and no text."""
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, code)
    span.set_attribute("error.type", code)
