"""How a computation ended: limits, interrupts and errors become a word of the result, in one place.

"converged"       nothing cut it short
"solve limit"     the lower-level solves that were allowed are spent
"time limit"      the seconds that were allowed are over
"interrupted"     Ctrl-C
"error: ..."      the type and the message of what was raised
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterable

CONVERGED = "converged"
SOLVE_LIMIT = "solve limit"
TIME_LIMIT = "time limit"
INTERRUPTED = "interrupted"
MOST_WORDS = 300  # characters of an error's message that are reported
AGAIN = 0.5  # seconds after which a step that swallowed the exception is sent another
STOPS = 3  # times that a watchdog is stopped
SOON = 0.001  # seconds after which a step is looked at again that could not take one
# Code that is not disturbed, by the names of functions and of files.
FINALISERS = ("__del__", "__exit__")
UNDISTURBED = (
    "weakref.py",
    "_weakrefset.py",
    "<frozen importlib._bootstrap>",
    "compiler_lock.py",  # Numba compiles; LLVM's callbacks swallow exceptions
)


class BudgetSpentError(Exception):
    """The limit on solves or on time came; the message is the termination to report."""


class TimeLimitError(BaseException):
    """Raised inside a step whose seconds are over; no `Exception`, which libraries swallow."""


def termination_of(
    step: Callable[[], object],
    seconds: float = float("inf"),
    raising: tuple[type[Exception], ...] = (),
) -> str:
    """Run a step of a computation; return how it ended.

    Parameters
    ----------
    step : callable
        Whatever it has found when it is cut short, it must have stored by then.
    seconds : float, default inf
        After which `TimeLimitError` is raised inside it, as Ctrl-C would be, between two
        instructions of Python: a call into a compiled library, such as one factorisation, runs to
        its own end first. Nothing of the step is run if there are none.
    raising : tuple of exception types, optional
        Errors that are not the result's but the caller's.

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
    except Exception as error:  # whatever a library or a user's own function raises
        return error_termination(error)
    return CONVERGED


def overall(endings: Iterable[str]) -> str:
    """Return what to report of several steps: Ctrl-C, else an error, else a limit."""
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
            if watchdog.has_raised:  # inside compiled code, which made another exception of it
                raise TimeLimitError from error
            raise
        finally:
            _stop(watchdog)
    finally:  # an exception may have come before that had begun
        _stop(watchdog)


def _stop(watchdog: _Watchdog, times: int = STOPS) -> None:
    """Stop a watchdog, also if exceptions come meanwhile: its own, another one's, Ctrl-C."""
    try:
        watchdog.stop()
    finally:
        if times > 1:
            _stop(watchdog, times - 1)


class _Watchdog(threading.Thread):
    """Raises `TimeLimitError` in the thread that made it, once the seconds are over.

    A signal would do so in the main thread only, and would take the one timer of the process.
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
                _raise_in(self._watched, ctypes.py_object(TimeLimitError))
                self.has_raised, wait = True, AGAIN

    def stop(self) -> None:
        """Let the step be; take back an exception that has not been raised yet."""
        self._over.set()
        if self.is_alive():
            self.join()
        _raise_in(self._watched, None)


def _is_undisturbed(thread: int) -> bool:
    """Whether a step runs what would swallow an exception, or must not be left half done.

    Python swallows those of destructors and of callbacks of weak references, of the garbage
    collector and of compiled code. Exits of contexts and imports are not to be left half done. A
    thread that is being started has the number of the one that starts it, and could get the
    exception in its place.
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


def _raise_in(thread: int, error: ctypes.py_object[type[BaseException]] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)
