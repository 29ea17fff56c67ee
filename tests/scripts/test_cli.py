"""The command line: the files it writes, its exit codes and its messages."""

import io
import signal
import sys

import pytest
from typer.testing import CliRunner

from bilad import __main__ as program
from bilad.scripts.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("parts", [["all", "foo"], ["foo", "all"], ["all", "all", ""], ["All"]])
def test_a_part_that_there_is_not_beside_all(parts, tmp_path):
    result = run("reproduce", *parts, "--quick", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "parts: got '" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("before", "then"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
)
def test_ctrl_c_during_the_import_ends_the_process_unless_it_is_ignored(monkeypatch, before, then):
    found = []
    monkeypatch.setattr(
        "bilad.scripts.cli.main", lambda: found.append(signal.getsignal(signal.SIGINT))
    )
    old = signal.signal(signal.SIGINT, before)
    try:
        program.main()
    finally:
        signal.signal(signal.SIGINT, old)
    assert found == [then]


def test_characters_that_the_output_cannot_encode_are_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    monkeypatch.setattr("bilad.scripts.cli.main", lambda: print("größe", end=""))
    program.main()
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue() == rb"gr\xf6\xdfe"
