"""What every command shares: the check of its output folder, its exit codes, and interrupts."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

from bilad.models import ArgumentError, DatasetError
from bilad.scripts.files import check_folder
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.nlp import EngineError

# Exit codes. A command that a signal ends exits with SIGNALLED plus the number of the signal.
FAILURE, USAGE, SIGNALLED = 1, 2, 128
SIGNALS = (signal.SIGINT, signal.SIGTERM)
P = ParamSpec("P")


@dataclass
class Interrupts:
    """The number of the signal that interrupted the command; 0 if none came."""

    number: int = 0

    def check(self) -> None:
        """Raise KeyboardInterrupt if an interrupt came."""
        if self.number:
            raise KeyboardInterrupt


@contextmanager
def noted_interrupts() -> Iterator[Interrupts]:
    """Record Ctrl-C and SIGTERM within the block; both raise KeyboardInterrupt where they arrive.

    An attack, a bound or a certificate may catch the interrupt and return its best result so far.
    The record lets the caller discard that incomplete result and end the command.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.number = number
        handler = before[number]
        if callable(handler):  # the handler of an enclosing block, which records the signal too
            handler(number, frame)
        raise KeyboardInterrupt

    # Ignored signals stay ignored: a shell makes its background commands ignore Ctrl-C. None
    # stands for a handler that was not installed from Python.
    handlers = {int(number): signal.getsignal(number) for number in SIGNALS}
    before = {n: old for n, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, note)
    try:
        yield interrupts
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def command(run: Callable[P, None]) -> Callable[P, None]:
    """Return a command that reports an error in one line and an exit code, without a traceback.

    The exit code is 2 if an argument is wrong, 1 if a file cannot be read or written, 130 after
    Ctrl-C and 143 after SIGTERM. If nothing can be written to the folder `out`, the command fails
    before its work begins.
    """

    @wraps(run)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        out = kwargs.get("out")
        with noted_interrupts() as interrupts:
            try:
                if isinstance(out, Path):
                    check_folder(out)
                run(*args, **kwargs)
                interrupts.check()
            except KeyboardInterrupt:
                has_rows = isinstance(out, Path) and out.is_dir()
                kept = f": finished rows are in {out}" if has_rows else ""
                code = SIGNALLED + (interrupts.number or signal.SIGINT)
                raise _end("interrupted", kept, code) from None
            except (ArgumentError, DatasetError, EngineError, UnsupportedError) as error:
                raise _end("error ", str(error), USAGE) from None
            except OSError as error:
                if error.errno == errno.EPIPE:  # the process that read our output has ended
                    raise
                where = f"{error.filename}: " if error.filename else ""
                raise _end("error ", f"{where}{error.strerror or error}", FAILURE) from None

    return guarded


def _end(what: str, why: str, code: int) -> typer.Exit:
    Console(stderr=True).print(f"[bold red]{what}[/]{escape(why)}", highlight=False, soft_wrap=True)
    return typer.Exit(code)
