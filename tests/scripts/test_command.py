"""Exit codes and messages of commands, without tracebacks."""

import contextlib
import errno
import importlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
import typer
from typer.testing import CliRunner

import bilad
from bilad.models import ArgumentError
from bilad.models.learning.learning_model import LearningModelError
from bilad.scripts.cli import app
from bilad.scripts.command import Program, command
from bilad.scripts.options import OutputOptions
from bilad.scripts.output import Output
from bilad.solvers.nlp import EngineError


def swallowed(number):
    """Catch an interrupt, as an attack does that returns its best result so far."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(number)


def raising(error):
    raise error


def turned(number):
    """Turn an interrupt into another exception, as an import of compiled code does."""
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt:
        raise ImportError("initialization failed") from None


FULL = OSError(errno.ENOSPC, "No space left on device", "rows.csv")
ENDS = [
    (lambda: raising(ArgumentError("seed", "x", "a number")), 2, "seed: got x, expected a number"),
    (lambda: raising(EngineError("ipopt", "not found")), 2, "ipopt"),
    (lambda: raising(FULL), 1, "rows.csv: No space left on device"),
    (lambda: raising(MemoryError("8 GB")), 1, "error not enough memory: 8 GB"),
    (
        lambda: raising(ImportError("x.so: failed to map")),
        1,
        "error x.so: failed to map; `bilad doc",
    ),
    (lambda: raising(LearningModelError("of scikit-learn")), 1, "error of scikit-learn"),
    (lambda: raising(KeyboardInterrupt), 130, "interrupted"),
    (lambda: signal.raise_signal(signal.SIGINT), 130, "interrupted"),
    (lambda: swallowed(signal.SIGINT), 130, "interrupted"),
    (lambda: turned(signal.SIGINT), 130, "interrupted"),
    (lambda: signal.raise_signal(signal.SIGTERM), 143, "interrupted"),
    (lambda: swallowed(signal.SIGTERM), 143, "interrupted"),
    (lambda: raising(typer.Exit(3)), 3, ""),
    (lambda: None, 0, ""),
]


def run(work, out):
    single = typer.Typer()
    calls = []

    @single.command()
    @command
    def only(out: Path) -> None:
        calls.append(out)
        work()

    return CliRunner().invoke(single, [str(out)]), calls


@pytest.mark.parametrize(("work", "code", "message"), ENDS)
def test_a_command_ends_with_a_code_and_a_line(work, code, message, tmp_path):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result, _ = run(work, tmp_path)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_fault_of_ours_keeps_its_traceback(tmp_path):
    result, _ = run(lambda: raising(ValueError("a bug")), tmp_path)
    assert isinstance(result.exception, ValueError)


def test_what_is_ignored_stays_so(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(lambda: signal.raise_signal(signal.SIGINT), tmp_path)[0].exit_code == 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that root cannot write to")
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(tmp_path):
    def work():
        Output(OutputOptions(out=Path("/proc/bilad")), "build")
        raise AssertionError

    result, _ = run(work, tmp_path)
    assert result.exit_code == 1
    assert "error /proc/bilad: " in result.output


def test_every_command_ends_so():
    commands = [importlib.import_module("bilad.scripts.benchmark_lower").benchmark]
    commands += [importlib.import_module("bilad.scripts.soak.__main__").soak]
    commands += [one.callback for one in app.registered_commands]
    assert {one.__code__ for one in commands} == {command(lambda: None).__code__}


@dataclass(frozen=True)
class Size:
    """A group of options."""

    panel: ClassVar = "Of the size"

    height: Annotated[int, typer.Option(help="How high.")] = 3
    is_wide: Annotated[bool, typer.Option("--wide", help="Whether it is wide.")] = False


def program():
    """Return a program with two commands, and the sizes with which they are called."""
    made, calls = typer.Typer(cls=Program), []

    @made.command()
    @command
    def build(name: Annotated[str, typer.Argument(help="A name.")], size: Size) -> None:
        calls.append((name, size))

    @made.command()
    @command
    def destroy() -> None:
        calls.append(None)

    return made, calls


def test_the_fields_of_a_group_are_options():
    made, calls = program()
    assert CliRunner().invoke(made, ["build", "x", "--height", "5", "--wide"]).exit_code == 0
    assert CliRunner().invoke(made, ["build", "y"]).exit_code == 0
    assert calls == [("x", Size(5, True)), ("y", Size())]
    assert "Of the size" in CliRunner().invoke(made, ["build", "--help"]).output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("biuld x", "error no such command: biuld; did you mean 'build'?"),
        ("build x --hieght 3", "error no such option: --hieght; did you mean '--height'?"),
        ("build x --zzz", "error no such option: --zzz (see"),
        ("build x --height a", "error --height: "),
        ("build", "error missing argument "),
        ("build x y", "error got unexpected extra argument"),
        ("build x --height", "error option '--height' requires an argument"),
    ],
)
def test_a_wrong_command_line_is_one_line_on_stderr(line, said):
    made, calls = program()
    result = CliRunner().invoke(made, line.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1
    assert (result.stdout, calls) == ("", [])


def test_the_version_and_the_help():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.stdout, result.exit_code) == (f"bilad {bilad.__version__}\n", 0)
    result = CliRunner().invoke(app, [])
    assert "compare" in result.stdout
    assert result.exit_code == 2
