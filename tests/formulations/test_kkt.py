"""The KKT conditions of followers, compared with the same QP solved by Clarabel.

The follower computes the point y nearest to b = 2 a subject to constraints, where a is the first
row of the data, perturbed by eps. Each case is written in Pyomo and in CVXPY.
"""

import itertools
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import pyomo.environ as pyo
import pytest
from support.bilevel_problems import violations

from bilad.formulations.complementarity import RELAXATIONS
from bilad.formulations.reformulations import KKT
from bilad.formulations.schedule import ScheduleStage
from bilad.models import LearningModel, MaxDeviation, Perturbation
from bilad.models.learning.capability import CapabilityError
from bilad.models.learning.learning_model import solve, write_follower
from bilad.solvers import attack
from bilad.solvers.nlp import IpoptSession

TIGHT = ScheduleStage(1e-8, 0.1)
ROWS = [[0.7, 0.2, -0.4], [-0.5, 0.6, 0.1], [0.15, 0.1, 0.2], [-2.0, -1.0, -3.0], [2.0, 3.0, 1.0]]


@dataclass(frozen=True)
class Solved:
    outcome: np.ndarray
    gap: float = 0.0
    proved: bool = True
    status: str = "optimal"

    @property
    def state(self):
        return self.outcome


def misfit(y, b):
    return 0.5 * sum((y[c] - b[c]) ** 2 for c in range(3))


def variables(block, b, **options):
    block.y = pyo.Var(range(3), **options)
    block.misfit = pyo.Objective(expr=misfit(block.y, b))
    return list(block.y.values())


def equality(block, b):
    state = variables(block, b)
    block.whole = pyo.Constraint(expr=sum(state) == 1)
    return state


def inequalities(block, b):
    state = variables(block, b)
    block.above = pyo.Constraint(expr=state[0] >= 0.1)
    block.below = pyo.Constraint(expr=state[0] + state[1] <= 1)
    block.off = pyo.Constraint(expr=state[2] <= -99)
    block.off.deactivate()
    return state


def curved(block, b):
    state = variables(block, b)
    block.disc = pyo.Constraint(expr=sum(v**2 for v in state) <= 1)
    return state


def ranges(block, b):
    state = variables(block, b)
    block.between = pyo.Constraint(expr=(-0.2, state[0] - state[1], 0.3))
    block.limits = pyo.ConstraintList()
    block.limits.add((-1, state[2], 0.25))
    return state


def equal_limits(block, b):
    state = variables(block, b)
    block.most = pyo.Param(initialize=1.0, mutable=True)
    block.whole = pyo.Constraint(expr=(1, sum(state), block.most))
    state[1].setlb(0.25)
    state[1].setub(0.25)
    return state


def bounds(block, b):
    limits = ((0, 0.5), (None, 0.3), (-0.5, None))
    block.y = pyo.Var(range(3), bounds=lambda m, c: limits[c])
    block.misfit = pyo.Objective(expr=misfit(block.y, b))
    return list(block.y.values())


def domains(block, b):
    return variables(block, b, domain=pyo.NonNegativeReals)


def maximised(block, b):
    block.y = pyo.Var(range(3), domain=pyo.NonNegativeReals)
    block.gain = pyo.Objective(expr=-misfit(block.y, b), sense=pyo.maximize)
    block.whole = pyo.Constraint(expr=sum(block.y.values()) <= 1)
    return list(block.y.values())


def fixed(block, b):
    state = variables(block, b, domain=pyo.NonNegativeReals)
    state[2].fix(0.25)
    block.whole = pyo.Constraint(expr=sum(state) <= 1)
    return state


def nested(block, b):
    """Blocks for the features in two layers; an inactive block is ignored."""
    block.part = pyo.Block(["first", "others"])
    block.part["first"].y = pyo.Var(bounds=(0, None))
    block.part["others"].inner = pyo.Block([1, 2])
    for c in (1, 2):
        inner = block.part["others"].inner[c]
        inner.y = pyo.Var()
        inner.above = pyo.Constraint(expr=inner.y >= 0)
    state = [block.part["first"].y, *(block.part["others"].inner[c].y for c in (1, 2))]
    block.part["others"].misfit = pyo.Objective(expr=misfit(state, b))
    block.whole = pyo.Constraint(expr=sum(state) <= 1)
    block.unused = pyo.Block()
    block.unused.z = pyo.Var()
    block.unused.never = pyo.Constraint(expr=block.unused.z + state[0] <= -5)
    block.unused.deactivate()
    return state


