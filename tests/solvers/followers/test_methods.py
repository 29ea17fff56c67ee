"""Every method on models with known solutions: problem x method, with one tolerance for each."""

import pyomo.environ as pyo
import pytest
from support.followers import MODELS, bard, cournot, elsewhere, leader

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models.validation import ArgumentError
from bilad.solvers import UnsupportedError, compare_bilevel, solve_bilevel
from bilad.solvers.followers.verification import GAP_TOL, VIOLATION_TOL

TOLERANCE = {"kkt": 1e-4, "duality": 1e-4, "value-function": 0.1, "branching": 1e-7}


def applies(known, method):
    if method == "branching":
        return known.branches
    return method != "value-function" or known.value_function


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name in MODELS for method in TOLERANCE if applies(MODELS[name], method)],
)
def test_a_method_finds_the_solution_and_it_is_verified(name, method):
    m = MODELS[name].write()
    found = solve_bilevel(m, method)
    assert found.termination == "converged"
    assert found.status == ("optimal" if method == "branching" else "feasible")
    assert found.objective == pytest.approx(MODELS[name].value, abs=TOLERANCE[method])
    assert found.lower_gap <= GAP_TOL
    assert found.violation <= VIOLATION_TOL
    (objective,) = m.component_data_objects(pyo.Objective, descend_into=False)
    assert pyo.value(objective) == pytest.approx(found.objective, abs=1e-12)
    for v, value in found.values.items():
        assert v.value == value
    if method == "branching":
        assert found.bound == pytest.approx(found.objective, abs=1e-6)
        assert found.gap <= 1e-6


@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_every_relaxation_solves_bards_problem(relaxation):
    found = solve_bilevel(bard(), "kkt", relaxation=relaxation)
    assert found.solved
    assert found.objective == pytest.approx(-12, abs=1e-4)


@pytest.mark.parametrize("name", ["entropy", "Cournot", "price"])
def test_branching_refuses_what_is_not_linear(name):
    with pytest.raises(UnsupportedError, match="linear KKT conditions"):
        solve_bilevel(MODELS[name].write(), "branching")


def test_auto_branches_where_it_can():
    assert solve_bilevel(bard()).status == "optimal"
    found = solve_bilevel(cournot())
    assert found.status == "feasible"
    assert found.bound is None


def test_stages_are_recorded_with_what_was_recomputed():
    found = solve_bilevel(bard(), "kkt", schedule=[1e-2, 1e-6], starts=2)
    names = [(stage.start, stage.name) for stage in found.stages]
    for start in (0, 1):
        mine = [name for number, name in names if number == start]
        assert mine[0] == "piece of the start"
        assert "t = 0.01" in mine
        assert "polish" in mine
    assert all(stage.violation is not None for stage in found.stages if stage.claimed is not None)
    assert found.claimed == pytest.approx(found.objective, abs=1e-6)


def test_the_same_seed_gives_the_same_point():
    values = [solve_bilevel(bard(), "kkt", starts=2, seed=7).objective for _ in range(2)]
    assert values[0] == values[1]


def test_a_comparison_is_a_table_and_keeps_the_best_point():
    m = bard()
    table = compare_bilevel(m)
    assert list(table) == ["kkt", "duality", "value-function", "branching"]
    assert table["branching"].status == "optimal"
    assert (m.x.value, m.lower.y.value) == pytest.approx((4, 4), abs=1e-6)
    lines = str(table).splitlines()
    assert len(lines) == 5
    assert lines[4].split()[:3] == ["branching", "optimal", "-12"]


def test_a_comparison_shows_what_does_not_apply():
    table = compare_bilevel(cournot(), ("kkt", "branching"))
    assert "branching" in table.refused
    assert "does not apply" in str(table)


@pytest.mark.parametrize("quadratic", [False, True])
def test_an_integer_leader_is_branched_on(quadratic):
    """y = x / 2: x - 2.5 y falls and (x - 2.6)^2 + y is least at 2 among whole numbers."""
    m = leader(3.7)
    m.x.domain = pyo.Integers
    m.lower.y = y = pyo.Var(bounds=(0, None))
    m.lower.row = pyo.Constraint(expr=2 * y >= m.x)
    m.lower.cost = pyo.Objective(expr=y)
    m.cost = pyo.Objective(expr=(m.x - 2.6) ** 2 + y if quadratic else 0.1 * y - m.x)
    found = solve_bilevel(m)
    assert found.status == "optimal"
    assert m.x.value == (2 if quadratic else 3)
    assert found.objective == pytest.approx(1.36 if quadratic else -2.85)
    with pytest.raises(UnsupportedError, match="'x' is not continuous"):
        solve_bilevel(m, "kkt")


def test_limits_end_a_search_with_the_best_so_far():
    m = bard()
    found = solve_bilevel(m, "branching", node_limit=1)
    assert found.termination == "node limit"
    assert found.status in {"feasible", "no solution found"}
    assert found.bound <= -12
    late = solve_bilevel(bard(), "kkt", time_limit=1e-9)
    assert late.termination == "time limit"
    assert late.status == "no solution found"


def test_an_option_that_ipopt_refuses_is_named():
    with pytest.raises(ArgumentError, match="ipopt_options: .*no_such_option"):
        solve_bilevel(elsewhere(), ipopt_options={"no_such_option": 1})
