"""The command line: the files it writes, its exit codes and its messages."""

import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_part_that_there_is_not(tmp_path):
    result = run("reproduce", "fig4", "fig9", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "parts: got 'fig9', expected one of '" in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("parts", [["all", "foo"], ["foo", "all"], ["all", "all", ""], ["All"]])
def test_a_part_that_there_is_not_beside_all(parts, tmp_path):
    result = run("reproduce", *parts, "--quick", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "parts: got '" in result.output
    assert not (tmp_path / "out").exists()
