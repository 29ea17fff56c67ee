"""`pyo.SolverFactory("bilad_ipopt")` behaves like Pyomo's own solvers."""

import pyomo.environ as pyo
import pytest
from pyomo.opt import SolverStatus, TerminationCondition

import bilad.solvers.nlp
from bilad.solvers.nlp.pyomo_plugin import TERMINATION


def model(sense=pyo.minimize):
    m = pyo.ConcreteModel(name="small")
    m.x = pyo.Var(initialize=1.0, bounds=(0, 10))
    m.cost = pyo.Objective(expr=m.x if sense == pyo.maximize else -m.x, sense=sense)
    m.row = pyo.Constraint(expr=m.x**2 <= 4)
    m.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    m.rc = pyo.Suffix(direction=pyo.Suffix.IMPORT)
    return m


@pytest.mark.parametrize("sense", [pyo.minimize, pyo.maximize], ids=["min", "max"])
def test_solve(engine, sense):
    m = model(sense)
    with pyo.SolverFactory("bilad_ipopt", engine=engine) as solver:
        assert solver.available()
        assert solver.version() >= (3, 0, 0)
        results = solver.solve(m)
    assert pyo.check_optimal_termination(results)
    assert m.x.value == pytest.approx(2)
    sign = 1 if sense == pyo.maximize else -1
    assert m.dual[m.row] == pytest.approx(0.25 * sign, abs=1e-6)
    assert m.rc[m.x] == pytest.approx(0, abs=1e-6)
    side = results.problem.lower_bound if sense == pyo.maximize else results.problem.upper_bound
    assert side == pytest.approx(2 * sign)
    assert results.problem.sense == sense
    assert results.solver.time > 0
    assert results.solver.name.startswith("IPOPT")


def test_options_and_limits():
    solver = pyo.SolverFactory("bilad_ipopt", engine="casadi", options={"max_iter": 1})
    results = solver.solve(model())
    assert results.solver.termination_condition == TerminationCondition.maxIterations
    assert results.solver.status == SolverStatus.warning
    assert results.solver.message == "Maximum_Iterations_Exceeded"
    solver.options["max_iter"] = 2
    solver.options.tol = 1e-7
    assert pyo.check_optimal_termination(solver.solve(model(), options={"max_iter": 100}))
    late = solver.solve(model(), timelimit=1e-9)
    assert late.solver.termination_condition == TerminationCondition.maxTimeLimit


def test_without_loading():
    m = model()
    results = pyo.SolverFactory("bilad_ipopt").solve(m, load_solutions=False)
    assert pyo.check_optimal_termination(results)
    assert m.x.value == 1.0
    assert not m.dual


def test_tee(engine, capfd):
    pyo.SolverFactory("bilad_ipopt", engine=engine).solve(model(), tee=True)
    assert "EXIT: Optimal Solution Found." in capfd.readouterr().out


@pytest.mark.usefixtures("no_ipopt")
def test_not_available():
    solver = pyo.SolverFactory("bilad_ipopt", engine="executable")
    assert not solver.available()
    with pytest.raises(bilad.solvers.nlp.EngineError):
        solver.available(exception_flag=True)


def test_every_status_has_a_condition():
    assert set(TERMINATION) == set(bilad.solvers.nlp.NlpStatus)
