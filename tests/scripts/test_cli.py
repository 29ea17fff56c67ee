"""The command line: the files it writes, its exit codes and its messages."""

import io
import sys
from types import SimpleNamespace

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


def test_ctrl_c_during_the_import_ends_without_a_traceback(monkeypatch, capsys):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "bilad.scripts.cli")
    monkeypatch.setattr(sys, "meta_path", [SimpleNamespace(find_spec=interrupted)])
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_characters_that_the_output_cannot_encode_are_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    monkeypatch.setattr("bilad.scripts.cli.main", lambda: print("größe", end=""))
    program.main()
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue() == rb"gr\xf6\xdfe"
