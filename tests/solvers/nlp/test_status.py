"""Every exit has a name: by the tables, and by problems that end that way."""

import math
import re

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import IpoptSession, NlpStatus
from bilad.solvers.nlp.casadi_engine import CasadiProgram


def line(expr, **bounds):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.0, **bounds)
    m.cost = pyo.Objective(expr=expr(m.x))
    return m


def rosenbrock(n=2):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(range(n), initialize=-1.2)
    m.cost = pyo.Objective(
        expr=sum(100 * (m.x[i + 1] - m.x[i] ** 2) ** 2 + (1 - m.x[i]) ** 2 for i in range(n - 1))
    )
    return m


@pytest.mark.parametrize("status", set(NlpStatus) - {NlpStatus.UNKNOWN})
def test_every_status_has_words_of_both_engines(status):
    names, lines = [], []
    for words in status.words:
        (names if re.fullmatch(r"\w+_\w+", words) else lines).append(words)
        for text in (words, words.lower(), f" {words}. More."):
            assert NlpStatus.of(text) is status
    assert names
    assert lines


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Optimal Solution Found.", NlpStatus.OPTIMAL),
        ("Optimal Solution Found", NlpStatus.OPTIMAL),
        ("Converged to a locally infeasible point. Problem may be infeasible.", "infeasible"),
        ("Maximum CPU Time Exceeded.", NlpStatus.TIME_LIMIT),
        ("INTERNAL ERROR: Unknown SolverReturn value", NlpStatus.INTERNAL_ERROR),
        ("Unknown Error", NlpStatus.UNKNOWN),
        ("", NlpStatus.UNKNOWN),
    ],
)
def test_words_of_the_executable(words, status):
    assert NlpStatus.of(words) is NlpStatus(status)


def test_unknown_return_status():
    assert NlpStatus.of("Something_New") is NlpStatus.UNKNOWN


def test_infeasible(engine):
    m = line(lambda x: x, bounds=(-5, 5))
    m.row = pyo.Constraint(expr=m.x**2 <= -1)
    result = IpoptSession(m, engine=engine).solve()
    assert result.status is NlpStatus.INFEASIBLE, result.message
    assert result.objective == pytest.approx(pyo.value(m.cost))


@pytest.mark.parametrize("expr", [lambda x: x, lambda x: -(x**2)], ids=["linear", "concave"])
def test_unbounded(engine, expr):
    options = {"diverging_iterates_tol": 1e6}
    result = IpoptSession(line(expr), options, engine).solve()
    assert result.status is NlpStatus.UNBOUNDED, result.message
    assert result.objective < -1e6


def test_iteration_limit(engine):
    result = IpoptSession(rosenbrock(), {"max_iter": 3}, engine).solve()
    assert result.status is NlpStatus.ITERATION_LIMIT, result.message
    assert result.iterations == 3
    assert math.isfinite(result.objective)


def test_time_limit(engine, monkeypatch):
    # A busy machine may need long to start the executable, which must not be killed before.
    monkeypatch.setattr("bilad.solvers.nlp.executable_engine.GRACE_SECONDS", 60.0)
    m = rosenbrock(200)
    result = IpoptSession(m, engine=engine).solve(time_limit=1e-4)
    assert result.status is NlpStatus.TIME_LIMIT, result.message
    assert result.objective is not None
    assert result.seconds < 30


def test_time_limit_is_of_one_solve_only():
    m = rosenbrock(30)
    session = IpoptSession(m, engine="casadi")
    assert session.solve(time_limit=1e-6).status is NlpStatus.TIME_LIMIT
    assert session.solve().status is NlpStatus.OPTIMAL
    assert session.solve(time_limit=60.0).status is NlpStatus.OPTIMAL


def test_ipopts_own_time_limit(engine):
    result = IpoptSession(rosenbrock(200), {"max_wall_time": 1e-6}, engine).solve()
    assert result.status is NlpStatus.TIME_LIMIT, result.message


def test_nan_at_the_start_leaves_the_model_alone(engine, capfd):
    m = line(lambda x: pyo.log(x - 5) + x**2)
    result = IpoptSession(m, engine=engine).solve()
    assert result.status is NlpStatus.INVALID_NUMBER, result.message
    assert result.objective is None
    assert m.x.value == 1.0
    assert not result.duals
    assert not result.reduced_costs
    assert capfd.readouterr() == ("", "")


def test_too_few_degrees_of_freedom():
    m = line(lambda x: x)
    m.row = pyo.Constraint(range(3), rule=lambda m, i: m.x == i)
    program = IpoptSession(m, engine="casadi")
    result = program.solve()
    assert result.status is NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM, result.message
    assert result.objective is None


def test_user_stop_that_we_did_not_ask_for(monkeypatch):
    session = IpoptSession(rosenbrock(), engine="casadi")
    program = session._program
    assert isinstance(program, CasadiProgram)
    monkeypatch.setattr(program._deadline, "eval", lambda _: [1])
    assert session.solve().status is NlpStatus.USER_STOP
