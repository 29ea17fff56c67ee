"""Ctrl-C ends a part, also where a method answers it with the best that it has so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted_interrupts() -> Iterator[Callable[[], None]]:
    """Yield a function that raises KeyboardInterrupt if Ctrl-C came in the block.

    An attack, a bound, a certificate: each may end early and return what it has. The row made of
    it would be a result like any other, and the part would go on.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    handler = before
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        handler(number, frame)

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