def auxiliary(block, b):
    """|y_0| and an excess variable, which are not part of the state."""
    state = variables(block, b)
    block.size = pyo.Var(bounds=(0.0, 3.0))
    block.right = pyo.Constraint(expr=state[0] <= block.size)
    block.left = pyo.Constraint(expr=-state[0] <= block.size)
    block.misfit.expr += 0.3 * block.size
    block.idle = pyo.Var()
    return state


@dataclass(frozen=True)
class Case:
    """A way to write the follower, and the same terms and constraints in CVXPY."""

    write: object
    constraints: object
    terms: object = lambda y: 0


def simplex(y):
    return [y >= 0, cp.sum(y) <= 1]


CASES = {
    "no constraints": Case(variables, lambda y: []),
    "equality": Case(equality, lambda y: [cp.sum(y) == 1]),
    "inequalities": Case(inequalities, lambda y: [y[0] >= 0.1, y[0] + y[1] <= 1]),
    "curved": Case(curved, lambda y: [cp.norm(y) <= 1]),
    "ranges": Case(
        ranges,
        lambda y: [y[0] - y[1] >= -0.2, y[0] - y[1] <= 0.3, y[2] >= -1, y[2] <= 0.25],
    ),
    "equal limits": Case(equal_limits, lambda y: [cp.sum(y) == 1, y[1] == 0.25]),
    "bounds": Case(bounds, lambda y: [y[0] >= 0, y[0] <= 0.5, y[1] <= 0.3, y[2] >= -0.5]),
    "domains": Case(domains, lambda y: [y >= 0]),
    "maximised": Case(maximised, simplex),
    "fixed": Case(fixed, lambda y: [*simplex(y), y[2] == 0.25]),
    "nested": Case(nested, simplex),
    "auxiliary": Case(auxiliary, lambda y: [cp.abs(y[0]) <= 3], lambda y: 0.3 * cp.abs(y[0])),
}


def reference(case, b):
    y = cp.Variable(3)
    goal = cp.Minimize(0.5 * cp.sum_squares(y - b) + case.terms(y))
    cp.Problem(goal, case.constraints(y)).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    return y.value


def problem_of(case, row, radius=0.5, **options):
    """(BL1) with the three entries of the first row perturbed."""

    class Nearest(LearningModel):
        outcomes = "parameters"

        def replace(self, **parts):
            return type(self)(**{**self.parts, **parts})

    @solve.register(Nearest)
    def _solve(model, start=None, tol=1e-8, time_limit=np.inf):
        return Solved(reference(case, 2 * model.data[0]))

    @write_follower.register(Nearest)
    def _write(model, block, parts):
        return case.write(block, [2 * entry for entry in parts["data"][0]])

    data = np.array([row, [0.0, 0.0, 0.0]])
    perturbation = Perturbation.additive(data.shape, points=[0])
    return MaxDeviation(Nearest(data), perturbation, radius, deviation="distance", **options)


def solution_at(problem, eps):
    return solve(problem.perturbation.apply(problem.model, eps))


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", CASES)
def test_a_solution_satisfies_every_condition_at_the_start(name, row):
    """The signs in the stationarity condition and of the first multipliers are those of the QP."""
    problem = problem_of(CASES[name], row)
    built = KKT(problem, solution_at(problem, np.zeros(3)), relaxation="scholtes")
    for eps in (np.zeros(3), np.array([0.2, -0.3, 0.1])):
        solution = solution_at(problem, eps)
        built.start_from(eps, solution)
        if name == "auxiliary":
            built.model.follower.size.set_value(abs(solution.outcome[0]))
            built.conditions._start_multipliers()
        built.set_stage(TIGHT)
        found = violations(built.model)
        worst = max(found, key=found.get)
        assert found[worst] < 1e-5, worst
        assert built.state(solution.state) == pytest.approx(solution.state, abs=1e-7)
        assert built.conditions.violation() < 1e-5


