"""`bilad methods`: the list, and the description of one method."""

import json

import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app
from bilad.solvers.upper import UPPER_METHODS


def run(*arguments):
    return CliRunner().invoke(app, ["methods", *arguments])


def test_every_method_is_listed():
    result = run()
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.output.splitlines() if line.strip()]
    assert set(UPPER_METHODS) | {"ssnal", "clarabel", "branching"} <= set(listed)


def test_a_name_that_two_functions_have_is_described_twice():
    result = run("kkt")
    assert "kkt, a method of attack: reformulation; needs kkt" in result.output
    assert "kkt, a method of solve_bilevel" in result.output
    assert "schedule : sequence of float, default (1.0, 0.01" in result.output
    assert "Scholtes" in result.output


def test_lines_of_a_pipe_are_not_padded():
    assert not [line for line in run("milp").output.splitlines() if line.endswith(" ")]


def test_it_is_printed_as_json():
    (found,) = json.loads(run("greedy", "--json").output)["methods"]
    assert found["function"] == "attack"
    assert found["problems"]["BL1 and BL2"]
    assert len(json.loads(run("--json").output)["methods"]) > 25


def test_a_misspelt_name_is_answered_with_the_nearest():
    result = run("hypergradiant")
    assert result.exit_code == 2
    assert "did you mean 'hypergradient'?" in result.output


def test_the_methods_of_a_python_file(tmp_path, monkeypatch):
    monkeypatch.setattr(UPPER_METHODS, "_known", dict(UPPER_METHODS._known))
    (tmp_path / "own.py").write_text(
        "from bilad.solvers import register_method\n"
        "def prepare(problem, rng, *, tries: int = 3):\n"
        '    """Try points."""\n'
        "register_method('tried', prepare)\n"
    )
    result = run("tried", "--plugins", str(tmp_path / "own.py"))
    assert result.exit_code == 0, result.output
    assert "plug-in (own)" in result.output
    assert "tries : int, default 3" in result.output


@pytest.mark.parametrize(("text", "code"), [(None, 1), ("1 / 0", 2)])
def test_a_file_that_cannot_be_executed(text, code, tmp_path):
    if text is not None:
        (tmp_path / "own.py").write_text(text)
    result = run("--plugins", str(tmp_path / "own.py"))
    assert result.exit_code == code
    assert "own.py" in result.output
