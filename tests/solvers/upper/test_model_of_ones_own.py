"""A learning model registered from outside: methods that apply, and what the others require.

The outcome is the mean of n points, constrained to be nonnegative. One point is moved by eps, so
that

    theta(eps) = max(m + eps / n, 0),    U(eps) = ||theta(eps) - theta(0)||.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest
from support import toy_model

from bilad.models import (
    CAPABILITIES,
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    LearningModelError,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    supports,
)
from bilad.models.learning.capability import CapabilityError
from bilad.models.learning.learning_model import solve
from bilad.solvers import attack, certify, drop_edges, drop_points, find_violation, stationarity
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS

N = 4
NORMS = [1, 2, np.inf]
LACKING = {
    "exact": "ray_steps",
    "milp": "write_milp",
    "duality": "duality",
}
TAKING = [name for name in UPPER_METHODS if name not in {*LACKING, "greedy"}]
# Shares of the optimum that methods reach without closing. "random" looks at four corners only;
# "corners" stays at an axis that is not the best; the smooth distance of "kkt" is too small;
# the linearised "value-function" ends at a local maximum.
LARGEST = {"random": 0.45, "finite-difference": 0.85, "cobyqa": 0.85, "value-function": 0.7}
LEAST = {"random": 0.45, "finite-difference": 0.7, "cobyqa": 0.7, "corners": 0.45, "kkt": 0.6}
MEANS = {"inside": [0.5, 0.6], "at the bound": [0.1, -0.2], "deep": [-2.0, 0.4]}


def data(mean):
    """Return N points with this mean, none of which is equal to it."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(N, len(mean)))
    return A - A.mean(axis=0) + np.array(mean)


def make(kind, size, norm=2, mean=(0.1, -0.2), entries=None, **options):
    model = toy_model.NonnegativeMean(data(mean))
    moves = Perturbation.additive(model.data.shape, points=[0], features=entries)
    return kind(model, moves, size, norm, "distance", **options)


def deviation(mean, eps):
    """Return U at each row of eps."""
    theta = np.maximum(np.array(mean) + eps / N, 0)
    return np.linalg.norm(theta - np.maximum(mean, 0), axis=-1)


def circle(norm, count=20001):
    """Return directions of norm 1 in the plane."""
    angles = np.linspace(0, 2 * np.pi, count)
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    return directions / np.linalg.norm(directions, norm, axis=1)[:, None]


def largest(mean, budget, norm):
    """Return the largest U in the ball; U increases along every ray, so it is on the sphere."""
    return deviation(mean, budget * circle(norm)).max()


def least(mean, target, norm):
    """Return the least norm that attains the target, by bisection along every direction."""
    directions = circle(norm)
    low, high = np.zeros(len(directions)), np.full(len(directions), 100.0)
    for _ in range(60):
        middle = (low + high) / 2
        reached = deviation(mean, middle[:, None] * directions) >= target
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high.min()


def test_the_model_is_short_and_uses_public_names():
    lines = Path(toy_model.__file__).read_text().splitlines()
    assert len(lines) <= 60
    imports = [line for line in lines if line.startswith("from bilad")]
    assert all("bilad.models" in line for line in imports)


def test_what_the_model_can_do():
    model = toy_model.NonnegativeMean(data([0.5]))
    able = {"solve", "adjoint", "write_follower", "kkt", "confirm", "decide"}
    assert all(supports(model, name) for name in able)
    for name in ("ray_steps", "write_milp", "bound", "radius", "remove", "duality", "smoothed"):
        assert not supports(model, name)
    with pytest.raises(ArgumentError, match="name: got 'fly'"):
        supports(model, "fly")
    assert set(CAPABILITIES) >= able


@pytest.mark.parametrize(
    ("mean", "norm"),
    [("inside", 1), ("inside", 2), ("at the bound", 2), ("at the bound", np.inf), ("deep", 2)],
)
@pytest.mark.parametrize("method", TAKING)
@pytest.mark.usefixtures("installed")
def test_the_largest_distance(method, norm, mean):
    mean = MEANS[mean]
    problem = make(MaxDeviation, 1.5, norm, mean)
    options = {"step": 0.05} if method == "direct" else {"max_solves": 150}
    found = attack(problem, method, closing="none", **options)
    if method == "fgsm":  # the distance has no slope at eps = 0
        assert found.status == "no attack found"
        return
    check(found, mean)
    assert found.deviation >= LARGEST.get(method, 0.94) * largest(mean, 1.5, norm)
    assert found.deviation <= largest(mean, 1.5, norm) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("mean", "norm"), [("inside", 2), ("at the bound", 1), ("at the bound", np.inf)]
)
@pytest.mark.parametrize("method", TAKING)
@pytest.mark.usefixtures("installed")
def test_the_least_perturbation(method, norm, mean):
    mean = MEANS[mean]
    problem = make(MinPerturbation, 0.2, norm, mean, limit=3.0)
    options = {"step": 0.02} if method == "direct" else {"max_solves": 300}
    found = attack(problem, method, closing="none", **options)
    if method == "fgsm":
        assert found.status == "no attack found"
        return
    check(found, mean)
    infimum = least(mean, 0.2, norm)
    assert infimum * (1 - 1e-6) <= found.norm <= infimum / LEAST.get(method, 0.85)


