"""A process that carries out runs, and can be ended when it exceeds a limit or hangs.

`python -m bilad.scripts.experiments.worker` reads runs from its standard input and writes their
rows to its standard output, both pickled. It ends when its input does, even within a run: when the
process that started it was killed.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import IO, Any

from bilad.scripts.experiments.run import FAILED, KILLED, Row, Run, carry_out, failed
from bilad.solvers.termination import MOST_WORDS

LIVES = 2  # processes that may die of a run
LATER = 30.0  # seconds after the limit at which a process ends itself if nobody does
COMMAND = [sys.executable, "-m", "bilad.scripts.experiments.worker"]


class Worker:
    """A process for runs, which is started at the first run and replaced after its end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        self._closed = False

    def carry_out(self, run: Run) -> Row:
        """Carry out a run in the process.

        Returns
        -------
        Row
            With the status "killed" if the run exceeds `run.kill` seconds; with the status "error"
            if the process dies twice.
        """
        death = ""
        for _ in range(LIVES):
            over = threading.Event()
            row = self._ask(run, over)
            if row is not None:
                return row
            if over.is_set():
                seconds = float(run.kill or 0)
                return failed(run, KILLED, f"time limit: killed after {seconds:g} s", seconds)
            death = self._death()
            if self._closed:
                break
        return failed(run, FAILED, f"error: the process of the run died {death}")

    def _ask(self, run: Run, over: threading.Event) -> Row | None:
        """Send a run and return its row; None if the process died, which the limit also causes."""
        process, timer = self._alive(), None
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.load(process.stdout)  # it is ready; no limit counts its start
            if run.kill:
                timer = threading.Timer(run.kill, _kill, (process, over))
                timer.start()
            _send(run, process.stdin)
            row: Row = pickle.load(process.stdout)
            return row
        except (EOFError, BrokenPipeError, ValueError, pickle.UnpicklingError):
            _kill(process)
            return None
        finally:
            if timer:
                timer.cancel()

    def _alive(self) -> subprocess.Popen[bytes]:
        """Return the process, which is started if there is none or it has ended."""
        if self._process is None or self._process.poll() is not None:
            self._release()
            self._log.seek(0)
            self._log.truncate()
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C reaches the parent only
            )
        return self._process

    def _death(self) -> str:
        """Describe how the process died, with the last line that it wrote."""
        code = self._process.wait() if self._process else 0
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"of {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"{how}: {lines[-1][:MOST_WORDS]}" if lines else how

    def close(self) -> None:
        """End the process, also within a run."""
        self._closed = True
        if self._process is not None:
            _kill(self._process)
            self._process.wait()
        self._release()
        self._log.close()

    def _release(self) -> None:
        """Close the pipes of a process that has ended."""
        for stream in (self._process.stdin, self._process.stdout) if self._process else ():
            if stream is not None:
                with suppress(OSError):  # what was still to be written
                    stream.close()


def _kill(process: subprocess.Popen[bytes], over: threading.Event | None = None) -> None:
    """End a process with all that it has started, such as an executable of a solver."""
    if over is not None:
        over.set()
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
    """Carry out runs until the input ends; before each, say that the process is ready."""
    rows = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what solvers print must not be read as rows
    runs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(runs,), daemon=True).start()
    while True:
        _send("ready", rows)
        run = runs.get()
        if run.kill:
            # A timer that needs no interpreter, in case that the parent was killed too.
            faulthandler.dump_traceback_later(run.kill + LATER, exit=True)
        row = carry_out(run)
        faulthandler.cancel_dump_traceback_later()
        _send(row, rows)


def _send(what: object, stream: IO[bytes]) -> None:
    pickle.dump(what, stream)
    stream.flush()


def _listen(runs: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            runs.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        os.killpg(0, signal.SIGKILL)  # with all that this process has started


if __name__ == "__main__":
    main()
