"""Users can name, write, change and solve the Pyomo model with the tools of Pyomo."""

import itertools
import re

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr import identify_variables
from support.bilevel_problems import (
    NORMS,
    REFORMULATIONS,
    formulate,
    make_case,
    violations,
)

from bilad.formulations.schedule import ScheduleStage
from bilad.models import MinPerturbation
from bilad.solvers import cluster
from bilad.solvers.nlp import IpoptSession

STAGE = ScheduleStage(0.2, 0.5)
OPTIONS = {"tol": 1e-8, "max_iter": 500}


# The gradient of Kanzow and Schwartz's row vanishes where its pieces meet: tighter, IPOPT stops.
LOOSE = ScheduleStage(2, 0.5)


def opened(name, problem, stage=STAGE, **writing):
    """The reformulation at the starting point eps = 0, and a function that resets it."""
    baseline = cluster(problem.model, tol=1e-10)
    built = formulate(name, problem, baseline, **writing)

    def restart():
        built.start_from(np.zeros(problem.perturbation.dim), baseline)
        built.set_stage(stage)

    restart()
    return built, restart


def nl_header(path):
    lines = path.read_text().splitlines()
    return [int(number) for number in lines[1].split()[:2]]


@pytest.mark.pairwise(name=REFORMULATIONS, p=NORMS, perturbation=["additive", "edges"])
def test_written_as_nl_with_every_component(tmp_path, name, p, perturbation):
    built, _ = opened(name, make_case(p, 2, perturbation, "knn"))
    built.model.write(str(tmp_path / "model.nl"))
    variables, rows = nl_header(tmp_path / "model.nl")
    used = {
        id(v)
        for row in built.model.component_data_objects((pyo.Constraint, pyo.Objective), active=True)
        for v in identify_variables(row.expr)
    }
    assert variables == len(used)
    assert rows == len(list(built.model.component_data_objects(pyo.Constraint)))


@pytest.mark.parametrize("norm", NORMS)
def test_the_feasible_set_of_eps_and_stationarity_are_written_as_lp(tmp_path, norm):
    """The linear part of a reformulation is a linear program (with a cone for norm 2)."""
    problem = make_case(np.inf, 2, "additive", norm=norm)
    built, _ = opened("scholtes", problem)
    model = built.model
    model.relaxed.deactivate()
    model.goal.deactivate()
    model.some = pyo.Objective(expr=model.eps[0] + model.x[0, 0])
    path = tmp_path / "model.lp"
    model.write(str(path), io_options={"symbolic_solver_labels": True})
    text = path.read_text()
    assert "stationarity(0_0)" in text
    assert ("[" in text) == (norm == 2)
    # All rows but the cone, by name.
    assert text.count("_difference(") == 15 * 2
    for k in range(2):
        assert f"eps({k})" in text