def check(found, mean):
    """Assert that the result agrees with the closed form."""
    assert found.status == "feasible"
    assert found.bound is None
    assert found.problem.is_attack(found.norm, found.deviation)
    assert found.deviation == pytest.approx(deviation(mean, found.eps), rel=1e-12)
    assert found.outcome == pytest.approx(np.maximum(mean + found.eps / N, 0), abs=1e-15)
    assert found.baseline.outcome == pytest.approx(np.maximum(mean, 0), abs=1e-15)
    assert (found.gap, found.proved, found.undecided) == (0.0, True, 0)
    for stage in found.stages:
        assert stage.deviation == pytest.approx(deviation(mean, stage.eps), rel=1e-12)
        assert stage.lower_gap is None


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", ["auto", "corners", "kkt", "fgsm", "hypergradient"])
def test_with_closing_it_is_the_optimum(method, kind, norm):
    """The tolerance is the accuracy of a search by coordinates."""
    problem = make(kind, {MaxDeviation: 1.5, MinPerturbation: 0.2}[kind], norm)
    found = attack(problem, method)
    check(found, MEANS["at the bound"])
    if kind is MaxDeviation:
        assert found.deviation == pytest.approx(largest(MEANS["at the bound"], 1.5, norm), rel=0.02)
    else:
        infimum = least(MEANS["at the bound"], 0.2, norm)
        assert infimum * (1 - 1e-6) <= found.norm <= infimum / LEAST.get(method, 0.9)


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("method", ["kkt", "nes", "hypergradient", "direct"])
def test_one_parameter(kind, method):
    """For eps < 0 the mean is at its bound from -0.3 on; for eps > 0, U = |eps| / n."""
    size = 2.0 if kind is MaxDeviation else 0.4
    problem = make(kind, size, mean=(0.3,), **({} if kind is MaxDeviation else {"limit": 4}))
    found = attack(problem, method, closing="ray")
    check(found, [0.3])
    if kind is MaxDeviation:
        assert found.deviation == pytest.approx(2.0 / N, rel=1e-3)
        assert found.eps[0] > 0
    else:
        assert found.norm == pytest.approx(0.4 * N, rel=1e-3)
        assert found.eps[0] > 0


@pytest.mark.parametrize("method", LACKING)
def test_methods_name_the_missing_capability_and_the_methods_that_apply(method):
    words = (
        f"it needs '{LACKING[method]}', which is not registered for NonnegativeMean; "
        "able: .*'corners'.*'hypergradient'.*'kkt'"
    )
    for kind, size in ((MaxDeviation, 1.0), (MinPerturbation, 0.2)):
        with pytest.raises(UnsupportedError, match=words):
            attack(make(kind, size), method)


def test_other_requirements_are_checked_before_any_work():
    for kind, size in ((MaxDeviation, 1.0), (MinPerturbation, 0.2)):
        with pytest.raises(
            ArgumentError, match="model: got NonnegativeMean.*'radius' is registered"
        ):
            certify(make(kind, size))
    model = toy_model.NonnegativeMean(data([0.5]))
    for drop in (drop_points, drop_edges):
        with pytest.raises(
            ArgumentError, match="model: got NonnegativeMean.*'remove' is registered"
        ):
            drop(model, 1)
    with pytest.raises(ArgumentError, match="lower: got 'ssnal', expected 'auto'"):
        attack(make(MaxDeviation, 1.0), "corners", lower="ssnal")
    moves = Perturbation.additive(model.data.shape)
    with pytest.raises(ArgumentError, match="deviation: got 'delta', of labels.*parameters"):
        MaxDeviation(model, moves, 1.0)
    weights = Perturbation.edges(FusionGraph.complete(N))
    with pytest.raises(ArgumentError, match="perturbation"):
        MaxDeviation(model, weights, 1.0, deviation="distance")
    targets = Perturbation({"targets": np.eye(N)}, {"targets": (N,)})
    with pytest.raises(ArgumentError, match="perturbation: got part 'targets', expected .*'data'"):
        MaxDeviation(model, targets, 1.0, deviation="distance")


