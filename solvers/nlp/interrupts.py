"""Let Ctrl-C through a solver that swallows it.

CasADi turns a KeyboardInterrupt into IPOPT's exit "NonIpopt_Exception_Thrown" and goes on.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Raise on leaving what a signal's handler raised inside, if anything.

    Only the main thread runs the handlers of signals, so elsewhere there is nothing to keep.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised: list[BaseException] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, _recorder(handler, raised))
    try:
        yield
    # CasADi's own answer where it builds; Python's, from 3.12 on, to an exception that it left set.
    except (RuntimeError, SystemError):
        if not raised:
            raise
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
    if raised:
        raise raised[0]


def _recorder(
    handler: Callable[[int, FrameType | None], Any], raised: list[BaseException]
) -> Callable[[int, FrameType | None], None]:
    def record(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    return record