@pytest.mark.parametrize("name", [name for name in CASES if name != "no constraints"])
def test_constraints_are_active_on_both_sides(name):
    """The constraints are active for some eps; otherwise the previous test would be weak."""
    active = {
        j
        for row in ROWS
        for problem in [problem_of(CASES[name], row)]
        for built in [KKT(problem, solution_at(problem, np.zeros(3)), relaxation="scholtes")]
        for j in multipliers_above_zero(built, solution_at(problem, np.zeros(3)))
    }
    assert len(active) >= len(CASES[name].constraints(cp.Variable(3))) / 2
    if name == "ranges":
        assert active == {0, 1, 2, 3}


def multipliers_above_zero(built, solution):
    built.start_from(np.zeros(3), solution)
    return {j for j, m in built.model.multiplier.items() if abs(m.value) > 1e-4}


@pytest.mark.parametrize("row", ROWS[:3])
@pytest.mark.parametrize("name", CASES)
def test_only_the_solution_satisfies_the_conditions(name, row):
    """For small t, the feasible point farthest from the solution of the QP is close to it."""
    problem = problem_of(CASES[name], row)
    eps = np.array([0.2, -0.3, 0.1])
    solution = solution_at(problem, eps)
    built = KKT(problem, solution_at(problem, np.zeros(3)), relaxation="scholtes")
    model, state = built.model, built.conditions.variables()
    built.start_from(eps, solution)
    for k, value in enumerate(eps):
        model.eps[k].fix(value)
    model.goal.deactivate()
    free = [(v, value) for v, value in zip(state, solution.state, strict=True) if not v.fixed]
    shift = 0.01
    model.far = pyo.Objective(
        expr=sum((v - value - shift) ** 2 for v, value in free), sense=pyo.maximize
    )
    for t in (1e-2, 1e-4, 1e-6, 1e-8):
        built.set_stage(ScheduleStage(t, 0.1))
        result = IpoptSession(model, {"tol": 1e-9, "max_iter": 500}).solve()
    assert result.status.value in {"optimal", "acceptable"}
    assert built.state(solution.state) == pytest.approx(solution.state, abs=2e-3)


def test_multipliers_are_those_of_the_qp():
    """b - y = sum of multipliers times gradients, computed by hand for one feature each."""
    problem = problem_of(CASES["ranges"], [0.7, 0.2, 0.4])  # b = (1.4, 0.4, 0.8)
    solution = solution_at(problem, np.zeros(3))
    assert solution.outcome == pytest.approx([1.05, 0.75, 0.25], abs=1e-6)
    built = KKT(problem, solution, relaxation="scholtes")
    built.start_from(np.zeros(3), solution)
    follower, conditions = built.model.follower, built.conditions

    def of(component):
        return [m.value for m in conditions.system.multipliers_of(component)]

    assert of(follower.between) == pytest.approx([0, 0.35], abs=1e-6)
    assert of(follower.limits[1]) == pytest.approx([0, 0.55], abs=1e-6)
    assert of(built.model.eps[0]) == []

    problem = problem_of(CASES["bounds"], [-0.5, 0.35, 0.1])  # b = (-1, 0.7, 0.2)
    solution = solution_at(problem, np.zeros(3))
    built = KKT(problem, solution, relaxation="scholtes")
    built.start_from(np.zeros(3), solution)
    y = built.model.follower.y
    values = [[m.value for m in built.conditions.system.multipliers_of(y[c])] for c in range(3)]
    assert np.concatenate(values) == pytest.approx([1.0, 0.0, 0.4, 0.0], abs=1e-6)
    assert built.conditions.system.program.rows[0].component is y[0]

    problem = problem_of(CASES["equality"], [0.0, 0.0, 0.2])  # b = (0, 0, 0.4), sum y = 1
    built = KKT(problem, solution_at(problem, np.zeros(3)), relaxation="scholtes")
    built.start_from(np.zeros(3), solution_at(problem, np.zeros(3)))
    (whole,) = built.conditions.system.multipliers_of(built.model.follower.whole)
    assert whole.value == pytest.approx(-0.2, abs=1e-6)
    assert whole.lb is None
    assert built.conditions.pairs == {}


def test_equal_limits_are_equalities():
    """Two opposite complementarities would have a feasible set without interior."""
    problem = problem_of(CASES["equal limits"], ROWS[0])
    conditions = KKT(problem, solution_at(problem, np.zeros(3)), relaxation="scholtes").conditions
    assert [row.side for row in conditions.system.program.rows] == ["equal", "equal"]
    assert conditions.pairs == {}


