"""The termination of a computation: why it ended, as one string that the results contain.

"converged"       the computation was completed
"solve limit"     the largest number of lower-level solves was reached
"time limit"      the time limit was reached
"interrupted"     the user pressed Ctrl-C
"error: ..."      an exception was raised; its type and message follow
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

CONVERGED = "converged"
SOLVE_LIMIT = "solve limit"
TIME_LIMIT = "time limit"
INTERRUPTED = "interrupted"
MOST_WORDS = 300  # characters of an error's message that are reported
AGAIN = 0.5  # seconds after which the exception is raised again in a step that suppressed it
STOPS = 3  # number of attempts to stop a watchdog
SOON = 0.001  # seconds after which a step that may not be interrupted at present is examined again
# Code that is not interrupted, given by names of functions and of files.
FINALISERS = ("__del__", "__exit__")
UNDISTURBED = (
    "weakref.py",
    "_weakrefset.py",
    "<frozen importlib._bootstrap>",
    # Numba compiles, or loads what it compiled before: callbacks of LLVM suppress exceptions, and a
    # table of types that is half filled makes all later compilations fail.
    "compiler_lock.py",
    os.path.join("numba", "core", "dispatcher.py"),
)


class BudgetSpentError(Exception):
    """The limit on solves or on time was reached; the message is the termination to report."""


class TimeLimitError(BaseException):
    """Raised in a step that exceeds its time; not an `Exception`, which libraries suppress."""


def termination_of(
    step: Callable[[], object],
    seconds: float = float("inf"),
    raising: tuple[type[Exception], ...] = (),
) -> str:
    """Run a step of a computation; return its termination.

    Parameters
    ----------
    step : callable
        It must store its results while it runs, because it can be interrupted at any time.
    seconds : float, default inf
        Time limit, after which `TimeLimitError` is raised in the step between two instructions of
        Python, as after Ctrl-C. A call of a compiled library, such as one factorisation, is
        completed first. If the limit is not positive, the step is not run.
    raising : tuple of exception types, optional
        Errors that are raised to the caller and do not become a termination.

    Returns
    -------
    str
        One of the words above.
    """
    try:
        _run_within(seconds, step)
    except BudgetSpentError as limit:
        return str(limit)
    except TimeLimitError:
        return TIME_LIMIT
    except KeyboardInterrupt:
        return INTERRUPTED
    except raising:
        raise
    except Exception as error:  # libraries and user-defined functions can raise anything
        return error_termination(error)
    return CONVERGED


def overall(endings: Iterable[str]) -> str:
    """Return the termination of several steps: Ctrl-C, else an error, else a limit."""
    cut_short = [ending for ending in endings if ending != CONVERGED]
    return min(cut_short, key=_rank, default=CONVERGED)


def _rank(ending: str) -> int:
    return 0 if ending == INTERRUPTED else 1 if ending.startswith("error") else 2


def error_termination(error: BaseException) -> str:
    """Return "error: ..." with the type and the message, cut to a readable length."""
    words = f"error: {type(error).__name__}: {error}"
    return words if len(words) <= MOST_WORDS else words[: MOST_WORDS - 3] + "..."


def _run_within(seconds: float, step: Callable[[], object]) -> None:
    if seconds == float("inf"):
        step()
        return
    if seconds <= 0:
        raise TimeLimitError
    watchdog = _Watchdog(seconds)
    try:
        try:
            watchdog.start()
            step()
        except Exception as error:
            if watchdog.has_raised:  # compiled code replaced the exception by another one
                raise TimeLimitError from error
            raise
        finally:
            _stop(watchdog)
    finally:  # an exception may have been raised before that call began
        _stop(watchdog)


def _stop(watchdog: _Watchdog, times: int = STOPS) -> None:
    """Stop a watchdog, even if it, another watchdog or Ctrl-C raises an exception meanwhile."""
    try:
        watchdog.stop()
    finally:
        if times > 1:
            _stop(watchdog, times - 1)


class _Watchdog(threading.Thread):
    """Raises `TimeLimitError` in the thread that created it when the time is over.

    A signal would do so in the main thread only, and would occupy the only timer of the process.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(daemon=True)
        self._seconds, self._watched, self._over = seconds, threading.get_ident(), threading.Event()
        self.has_raised = False

    def run(self) -> None:
        wait = self._seconds
        while not self._over.wait(min(wait, threading.TIMEOUT_MAX)):
            wait = SOON
            if not _is_undisturbed(self._watched):
                _raise_in(self._watched, TimeLimitError)
                self.has_raised, wait = True, AGAIN

    def stop(self) -> None:
        """End the supervision of the step, and any exception that has not been raised yet."""
        self._over.set()
        if self.is_alive():
            self.join()
        if self.has_raised:
            _end_pending(self._watched)


def _is_undisturbed(thread: int) -> bool:
    """Whether a step runs code that would suppress an exception or must be completed.

    Python suppresses exceptions in destructors and in callbacks of weak references and of the
    garbage collector, and those in callbacks of compiled code are lost too. Exits of contexts and
    imports have to be completed. A thread that is being
    started has the number of the thread that starts it, and could receive the exception instead.
    """
    collecting = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not _run_within.__code__:
        code = frame.f_code
        file, name = code.co_filename, code.co_name
        if name in FINALISERS or file.endswith(UNDISTURBED) or code in collecting:
            return True
        if name == "start" and file.endswith("threading.py"):
            return True
        frame = frame.f_back
    return False


class _ReplacementError(BaseException):
    """Takes the place of an exception that has not been raised yet in this thread."""


def _end_pending(thread: int) -> None:
    """Replace an exception that has not been raised yet in this thread by one that is caught here.

    If it were cancelled, Python would stay in the state in which an exception is pending: all later
    calls are slower, and with a debugger or a profiler Python 3.11 hangs at the next call.
    """
    with suppress(_ReplacementError):
        _raise_in(thread, _ReplacementError)
        while True:
            time.sleep(0)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
