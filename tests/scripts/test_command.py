"""Exit codes and messages of commands, without tracebacks."""

import contextlib
import errno
import importlib
import signal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bilad.models import ArgumentError
from bilad.scripts.cli import app
from bilad.scripts.command import command
from bilad.solvers.nlp import EngineError


def swallowed(number):
    """Catch an interrupt, as an attack does that returns its best result so far."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(number)


def raising(error):
    raise error


FULL = OSError(errno.ENOSPC, "No space left on device", "rows.csv")
ENDS = [
    (lambda: raising(ArgumentError("seed", "x", "a number")), 2, "seed: got x, expected a number"),
    (lambda: raising(EngineError("ipopt", "not found")), 2, "ipopt"),
    (lambda: raising(FULL), 1, "rows.csv: No space left on device"),
    (lambda: raising(KeyboardInterrupt), 130, "interrupted: finished rows are in"),
    (lambda: signal.raise_signal(signal.SIGINT), 130, "interrupted"),
    (lambda: swallowed(signal.SIGINT), 130, "interrupted"),
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
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work():
    result, calls = run(lambda: None, "/proc/bilad")
    assert result.exit_code == 1
    assert "/proc/bilad: " in result.output
    assert calls == []


def test_every_command_ends_so():
    alone = {
        "benchmark_lower": "benchmark",
        "certify": "certify",
    }
    commands = [getattr(importlib.import_module(f"bilad.scripts.{m}"), f) for m, f in alone.items()]
    commands += [one.callback for one in app.registered_commands]
    assert {one.__code__ for one in commands} == {command(raising).__code__}
