"""How every command ends: usage errors, files that cannot be written, Ctrl-C."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from signal import SIGINT
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

from bilad.models import ArgumentError, DatasetError
from bilad.scripts.interrupts import noted_interrupts
from bilad.scripts.run_log import check_folder
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.nlp import EngineError

FAILURE, USAGE, SIGNALLED = 1, 2, 128  # exit codes; the last is to be added to the signal's number
P = ParamSpec("P")


def command(run: Callable[P, None]) -> Callable[P, None]:
    """Return a command that ends in one line and an exit code, not in a traceback.

    Exits with 2 if an argument is wrong, with 1 if a file cannot be read or written, and with
    130 after Ctrl-C (143 after SIGTERM). A folder `out` that nothing can be written to is refused
    before the work begins.
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
                kept = f": finished rows are in {out}" if _is_folder(out) else ""
                raise _end("interrupted", kept, SIGNALLED + (interrupts.number or SIGINT)) from None
            except (ArgumentError, DatasetError, EngineError, UnsupportedError) as error:
                raise _end("error ", str(error), USAGE) from None
            except OSError as error:
                if error.errno == errno.EPIPE:  # whoever read our output has gone
                    raise
                raise _end("error ", _reason(error), FAILURE) from None

    return guarded


def _is_folder(out: Any) -> bool:
    return isinstance(out, Path) and out.is_dir()


def _reason(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _end(what: str, why: str, code: int) -> typer.Exit:
    Console(stderr=True).print(f"[bold red]{what}[/]{escape(why)}", highlight=False, soft_wrap=True)
    return typer.Exit(code)