def test_a_deviation_of_parameters_does_not_apply_to_labels():
    A = np.arange(4.0)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(4), 0.1)
    for call in (
        lambda: MaxDeviation(model, Perturbation.additive(A.shape), 1.0, deviation="distance"),
        lambda: drop_points(model, 1, "distance"),
        lambda: drop_edges(model, 1, "distance"),
    ):
        with pytest.raises(ArgumentError, match="deviation: got 'distance', of parameters"):
            call()


def test_an_attack_without_labels_says_so():
    found = attack(make(MaxDeviation, 1.0), "random")
    with pytest.raises(TypeError, match="NonnegativeMean gives no labels; see `outcome`"):
        _ = found.labels
    assert "NonnegativeMean" in repr(type(found.problem.model))
    assert "method='random'" in repr(found)


def test_stationarity_of_its_conditions():
    """Inside the bound and strictly at it, no complementarity is biactive."""
    for mean in MEANS.values():
        found = attack(make(MaxDeviation, 1.0, mean=mean), "kkt", closing="none")
        report = stationarity(found)
        assert report.termination == "converged"
        assert report.kind in "SMCW"
        assert report.violation <= 1e-6


def test_deviation_properties_take_it():
    """The distance is monotone along a ray on which the mean increases."""
    problem = make(MaxDeviation, 1.0, mean=(0.5,))
    found = find_violation(problem, max_solves=40)
    assert found.violation is None


def test_auto_uses_the_gradient_if_there_is_one():
    found = attack(make(MaxDeviation, 1.0), max_solves=50, closing="none")
    assert "hypergradient" in [stage.name for stage in found.stages]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("method", ["nes", "hypergradient", "corners"])
def test_units_of_the_data_and_of_eps_do_not_matter(method, unit):
    model = toy_model.NonnegativeMean(unit * data([0.5, 0.6]))
    moves = Perturbation.additive(model.data.shape, points=[0])
    problem = MaxDeviation(model, moves, 1.5 * unit, deviation="distance")
    found = attack(problem, method, max_solves=300, closing="none")
    assert found.deviation / unit == pytest.approx(1.5 / N, rel=0.03)


# Models that fail. Each is a class of its own, since what it can do is registered by type.


def failing(answer):
    """Return a subclass of the toy model whose `solve` is `answer(model)`."""

    class Own(toy_model.NonnegativeMean):
        pass

    @solve.register(Own)
    def own(model, start=None, tol=1e-8, time_limit=np.inf):
        return answer(model)

    return Own


def on(model_class, kind=MaxDeviation, size=1.5):
    model = model_class(data([0.5, 0.6]))
    return kind(
        model, Perturbation.additive(model.data.shape, points=[0]), size, deviation="distance"
    )


def test_a_model_that_cannot_be_solved_is_refused_before_any_work():
    class Bare(toy_model.LearningModel):
        outcomes = "parameters"

        def replace(self, **parts):
            raise AssertionError("work")

    for method in ("auto", "corners", "kkt", "exact"):
        with pytest.raises(ArgumentError, match="^model: got Bare, .*'solve' is registered"):
            attack(on(Bare), method)


@pytest.mark.parametrize(
    "fault", [RuntimeError("no convergence"), ZeroDivisionError(), MemoryError()]
)
@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize("method", ["corners", "nes", "hypergradient", "kkt"])
def test_an_exception_of_solve_becomes_a_termination(method, call, fault):
    calls = [0]

    def answer(model):
        calls[0] += 1
        if calls[0] >= call:
            raise fault
        return toy_model.solve_mean(model)

    found = attack(on(failing(answer)), method)
    assert found.termination == f"error: {type(fault).__name__}: {fault}"
    assert found.deviation == max((seen.deviation for seen in found.history), default=0.0)
    assert found.lower_solves == max(call - 2, 0)
    if call == 1:
        assert (found.status, found.norm) == ("no attack found", 0.0)
        assert found.outcome.shape == (0,)


@pytest.mark.parametrize("answer", [lambda model: None, lambda model: 3.0, lambda model: "theta"])
def test_an_invalid_solution_becomes_a_termination(answer):
    found = attack(on(failing(answer)), "corners")
    assert found.termination.startswith("error: ")
    assert found.status == "no attack found"


