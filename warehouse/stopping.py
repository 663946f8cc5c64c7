"""Let a signal end what the engines are at: its handler waits until the statement has ended."""

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread, current_thread, main_thread

_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
_INTERRUPT_SECONDS = 0.2


def interrupt_on_signals() -> Callable[[], None]:
    """Interrupt every engine from the first SIGTERM or SIGINT on; return what ends that.

    Only the main thread may call it. Who handles the signals stays as it is.
    """
    signaled, written = os.pipe()
    os.set_blocking(written, False)
    before = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    ended = Event()
    Thread(target=_interrupt, args=(signaled, ended), daemon=True).start()

    def end() -> None:
        ended.set()
        signal.set_wakeup_fd(before)
        os.close(written)

    return end


@contextmanager
def engines_stop() -> Generator[None, None, None]:
    """Let signals interrupt the engines for a while; elsewhere than in the main thread, do nothing.

    Whoever calls a flow from another thread handles the signals of that process.
    """
    if current_thread() is not main_thread():
        yield
        return
    end = interrupt_on_signals()
    try:
        yield
    finally:
        end()


def _interrupt(signaled: int, ended: Event) -> None:
    """Wait for a signal, then end what the engines are at, so that its handler gets its turn."""
    is_stopped = False
    while not is_stopped and (numbers := os.read(signaled, 64)):  # nothing: the other end is closed
        is_stopped = not _STOPS.isdisjoint(numbers)
    if is_stopped:
        from warehouse.engine import interrupt_engines  # what --help does without

        interrupt_engines()
        while not ended.wait(_INTERRUPT_SECONDS):  # a statement that just begins forgets it
            interrupt_engines()
    os.close(signaled)
