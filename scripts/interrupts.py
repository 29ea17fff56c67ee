"""Ctrl-C ends a command, also where a method answers it with the best that it has so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """The interrupt that came.

    Attributes
    ----------
    number : int
        Of the signal; 0 if none came.
    """

    number: int = 0

    def check(self) -> None:
        """Raise KeyboardInterrupt if an interrupt came."""
        if self.number:
            raise KeyboardInterrupt


@contextmanager
def noted_interrupts() -> Iterator[Interrupts]:
    """Note Ctrl-C and SIGTERM in the block; both raise KeyboardInterrupt where they come.

    An attack, a bound, a certificate: each may end early and return what it has. The row made of
    it would be a result like any other, and the command would go on.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.number = number
        handler = before[number]
        if callable(handler):  # of a block around this one, which notes it too
            handler(number, frame)
        raise KeyboardInterrupt

    # What is ignored stays so: a shell has the commands that it starts in the background ignore
    # Ctrl-C. None is a handler that was not installed from Python.
    handlers = {int(number): signal.getsignal(number) for number in SIGNALS}
    before = {n: old for n, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield interrupts
    finally:
        for number, old in before.items():
            signal.signal(number, old)