def test_a_solve_with_an_error_status_is_no_attack():
    def answer(model):
        broken = model.data[0, 0] > data([0.5, 0.6])[0, 0] + 1
        found = toy_model.solve_mean(model)
        return replace(found, status="error: lost", proved=False) if broken else found

    found = attack(on(failing(answer)), "random", bound="none")
    assert any(seen.error == "error: lost" for seen in found.history)
    assert found.eps[0] <= 1
    assert found.termination == "converged"


def test_parameters_that_are_not_numbers_are_no_attack():
    def answer(model):
        far = model.data[0, 0] > data([0.5, 0.6])[0, 0] + 0.5
        return toy_model.Mean(np.full(2, np.nan) if far else toy_model.solve_mean(model).outcome)

    for method in ("corners", "nes", "direct"):
        found = attack(on(failing(answer)), method, max_solves=60)
        assert np.isfinite(found.deviation)
        assert found.deviation > 0
        assert found.eps[0] <= 0.5


@dataclass(frozen=True)
class Unproved:
    """A solution without a gap: only the parameters are known."""

    outcome: np.ndarray
    gap: None = None
    proved: bool = True
    status: str = "answered"

    @property
    def state(self):
        return self.outcome


def test_a_model_without_a_gap_with_two_outcomes_at_zero():
    rng = np.random.default_rng(0)

    def answer(model):
        return Unproved(toy_model.solve_mean(model).outcome + rng.normal(size=2))

    with pytest.raises(LearningModelError, match=r"at eps = \[0. 0.\]: Own returned two"):
        attack(on(failing(answer)), "corners")


def test_a_model_without_a_gap_with_two_outcomes_later():
    calls = [0]

    def answer(model):
        calls[0] += 1
        shift = 0.01 * calls[0] if calls[0] > 2 else 0.0
        return Unproved(toy_model.solve_mean(model).outcome + shift)

    found = attack(on(failing(answer)), "corners", max_solves=20)
    assert "returned two different outcomes for the same parts" in found.termination
    assert found.termination.startswith("error: LearningModelError: at eps = [")
    assert (found.norm, found.deviation) == (0.0, 0.0)


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("solution", ["Mean", "Unproved"])
def test_outcomes_that_differ_by_rounding_are_the_same(kind, solution):
    """An iterative solver computes parameters up to its tolerance."""
    rng = np.random.default_rng(0)
    made = toy_model.Mean if solution == "Mean" else Unproved

    def answer(model):
        return made(toy_model.solve_mean(model).outcome * (1 + 1e-9 * rng.normal(size=2)))

    problem = on(failing(answer), kind, 1.5 if kind is MaxDeviation else 0.2)
    found = attack(problem, "corners")
    assert found.termination == "converged"
    assert found.status == "feasible"
    assert problem.is_attack(found.norm, found.deviation)
    if kind is MaxDeviation:
        assert found.deviation == pytest.approx(1.5 / N, rel=1e-6)
    else:
        assert found.norm == pytest.approx(0.2 * N, rel=1e-5)
    none = attack(on(failing(answer), MinPerturbation, 50.0), "corners", max_solves=20)
    assert (none.status, none.norm, none.deviation) == ("no attack found", 0.0, 0.0)
    assert none.termination == "solve limit"


def test_an_invalid_follower_is_refused_before_any_work():
    """tests/formulations/test_kkt.py contains all cases of invalid followers."""

    class Own(toy_model.NonnegativeMean):
        pass

    toy_model.write_follower.register(Own)(lambda model, block, parts: [])
    toy_model.solve.register(Own)(lambda *arguments, **options: pytest.fail("solved"))
    with pytest.raises(CapabilityError, match="write_follower: got fixed variables"):
        attack(on(Own), "kkt", closing="none")


def test_a_follower_with_bounds_and_equalities():
    """The same mean as a bounded variable that an equality constraint defines."""

    class Own(toy_model.NonnegativeMean):
        pass

    @toy_model.write_follower.register(Own)
    def write(model, block, parts):
        features = range(model.d)
        block.theta = pyo.Var(features, bounds=(0, None))
        block.middle = pyo.Var(features)
        block.mean = pyo.Constraint(
            features, rule=lambda b, c: N * b.middle[c] == sum(parts["data"][:, c])
        )
        misfit = sum((block.theta[c] - block.middle[c]) ** 2 for c in features)
        block.misfit = pyo.Objective(expr=-misfit, sense=pyo.maximize)
        return list(block.theta.values())

    found = attack(on(Own), "kkt", closing="none")
    assert found.termination == "converged"
    assert found.own.deviation == pytest.approx(1.5 / N, rel=0.03)