class Named:
    """A stand-in for multipliers: it returns the name of what is read."""

    def __getattr__(self, kind):
        return lambda component: f"{kind} {component.name}"


def test_sides_read_the_multiplier_of_their_component():
    read = {}
    for name in ("ranges", "bounds", "inequalities"):
        problem = problem_of(CASES[name], ROWS[0])
        pairs = KKT(
            problem, solution_at(problem, np.zeros(3)), relaxation="scholtes"
        ).conditions.pairs
        read[name] = [pair.right.multiplier(Named()) for pair in pairs.values()]
        for j, pair in enumerate(pairs.values()):
            assert pair.left.multiplier(Named()) == f"lower multiplier[{j}]"
    for name, count in {"inequalities": 2, "bounds": 4, "ranges": 4}.items():
        assert read[name] == [f"lower slack[{j}]" for j in range(count)]


def test_the_violation_is_the_largest_product():
    problem = problem_of(CASES["bounds"], ROWS[2])
    solution = solution_at(problem, np.zeros(3))
    built = KKT(problem, solution, relaxation="scholtes")
    built.start_from(np.zeros(3), solution)
    built.model.multiplier[1].set_value(2.0)  # 0.5 - y_0 = 0.2
    built.model.multiplier[2].set_value(0.5)  # 0.3 - y_1 = 0.1
    assert built.conditions.violation() == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "case"),
    list(zip(RELAXATIONS, itertools.cycle(["bounds", "ranges", "equality"]), strict=False)),
)
def test_every_relaxation_finds_an_attack(name, case):
    """IPOPT is a local solver; its result is compared with the best vertex of the box."""
    problem = problem_of(CASES[case], ROWS[2], 0.4, norm=np.inf)
    found = attack(problem, "kkt", relaxation=name, closing="none", starts=3)
    assert found.termination == "converged"
    rival = attack(problem, "corners", max_solves=200)
    assert found.own.deviation >= 0.85 * rival.deviation > 0


def test_the_penalty_is_the_mean_product_over_t():
    problem = problem_of(CASES["bounds"], ROWS[2])
    solution = solution_at(problem, np.zeros(3))
    built = KKT(problem, solution, relaxation="penalty")
    built.start_from(np.zeros(3), solution)
    built.set_stage(ScheduleStage(0.1, 0.1))
    assert built.model.component("relaxed") is None
    built.model.multiplier[1].set_value(2.0)  # 0.5 - y_0 = 0.2
    built.model.multiplier[2].set_value(0.5)  # 0.3 - y_1 = 0.1
    assert pyo.value(built.conditions.penalty(8.0)) == pytest.approx(8 / 4 * 0.45 / 0.1, rel=1e-4)


def test_a_start_does_not_depend_on_the_last_solve():
    problem = problem_of(CASES["auxiliary"], ROWS[0])
    solution = solution_at(problem, np.zeros(3))
    built = KKT(problem, solution, relaxation="scholtes")
    values = []
    for size in (0.1, 2.0):
        built.start_from(np.zeros(3), solution)
        values.append([v.value for v in built.model.component_data_objects(pyo.Var)])
        built.model.follower.size.set_value(size)
    assert values[0] == values[1]


def no_objective(block, b):
    state = variables(block, b)
    block.misfit.deactivate()
    return state


def two_objectives(block, b):
    state = variables(block, b)
    block.other = pyo.Objective(expr=state[0])
    return state


def integers(block, b):
    return variables(block, b, domain=pyo.Integers)


def all_fixed(block, b):
    state = variables(block, b)
    block.y.fix(0.0)
    return state


def foreign(block, b):
    state = variables(block, b)
    elsewhere = pyo.ConcreteModel()
    elsewhere.z = pyo.Var()
    block.tie = pyo.Constraint(expr=state[0] == elsewhere.z)
    return state


def sets_of_one(block, b):
    state = variables(block, b)
    block.one = pyo.SOSConstraint(var=block.y, sos=1)
    return state


def raising(block, b):
    raise KeyError("spam")


