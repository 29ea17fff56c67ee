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


@pytest.mark.parametrize(
    "keywords",
    [
        {"keepfiles": False},
        {"report_timing": False},
        {"symbolic_solver_labels": False},
        {"warmstart": True},
        {"logfile": None},
        {"suffixes": ["dual", "rc"]},
        {"suffixes": [".*"]},
        {"tee": False},
    ],
    ids=str,
)
def test_keywords_of_pyomo(keywords):
    m = model()
    assert pyo.check_optimal_termination(pyo.SolverFactory("bilad_ipopt").solve(m, **keywords))
    assert m.x.value == pytest.approx(2)


def test_keywords_without_meaning_are_named():
    solver = pyo.SolverFactory("bilad_ipopt")
    keywords = {"keepfiles": True, "symbolic_solver_labels": True, "suffixes": ["slack", "dual"]}
    with pytest.warns(
        RuntimeWarning, match="ignores keepfiles, symbolic_solver_labels, suffix slack$"
    ):
        assert pyo.check_optimal_termination(solver.solve(model(), **keywords))
    with pytest.raises(TypeError, match="bilad_ipopt: unknown keyword kepfiles"):
        solver.solve(model(), kepfiles=True)


def test_log_file(engine, tmp_path):
    log = tmp_path / "ipopt.log"
    pyo.SolverFactory("bilad_ipopt", engine=engine).solve(model(), logfile=log)
    assert "Optimal Solution Found" in log.read_text()


@pytest.mark.usefixtures("no_ipopt")
def test_keywords_of_the_factory(caplog):
    assert pyo.SolverFactory("bilad_ipopt", solver_io="nl").available()
    assert pyo.SolverFactory("bilad_ipopt", executable="ipopt").available()
    with pytest.warns(RuntimeWarning, match="no `elsewhere/ipopt` on PATH"):
        assert pyo.SolverFactory("bilad_ipopt", executable="elsewhere/ipopt").available()
    pyo.SolverFactory("bilad_ipopt", solver_io="lp")
    assert "solver_io: expected 'nl', given 'lp'" in caplog.text


def test_executable_by_its_path(double, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    results = pyo.SolverFactory("bilad_ipopt", executable=double).solve(model())
    assert results.solver.name.startswith("IPOPT executable")


def test_load_from_later(engine):
    m = model()
    m.outside = pyo.Var(initialize=7.0)
    m.b = pyo.Block()
    m.b.y = pyo.Var(initialize=1.0)
    m.b.cost = pyo.Objective(expr=(m.outside - 1) ** 2 + (m.b.y - m.x) ** 2)
    m.b.row = pyo.Constraint(expr=m.b.y <= 3)
    solver = pyo.SolverFactory("bilad_ipopt", engine=engine)
    results = solver.solve(m.b, load_solutions=False)
    assert (m.x.value, m.outside.value, m.b.y.value) == (1.0, 7.0, 1.0)
    str(results)
    m.solutions.load_from(results)
    assert m.outside.value == pytest.approx(1)
    assert m.b.y.value == pytest.approx(m.x.value)
    m.b.deactivate()
    results = solver.solve(m, load_solutions=False)
    m.solutions.load_from(results)
    assert m.x.value == pytest.approx(2)
    assert m.dual[m.row] == pytest.approx(-0.25, abs=1e-6)
    assert m.rc[m.x] == pytest.approx(0, abs=1e-6)


def test_nothing_to_load():
    m = model()
    m.cost.set_value(pyo.log(m.x - 5))
    results = pyo.SolverFactory("bilad_ipopt").solve(m, load_solutions=False)
    assert len(results.solution) == 0


@pytest.mark.filterwarnings("ignore")
def test_pyros_runs():
    """A convex case: min over x of the largest q x^2 - 2x, 0.5 <= q <= 1.5, where q = 1.5."""
    import pyomo.contrib.pyros as pyros

    m = pyo.ConcreteModel()
    m.q = pyo.Param(initialize=1.0, mutable=True)
    m.x = pyo.Var(initialize=0.0, bounds=(-5, 5))
    m.z = pyo.Var(initialize=0.0, bounds=(-50, 50))
    m.row = pyo.Constraint(expr=m.z >= m.q * m.x**2 - 2 * m.x)
    m.cost = pyo.Objective(expr=m.z)
    solver = pyo.SolverFactory("bilad_ipopt")
    found = pyo.SolverFactory("pyros").solve(
        model=m,
        first_stage_variables=[m.x, m.z],
        second_stage_variables=[],
        uncertain_params=[m.q],
        uncertainty_set=pyros.BoxSet([(0.5, 1.5)]),
        local_solver=solver,
        global_solver=solver,
        objective_focus=pyros.ObjectiveType.worst_case,
        solve_master_globally=True,
    )
    assert found.pyros_termination_condition == pyros.pyrosTerminationCondition.robust_optimal
    assert m.x.value == pytest.approx(1 / 1.5, abs=1e-3)
    assert found.final_objective_value == pytest.approx(-1 / 1.5, abs=1e-4)
