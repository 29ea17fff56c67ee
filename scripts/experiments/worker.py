"""A process that carries out calls, and can be ended when it exceeds a limit or hangs.

`python -m bilad.scripts.experiments.worker FD` receives calls from a connection, and sends their
results. It ends when the connection is closed, even within a call: when the process that started it
was killed. It is no process of `multiprocessing`, because workers of Dask may not start those.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from bilad.scripts.experiments.run import FAILED, KILLED, Row, Run, carry_out, failed
from bilad.solvers.termination import MOST_WORDS

LIVES = 2  # processes that may die of a run
STARTING = 120.0  # seconds after which a process that has not started is taken for dead
LATER = 30.0  # seconds after the limit at which a process ends itself if nobody does
COMMAND = [sys.executable, "-m", "bilad.scripts.experiments.worker"]

Result = TypeVar("Result")


class DiedError(Exception):
    """The process of a call died; the message says how."""


class OverrunError(Exception):
    """A call exceeded its seconds, and its process was ended."""


class Worker:
    """A process for calls, which is started at the first call and replaced after its end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Any = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        self._closed = False

    def carry_out(self, run: Run) -> Row:
        """Carry out a run in the process.

        The status of the row is "killed" if the run exceeds `run.kill` seconds, and "error" if the
        process dies twice.
        """
        try:
            return self.call(partial(carry_out, run), run.kill, LIVES)
        except OverrunError:
            seconds = float(run.kill or 0)
            return failed(run, KILLED, f"time limit: killed after {seconds:g} s", seconds)
        except DiedError as error:
            return failed(run, FAILED, f"error: the process of the run died {error}")

    def call(self, work: Callable[[], Result], seconds: float | None, lives: int = 1) -> Result:
        """Return the result of a function that can be pickled, and whose call raises nothing.

        Raises
        ------
        OverrunError
            If it takes more seconds.
        DiedError
            If so many processes die of it.
        """
        death = ""
        for _ in range(lives):
            process = self._alive()
            try:
                if not self._connection.poll(STARTING):
                    raise TimeoutError
                self._connection.recv()  # it is ready; the seconds do not count its start
                self._connection.send((work, seconds))
                if self._connection.poll(seconds):
                    result: Result = self._connection.recv()
                    return result
            except (EOFError, OSError):  # it died
                _kill(process)
                if self._closed:
                    break
                death = self._death(process)
            else:
                _kill(process)
                process.wait()
                raise OverrunError
        raise DiedError(death)

    def _alive(self) -> subprocess.Popen[bytes]:
        """Return the process, which is started if there is none or it has ended."""
        if self._process is None or self._process.poll() is not None:
            if self._connection is not None:
                self._connection.close()
            self._log.seek(0)
            self._log.truncate()
            self._connection, theirs = Pipe()
            with theirs:
                self._process = subprocess.Popen(
                    [*COMMAND, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    start_new_session=True,  # Ctrl-C reaches the parent only
                )
        return self._process

    def _death(self, process: subprocess.Popen[bytes]) -> str:
        """Describe how the process died, with the last line that it wrote."""
        code = process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        names = {-one: one.name for one in signal.Signals}  # real-time signals have none
        how = f"with exit code {code}" if code >= 0 else f"of {names.get(code, f'signal {-code}')}"
        return f"{how}: {lines[-1][:MOST_WORDS]}" if lines else how

    def close(self) -> None:
        """End the process, also within a run."""
        self._closed = True
        if self._process is not None:
            _kill(self._process)
            self._process.wait()
            self._connection.close()
        self._log.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started, such as an executable of a solver."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


_own = threading.local()


def carry_out_in_worker(run: Run) -> Row:
    """Carry out a run in the worker of this thread, such as a thread of a Dask worker."""
    if not hasattr(_own, "worker"):
        _own.worker = Worker()
    worker: Worker = _own.worker
    return worker.carry_out(run)


def main() -> None:
    """Carry out calls until the connection is closed; before each, report to be ready."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, calls), daemon=True).start()
    with suppress(OSError):  # the connection is closed
        while True:
            connection.send("ready")
            work, seconds = calls.get()
            if seconds:
                # A timer that needs no interpreter, in case that the parent was killed too.
                faulthandler.dump_traceback_later(seconds + LATER, exit=True)
            result = work()
            faulthandler.cancel_dump_traceback_later()
            connection.send(result)
    os.killpg(0, signal.SIGKILL)


def _listen(connection: Any, calls: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            calls.put(connection.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)  # with all that this process has started


if __name__ == "__main__":
    main()