WRONG = {
    "no objective": (no_objective, "0 active objectives, expected exactly one"),
    "two objectives": (two_objectives, "2 active objectives, expected exactly one"),
    "integers": (integers, "'follower.y.0.', which is not continuous"),
    "nothing free": (all_fixed, "fixed variables only"),
    "nothing at all": (lambda block, b: [], "fixed variables only"),
    "foreign": (foreign, "the variable 'z'"),
    "special ordered sets": (sets_of_one, "a SOSConstraint"),
    "raises": (raising, "KeyError: 'spam'"),
    "no state": (lambda block, b: variables(block, b) and None, "NoneType, expected a list"),
    "indices": (lambda block, b: variables(block, b) and block.y, "0 in the state"),
    "values": (lambda block, b: variables(block, b) and [0.1, 0.2, 0.3], "0.1 in the state"),
    "expressions": (lambda block, b: [2 * v for v in variables(block, b)], "in the state"),
    "parts": (lambda block, b: variables(block, b) and b, "in the state"),
    "twice": (lambda block, b: [variables(block, b)[0]] * 3, "repeats a variable"),
    "too few": (lambda block, b: variables(block, b)[:2], r"2 variables, expected .* \(3,\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_follower_is_refused_before_any_work(name):
    write, words = WRONG[name]
    problem = problem_of(Case(write, lambda y: []), ROWS[0])
    calls = []
    kind = type(problem.model)
    known = solve._function.dispatch(kind)
    solve.register(kind)(lambda *given, **options: calls.append(1) or known(*given, **options))
    with pytest.raises(CapabilityError, match=f"write_follower: got .*{words}"):
        attack(problem, "kkt")
    assert len(calls) == (name == "too few")  # the size of the state is known by a solution only


def test_a_follower_without_optimum_is_refused():
    def endless(block, b):
        state = variables(block, b)
        block.z = pyo.Var()
        block.misfit.expr += 2 * block.z
        return state

    problem = problem_of(Case(endless, lambda y: []), ROWS[0])
    with pytest.raises(CapabilityError, match="no constraint on 'follower.z', expected .* finite"):
        attack(problem, "kkt")


def test_other_methods_do_not_look_at_the_follower():
    problem = problem_of(Case(no_objective, lambda y: []), ROWS[0])
    assert attack(problem, "corners").deviation > 0


class Shrunk(LearningModel):
    """x_i = a_i / 2, and the sign of the first entry of x_i as the label."""

    def replace(self, **parts):
        return type(self)(**{**self.parts, **parts})


@dataclass(frozen=True)
class Sides(Solved):
    X: np.ndarray = None

    @property
    def state(self):
        return self.X


@solve.register(Shrunk)
def _shrink(model, start=None, tol=1e-8, time_limit=np.inf):
    return Sides((model.data[:, 0] > 0).astype(int), X=model.data / 2)


@write_follower.register(Shrunk)
def _write_shrunk(model, block, parts):
    block.x = pyo.Var(range(model.n), range(model.d))
    entries = np.ndenumerate(parts["data"])
    terms = ((block.x[index] - a) ** 2 + block.x[index] ** 2 for index, a in entries)
    block.misfit = pyo.Objective(expr=pyo.quicksum(terms))
    return list(block.x.values())


def test_rows_of_the_state_are_points_of_a_deviation_of_labels():
    A = np.random.default_rng(0).normal(size=(4, 2))
    problem = MaxDeviation(Shrunk(A), Perturbation.additive(A.shape, points=[0]), 1.0)
    solution = solve(problem.model)
    built = KKT(problem, solution, relaxation="scholtes")
    built.start_from(np.zeros(2), solution)
    built.set_stage(ScheduleStage(0.1, 0.7))
    squared = pyo.value(built.conditions.squared_distance(1, 3))
    assert squared == pytest.approx(((A[1] - A[3]) ** 2).sum() / 4)
    smooth = problem.deviation.smoothed(solution.outcome, "exponential")
    value, _ = smooth.at(solution.state, 0.7 * built.unit)
    assert pyo.value(built.model.smooth_deviation) == pytest.approx(value)


def test_a_state_without_a_row_for_each_point_is_refused():
    class Bent(Shrunk):
        pass

    @solve.register(Bent)
    def _solve(model, start=None, tol=1e-8, time_limit=np.inf):
        return Sides((model.data[:, 0] > 0).astype(int), X=model.data.ravel() / 2)

    A = np.random.default_rng(0).normal(size=(4, 2))
    problem = MaxDeviation(Bent(A), Perturbation.additive(A.shape, points=[0]), 1.0)
    with pytest.raises(CapabilityError, match=r"shape \(8,\), expected a state of 4 rows"):
        attack(problem, "kkt")
