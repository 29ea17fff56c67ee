"""What every command shares: groups of options, one style of errors, exit codes, and interrupts."""

from __future__ import annotations

import errno
import inspect
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from types import FrameType
from typing import Annotated, Any, get_args, get_type_hints

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup
from typer.models import ArgumentInfo, OptionInfo

from bilad.models import ArgumentError, DatasetError
from bilad.models.learning.learning_model import LearningModelError
from bilad.models.validation import did_you_mean
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.nlp.engine import EngineError, OptionError

# Exit codes. A command that a signal ends exits with SIGNALLED plus the number of the signal.
FAILURE, USAGE, SIGNALLED = 1, 2, 128
WRONG = (ArgumentError, DatasetError, EngineError, OptionError, UnsupportedError)
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NO_THREAD = "can't start new thread"  # Python's RuntimeError if there is no memory for its stack
UsageError: type[Any] = typer.BadParameter.__mro__[1]  # of Click, or of Typer's copy of it


class FailedError(Exception):
    """The work of a command was carried out and failed; the message is its only line."""


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


def command(run: Callable[..., None]) -> Callable[..., None]:
    """Return a command that reports an error in one line and an exit code, without a traceback.

    A parameter whose type is a dataclass is a group of options: the command has an option for each
    field, which is annotated as a parameter is, and the heading of the group in the help is the
    `panel` of the class. The exit code is 2 if an argument is wrong, 1 if the work fails or a file
    cannot be read or written, 130 after Ctrl-C and 143 after SIGTERM.
    """
    hints = get_type_hints(run, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = list(_parameters(run, hints, groups))
    names = {one.name: _shown(one) for one in parameters}

    @wraps(run)
    def guarded(*args: Any, **kwargs: Any) -> None:
        with noted_interrupts() as interrupts, warnings.catch_warnings():
            warnings.showwarning = _warn
            if kwargs.get("quiet"):
                warnings.simplefilter("ignore")
            try:
                made = {  # before a group takes the name of an option
                    name: group(**{one.name: kwargs.pop(one.name) for one in fields(group)})
                    for name, group in groups.items()
                }
                try:
                    run(*args, **kwargs, **made)
                finally:  # an import that is interrupted, for example, can raise ImportError
                    interrupts.check()
            except KeyboardInterrupt:
                code = SIGNALLED + (interrupts.number or signal.SIGINT)
                raise _end("interrupted", "", code) from None
            except WRONG as error:
                raise _end("error ", _told(error, names), USAGE) from None
            except (FailedError, LearningModelError) as error:
                raise _end("error ", str(error), FAILURE) from None
            except ImportError as error:  # also of a package too large for the memory
                line = f"{error}; `bilad doctor` says what is missing"
                raise _end("error ", line, FAILURE) from None
            except (MemoryError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and str(error) != NO_THREAD:
                    raise
                raise _end("error ", f"not enough memory: {error}", FAILURE) from None
            except OSError as error:
                if error.errno == errno.EPIPE:  # the process that read our output has ended
                    raise
                where = f"{error.filename}: " if error.filename else ""
                raise _end("error ", f"{where}{error.strerror or error}", FAILURE) from None

    guarded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    guarded.__annotations__ = {one.name: one.annotation for one in parameters}
    return guarded


def _parameters(
    run: Callable[..., None], hints: dict[str, Any], groups: dict[str, Any]
) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a command: its own, and the fields of its groups."""
    for own in inspect.signature(run).parameters.values():
        if own.name not in groups:
            yield own.replace(annotation=hints[own.name], kind=own.KEYWORD_ONLY)
            continue
        group = groups[own.name]
        types = get_type_hints(group, include_extras=True)
        for field in fields(group):
            kind, option = get_args(types[field.name])
            option = copy(option)
            option.rich_help_panel = group.panel
            default = own.empty if field.default is MISSING else field.default
            annotation: Any = Annotated[kind, option]
            yield own.replace(
                name=field.name, default=default, annotation=annotation, kind=own.KEYWORD_ONLY
            )


def _shown(parameter: inspect.Parameter) -> str:
    """Return the name of a parameter on the command line."""
    for info in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(info, OptionInfo):
            return f"--{parameter.name.replace('_', '-')}"
        if isinstance(info, ArgumentInfo) and info.metavar:
            return info.metavar
    return parameter.name


def _told(error: Exception, names: Mapping[str, str]) -> str:
    """Return the message of an error, with the names that its argument has on the command line."""
    if not isinstance(error, ArgumentError):
        return str(error)
    word, _, rest = error.argument.partition(" ")
    name = " ".join([names.get(word, word), *([rest] if rest else [])])
    return f"{name}: got {error.given}, expected {error.expected}"


def _warn(message: Warning | str, *where: Any, **more: Any) -> None:
    """Print a warning in one line, without the place in the code that issued it."""
    line = f"[bold yellow]warning[/] {escape(str(message))}"
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


def _end(what: str, why: str, code: int) -> typer.Exit:
    line = f"[bold red]{what}[/]{escape(why)}"
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
    return typer.Exit(code)


class Program(TyperGroup):
    """A program of several commands, whose wrong options are reported as other wrong arguments."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command, and end with its exit code."""
        standalone = extra.pop("standalone_mode", True)
        try:
            code = super().main(*args, **(extra | {"standalone_mode": False}))
        except UsageError as error:
            code = _end("error ", _fault(error), USAGE).exit_code
        if standalone:
            sys.exit(code or 0)
        return code

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the first argument names, and the other arguments."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            ctx.fail(f"no such command: {name}{did_you_mean(name, self.commands)}")
        return super().resolve_command(ctx, args)


def _given(error: Any) -> str:
    """Return the value that was given, which the message of newer versions of Typer omits."""
    found = error.__cause__ or error.__context__
    return f"got {found.errors()[0]['input']!r}: " if hasattr(found, "errors") else ""


def _fault(error: Any) -> str:
    """Return what is wrong with the command line, in one line."""
    context, name = error.ctx, getattr(error, "option_name", None)
    told = error.format_message().rstrip(".")
    if name is not None and context is not None:
        known = [one for option in context.command.params for one in option.opts]
        told = f"no such option: {name}{did_you_mean(name, known)}"
    elif isinstance(error, typer.BadParameter) and error.message and error.param is not None:
        told = f"{error.param.opts[0]}: {_given(error)}{error.message.rstrip('.')}"
    where = "" if context is None else f" (see {context.command_path} --help)"
    return f"{told[:1].lower()}{told[1:]}{where}"