@pytest.mark.parametrize(
    ("name", "p"), list(zip(REFORMULATIONS, itertools.cycle(NORMS), strict=False))
)
def test_solved_through_pyomo_as_through_a_session(name, p):
    stage = LOOSE if name == "kanzow-schwartz" else STAGE
    built, restart = opened(name, make_case(p, 2, "additive", "knn"), stage)
    values = []
    for way in ("session", "factory"):
        restart()
        if way == "session":
            IpoptSession(built.model, OPTIONS).solve()
        else:
            solver = pyo.SolverFactory("bilad_ipopt")
            outcome = solver.solve(built.model, options=OPTIONS)
            assert outcome.solver.termination_condition == pyo.TerminationCondition.optimal
        points = [v.value for v in built.model.x.values()]
        values.append((pyo.value(built.model.goal), *built.eps(), *points))
    assert values[0] == pytest.approx(values[1], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("perturbation", ["shift", "multiplicative", "edges"])
@pytest.mark.parametrize("name", ["scholtes", "duality", "value function"])
def test_a_row_that_is_added_is_kept(name, perturbation):
    """The solution of the model without the constraint violates it."""
    problem = make_case(2, 2, perturbation, "knn")
    built, restart = opened(name, problem)
    model = built.model
    session = IpoptSession(model, OPTIONS)
    session.solve()
    free = np.array([model.eps[k].value for k in model.parameters])
    k = int(np.abs(free).argmax())
    limit = 0.3 * free[k]
    assert abs(limit) > 1e-3
    sign = np.sign(limit)
    model.own = pyo.Constraint(expr=sign * model.eps[k] <= sign * limit)
    restart()
    IpoptSession(model, OPTIONS).solve()
    assert sign * model.eps[k].value <= sign * limit + 1e-6
    assert max(violations(model).values()) < 1e-5
    assert problem.size(built.eps()) <= problem.radius


@pytest.mark.parametrize(
    ("name", "norm"), list(zip(REFORMULATIONS, itertools.cycle(NORMS), strict=False))
)
def test_components_have_readable_names(name, norm):
    """Names are letters and underscores; indices are points, features, edges or entries of eps."""
    problem = make_case(2, 2, "edges", "knn", norm=norm, kind=MinPerturbation, budget=1, limit=1.5)
    built, _ = opened(name, problem)
    pattern = re.compile(r"[A-Za-z][A-Za-z_]*(\[\d+(,\d+)*\])?")
    components = list(built.model.component_data_objects((pyo.Constraint, pyo.Var)))
    assert len(components) > 30
    for component in components:
        assert pattern.fullmatch(str(component)), str(component)
    names = {str(component) for component in components}
    first = next(iter(built.conditions.ends))
    expected = {"eps[0]", "x[0,0]", "t", "width", "target"}
    expected |= {
        "aggregate": {"duality_gap", f"difference[{first},0]"},
        "duality": {f"fenchel_young[{first}]", "stationarity[0,0]"},
        "value function": {"value_bound", "value_slope[0]", "mu"},
        "penalty": {"stationarity[0,0]"},
        "smoothing": {"stationarity[0,0]", "mu"},
    }.get(name, {f"difference[{first},0]", f"relaxed[{first},0,0]", "stationarity[0,0]"})
    assert expected <= names
    assert str(built.model) == REFORMULATIONS[name][0].replace.name


@pytest.mark.parametrize("name", REFORMULATIONS)
def test_nothing_is_fixed_and_parameters_are_variables_with_equal_bounds(name):
    """Therefore each stage only changes bounds of a program that is already built."""
    built, _ = opened(name, make_case(2, 2, "edges"))
    assert not any(v.fixed for v in built.model.component_data_objects(pyo.Var))
    for parameter in (built.model.t, built.model.width):
        assert parameter.lb == parameter.ub == parameter.value
    built.set_stage(ScheduleStage(0.01, 0.02))
    assert built.model.t.ub == 0.01
    assert built.model.width.ub == 0.02 * built.unit


@pytest.mark.parametrize("name", REFORMULATIONS)
def test_a_program_built_once_takes_every_stage(name):
    """A session that solves all stages is compared with one created at the last stage."""
    problem = make_case(2, 1, "shift", "complete")
    built, restart = opened(name, problem)
    session = IpoptSession(built.model, OPTIONS)
    values = []
    for stages in ((1.0, 0.2), (0.2,)):
        restart()
        for t in stages:
            restart()
            built.set_stage(ScheduleStage(t, 0.5))
            session.solve()
        values.append((pyo.value(built.model.goal), *built.eps()))
        session = IpoptSession(built.model, OPTIONS)
    assert values[0] == pytest.approx(values[1], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(
    ("solved", "other"),
    [("scholtes", "fischer-burmeister"), ("fischer-burmeister", "scholtes")],
)
def test_fischer_burmeister_and_scholtes_have_one_feasible_set(solved, other, p):
    """A solution of one of the models is feasible for the other."""
    problem = make_case(p, 2, "additive", "knn")
    (first, _), (second, _) = opened(solved, problem), opened(other, problem)
    IpoptSession(first.model, OPTIONS).solve()
    for variable in second.model.component_data_objects(pyo.Var):
        same = first.model.find_component(variable.name)
        if same is not None:
            variable.set_value(same.value)
    if p == 2 and second.model.component("angle") is not None:
        for e in second.model.edges:
            gap, s = pyo.value(second.conditions.edges.gap(e)), second.model.s[e].value
            second.model.angle[e].set_value(min(max(gap, 0.0) / s, 2.0) if s > 0 else 0.0)
    assert max(violations(second.model).values()) < 1e-5
