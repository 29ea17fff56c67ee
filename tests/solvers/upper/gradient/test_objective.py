"""The gradients of the smooth objectives agree with central differences where these exist.

The problems are random, with p = 1, 2, inf and all kinds of perturbation.
"""

import itertools

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.smooth_deviation import length_unit
from bilad.solvers import cluster
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.clustering.derivative import SolutionDerivative
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.smoothing import solve_smoothed
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper.gradient.objective import SmoothedObjective, SolutionObjective

PERTURBATIONS = ("shift", "additive", "multiplicative", "edges")
KINDS = list(itertools.product((1, 2, np.inf), PERTURBATIONS))
TOLERANCE = 1e-5
STEPS = (1e-5, 1e-6, 1e-4)  # differences: one of them, where another meets a kink or rounding


def random_problem(seed):
    """Return a problem and an eps; the norm and the kind of perturbation depend on the seed."""
    p, perturbation = KINDS[seed % len(KINDS)]
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(5, 12)), int(rng.integers(1, 4))
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1))
    graph = FusionGraph.complete(n) if rng.random() < 0.5 else FusionGraph.knn(A, 3, 0.1)
    graph = graph.with_weights(graph.weights * rng.uniform(0.5, 1.5, graph.m))
    gamma = 10 ** rng.uniform(-0.8, 0.2) * n / (2 * graph.m)
    model = ConvexClustering(A, graph, gamma, p)
    made = {
        "shift": lambda: Perturbation.shift(rng.normal(size=A.shape)),
        "additive": lambda: Perturbation.additive(A.shape, [0, 2, 3]),
        "multiplicative": lambda: Perturbation.multiplicative(A, [1, 4]),
        "edges": lambda: Perturbation.edges(graph),
    }[perturbation]()
    problem = MaxDeviation(model, made, 2.0, norm=np.inf)
    return problem, rng.uniform(*problem.box) * 0.9, rng


def by_smoothing(problem, baseline, width, kernel, smoothing):
    """Return the objective of the smoothed lower level, written from its definition."""
    w = width * length_unit(baseline.X, problem.model.data)
    smooth = problem.deviation.smoothed(baseline.labels, kernel)

    def value(eps):
        model = problem.perturbation.apply(problem.model, eps)
        return smooth.at(solve_smoothed(model, smoothing * w, tol=1e-13).X, w)[0]

    return value


def by_solution(problem, baseline, width, kernel):
    """Return the objective of the solution itself, which is computed to rounding accuracy."""
    w = width * length_unit(baseline.X, problem.model.data)
    smooth = problem.deviation.smoothed(baseline.labels, kernel)

    def value(eps):
        model = problem.perturbation.apply(problem.model, eps)
        found = cluster(model, tol=1e-13, refine=True)
        X = SolutionDerivative(found).X
        if model.p == 2 and model.d > 1:
            centroids = block_means(found.X, found.labels)
            X = ContractedProblem.of(model, found.labels).polished(centroids)[found.labels]
        return smooth.at(X, w)[0]

    return value


def relative_error(value, eps, gradient, rng):
    """Return the larger error of two directional derivatives against central differences.

    The directions are that of the gradient and a random one. In each direction the least error over
    several step lengths counts. Errors are relative to the norm of the gradient or, if it is zero,
    to the value.
    """
    length = np.linalg.norm(gradient) or value(eps) or 1.0
    directions = [rng.normal(size=eps.shape)]
    if gradient.any():
        directions.append(gradient)
    return max(
        _error_along(value, eps, gradient, d / np.linalg.norm(d), length) for d in directions
    )


def _error_along(value, eps, gradient, direction, length):
    errors = []
    for step in STEPS:
        difference = value(eps + step * direction) - value(eps - step * direction)
        errors.append(abs(difference / (2 * step) - gradient @ direction) / length)
        if errors[-1] < TOLERANCE:
            break
    return min(errors)


def errors_of(seed, lower_level):
    problem, eps, rng = random_problem(seed)
    kernel = ["rational", "exponential"][seed % 2]
    width, smoothing = 10 ** rng.uniform(-0.7, 0.3), 10 ** rng.uniform(-1, 0)
    lower = LowerLevel(problem, tol=1e-13 if lower_level == "solution" else 1e-8)
    if lower_level == "smoothed":
        objective = SmoothedObjective(lower, kernel, smoothing)
        value = by_smoothing(problem, lower.baseline, width, kernel, smoothing)
    else:
        objective = SolutionObjective(lower, kernel)
        value = by_solution(problem, lower.baseline, width, kernel)
    seen = objective.at(eps, width)
    assert seen.value == pytest.approx(value(eps), rel=1e-6, abs=1e-9)
    return relative_error(value, eps, seen.gradient, rng), seen.gradient.any()


@pytest.mark.parametrize("lower_level", ["smoothed", "solution"])
@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 74), marks=pytest.mark.slow)])
def test_the_gradient_equals_central_differences(lower_level, seeds):
    """Near a kink or a breakpoint the derivative does not exist; such cases must be rare."""
    errors, sloping = np.array([errors_of(seed, lower_level) for seed in seeds]).T
    assert sloping.mean() > (0.98 if lower_level == "smoothed" else 0.8)
    smooth = errors < 1e-2
    assert np.count_nonzero(~smooth) <= 0.02 * len(errors)
    assert errors[smooth].max() < TOLERANCE
    print(f"{lower_level}: {len(errors)} problems, largest error {errors[smooth].max():.1e}")
    print(f"at a kink: {np.flatnonzero(~smooth).tolist()}; sloping: {sloping.mean():.0%}")


def test_fused_points_have_a_slope_in_the_smoothed_lower_level_only():
    """Moving one point splits the only cluster; the derivative of X* itself is zero."""
    A = np.array([[0.0], [0.1], [0.2], [0.3]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.2)
    problem = MaxDeviation(model, Perturbation.additive(A.shape, [3]), 2.0)
    lower = LowerLevel(problem)
    assert lower.baseline.n_clusters == 1
    kernel = "exponential"
    assert SolutionObjective(lower, kernel).at(np.zeros(1), 0.1).gradient[0] == 0.0
    assert SmoothedObjective(lower, kernel, 0.3).at(np.zeros(1), 0.1).gradient[0] > 0.0


def test_true_solutions_count_and_smoothed_ones_do_not():
    problem, eps, _ = random_problem(5)
    lower = LowerLevel(problem, max_solves=2)
    smoothed, solution = (
        SmoothedObjective(lower, "rational", 0.3),
        SolutionObjective(lower, "rational"),
    )
    smoothed.at(eps, 0.1)
    assert lower.solves == 0
    smoothed.evaluate(eps)
    solution.at(eps, 0.1)
    assert lower.solves == 1
    solution.at(eps / 2, 0.1)
    assert lower.solves == 2
    for solve in (smoothed.evaluate, lambda eps: solution.at(eps, 0.1)):
        with pytest.raises(BudgetSpentError, match="solve limit"):
            solve(eps / 3)


def test_without_time_there_is_no_gradient():
    problem, eps, _ = random_problem(5)
    lower = LowerLevel(problem, time_limit=0.0)
    with pytest.raises(BudgetSpentError, match="time limit"):
        SmoothedObjective(lower, "rational", 0.3).at(eps, 0.1)
