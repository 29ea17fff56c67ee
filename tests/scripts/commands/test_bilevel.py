"""`bilad bilevel`: what it prints and writes of the models of a file, and what it refuses."""

import contextlib
import importlib
import json
import signal

import pandas as pd
import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app

FILE = '''
import pyomo.environ as pyo
from bilad.formulations import Follower

print("printed by the file")


def bard():
    """Bard (1998), Example 5.1.1: optimum -12 at (4, 4)."""
    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(0, None))
    m.lower = Follower()
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.cost = pyo.Objective(expr=y)
    m.lower.rows = pyo.ConstraintList()
    for row in (m.x + y >= 3, y <= 2 * m.x, 2 * m.x + y <= 12, 3 * m.x - 2 * y <= 4):
        m.lower.rows.add(row)
    m.cost = pyo.Objective(expr=m.x - 4 * y)
    return m


def nonconvex():
    m = bard()
    m.lower.del_component("cost")
    m.lower.cost = pyo.Objective(expr=-m.lower.y**2)
    return m


def problems():
    return {"bard": (bard(), -12.0), "other": bard()}


def mixed():
    return {"bad": nonconvex(), "bard": bard()}


def without_follower():
    return pyo.ConcreteModel()


def numbers():
    return {"one": 1}


def nothing():
    return {}


def exits():
    raise SystemExit(3)


def fails():
    return 1 / 0
'''


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toll.py").write_text(FILE)
    return tmp_path / "toll.py"


def run(*arguments):
    return CliRunner().invoke(app, ["bilevel", *map(str, arguments)])


def test_the_models_of_a_file_are_solved():
    result = run("toll.py")
    assert result.exit_code == 0, result.output
    assert "bilevel 2/2: other: auto optimal" in result.stderr
    rows = pd.read_csv("results/bilevel/toll/bilevel.csv")
    assert rows.problem.tolist() == ["bard", "bard", "other"]
    assert rows.objective.tolist() == pytest.approx([-12.0] * 3)
    assert rows.bound[0] == pytest.approx(-12.0)
    values = pd.read_csv("results/bilevel/toll/values.csv")
    assert values.variable.tolist() == ["x", "lower.y"] * 2
    assert values.value.tolist() == pytest.approx([4.0] * 4)
    assert "printed by the file" not in result.stdout
    again = run("toll.py")
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_several_methods_are_compared_and_printed_as_json():
    given = ["toll.py", "--function", "bard", "--method", "kkt,branching", "--starts", 2]
    result = run(*given, "--json", "--quiet")
    assert result.exit_code == 0
    assert "kkt" not in result.stderr
    record = json.loads(result.stdout)
    assert record["options"]["starts"] == 2
    (found,) = record["result"]
    assert found["solutions"]["branching"]["status"] == "optimal"
    assert found["solutions"]["kkt"]["objective"] >= -12 - 1e-6
    assert found["values"] == pytest.approx({"x": 4.0, "lower.y": 4.0})


def test_a_model_that_is_refused_costs_no_other():
    result = run("toll.py", "--function", "mixed", "--csv")
    assert result.exit_code == 1
    assert "error bad: follower 'lower': got 'lower.cost', whose curvature is -2" in result.stderr
    assert "bard,auto,optimal,-12" in result.stdout


def test_an_interrupt_keeps_the_models_that_are_finished(monkeypatch):
    """The interrupt comes within a solve, which returns its best result so far."""
    module = importlib.import_module("bilad.scripts.commands.bilevel")
    solve = module.compare_bilevel

    def interrupted(*arguments, **options):
        found = solve(*arguments, **options)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(module, "compare_bilevel", interrupted)
    result = run("toll.py")
    assert result.exit_code == 130
    assert pd.read_csv("results/bilevel/toll/bilevel.csv").problem.unique().tolist() == ["bard"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--function", "without_follower"], "without an active Follower"),
        (["--function", "numbers"], "toll.py, 'one': got int, expected a model of Pyomo"),
        (["--function", "exits"], "toll.py: got SystemExit: 3"),
        (["--function", "fails"], "toll.py: got ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_argument_is_answered_before_any_file(arguments, message, tmp_path):
    result = run("toll.py", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "none.py: got 'utf-8' codec can't decode"),
        (b"import no_such_module", "No module named 'no_such_module'"),
        (b"import sys; sys.exit()", "none.py: got SystemExit"),
    ],
)
def test_a_file_that_cannot_be_executed(content, message, tmp_path):
    (tmp_path / "none.py").write_bytes(content)
    result = run("none.py")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
