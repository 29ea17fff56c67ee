"""Counterexamples to the properties of a deviation function, each verified by `cluster` alone."""

import itertools

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bilad.models import (
    BlackBox,
    ConvexClustering,
    DeviationFunction,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    deviation,
    load_dataset,
)
from bilad.models.deviation import delta
from bilad.solvers import cluster, find_violation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.upper.ray_samples import Site

PROPERTIES = [
    "zero at zero",
    "nonnegative",
    "nondecreasing along a ray",
    "nondecreasing in the norm",
]


@pytest.fixture(scope="module")
def iris():
    """Return petal widths in mm on the complete graph, with points 51 to 70 shifted."""
    data = np.round(10 * load_dataset("iris").data[:100, [3]], 9)
    direction = np.zeros((100, 1))
    direction[50:70] = 1.0
    model = ConvexClustering(data, FusionGraph.complete(100), 0.1)
    return lambda budget: MaxDeviation(model, Perturbation.shift(direction), budget)


@pytest.fixture(scope="module")
def plane():
    """Return twelve points in the plane, two of them free, for p = 1 or 2."""
    rng = np.random.default_rng(7)
    A = 0.5 * rng.normal(size=(12, 2)) + 2.5 * (np.arange(12) % 3)[:, None] * [1.0, 0.3]
    graph = FusionGraph.knn(A, k=4, phi=0.1)
    free = Perturbation.additive(A.shape, points=[0, 4])
    return lambda p, budget=4.0: MaxDeviation(ConvexClustering(A, graph, 0.8, p), free, budget)


def made_up(value, name="made-up"):
    return DeviationFunction(name, value, lambda n: float(n * n))


def by_property(check):
    found = {violation.property: violation for violation in check.violations}
    assert list(found) == [name for name in PROPERTIES if name in found]
    assert len(found) == len(check.violations)
    assert check.violation is (check.violations[0] if check.violations else None)
    return found


def verify(problem, violation, name="delta"):
    """Solve the lower level again at both eps, and compare."""

    def value(eps):
        model = problem.perturbation.apply(problem.model, eps)
        solutions = [cluster(at, refine=True) for at in (problem.model, model)]
        assert all(solution.proved for solution in solutions)
        return deviation(*(solution.labels for solution in solutions), name)

    assert violation.norm == problem.size(violation.eps) <= problem.radius
    assert violation.value == value(violation.eps)
    if violation.other_eps is None:
        return
    assert violation.other_norm == problem.size(violation.other_eps) <= problem.radius
    assert violation.other_value == value(violation.other_eps)
    assert violation.norm < violation.other_norm
    assert violation.value > violation.other_value
    lengths = [np.linalg.norm(eps) for eps in (violation.eps, violation.other_eps)]
    cosine = violation.eps @ violation.other_eps / np.prod(lengths)
    assert (cosine > 1 - 1e-9) == (violation.property == "nondecreasing along a ray")


@pytest.mark.parametrize("name", ["delta", "rand", "nmi", "variation-of-information"])
def test_the_main_setting_is_not_monotone(iris, name):
    problem = iris(8.0)
    check = find_violation(problem, name)
    assert (check.deviation, check.rays, check.exact, check.exhaustive) == (name, 2, True, True)
    found = by_property(check)
    assert list(found) == PROPERTIES[2:]
    for violation in found.values():
        verify(problem, violation, name)


def test_delta_on_the_main_setting(iris):
    """delta is 4998 after the breakpoint at -1.968, and 4978 at the end."""
    violation = find_violation(iris(8.0)).violation
    assert (violation.value, violation.other_value) == (4998, 4978)
    assert violation.other_eps < violation.eps < -1.968
    eps, other = float(violation.eps[0]), float(violation.other_eps[0])
    first, second = f"U = 4998 at eps = {eps:.6g}", f"4978 at eps = {other:.6g}"
    assert violation.describe() == f"Not nondecreasing along a ray: {first}, but {second}."


def test_n_chg_does_not_decrease_along_the_ray(iris):
    """Along the ray delta decreases but N_chg does not; between the two directions both do."""
    check = find_violation(iris(8.0), "changed")
    assert list(by_property(check)) == ["nondecreasing in the norm"]
    verify(iris(8.0), check.violation, "changed")


@pytest.mark.parametrize("name", ["delta", "nmi", "changed"])
def test_within_the_certified_interval_nothing_is_violated(iris, name):
    check = find_violation(iris(0.4), name)
    assert (check.violations, check.violation) == ((), None)
    assert check.exact
    assert check.exhaustive
    assert check.evaluations == 1
    assert check.describe() == f"'{name}' has all properties on this problem: proved."


def test_violations_of_artificial_functions_are_found(iris):
    problem = iris(8.0)
    negative = find_violation(problem, made_up(lambda before, after: -delta(before, after)))
    violation = by_property(negative)["nonnegative"]
    assert violation.value == -4998
    assert violation.other_eps is violation.other_norm is violation.other_value is None
    verify(problem, violation, made_up(lambda before, after: -delta(before, after)))
    nonzero = find_violation(iris(0.4), made_up(lambda before, after: 3.0))
    assert list(by_property(nonzero)) == ["zero at zero"]
    assert (nonzero.violation.norm, nonzero.violation.value) == (0, 3)
    assert nonzero.describe() == "Not zero at zero: U = 3 at eps = 0."
    no_number = find_violation(iris(0.4), made_up(lambda before, after: float("nan")))
    assert list(by_property(no_number))[:2] == ["zero at zero", "nonnegative"]


def test_a_decrease_by_rounding_is_no_violation(iris):
    """Values that are equal in exact arithmetic may differ in the last digit."""

    def noisy(before, after):
        return (delta(before, after) > 0) * (1.0 + 1e-15 * len(np.unique(after)))

    found = by_property(find_violation(iris(8.0), made_up(noisy)))
    assert list(found) == ["nondecreasing in the norm"]
    assert found["nondecreasing in the norm"].other_value == 0


def plain_scan(problem):
    """Return whether U decreases along a direction, and between them, from all pieces."""
    stairs = parametric_path(problem.model, problem.perturbation, -problem.radius, problem.radius)
    between, at_breakpoints = stairs.values()
    sites = [
        (place, place, value)
        for place, value in zip(stairs.breakpoints, at_breakpoints, strict=True)
    ] + [
        (*ends, value)
        for ends, value in zip(itertools.pairwise(stairs.breakpoints), between, strict=True)
    ]
    sides = {
        1: [
            (max(low, 0), high, value) for low, high, value in sites if high > 0 or low == high == 0
        ],
        -1: [(max(-high, 0), -low, value) for low, high, value in sites if low < 0],
    }

    def falls(inner, outer):
        return any(a[0] < b[1] and a[2] > b[2] for a in sides[inner] for b in sides[outer])

    return falls(1, 1) or falls(-1, -1), falls(1, -1) or falls(-1, 1)


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_comparison_of_all_pairs_of_pieces_and_breakpoints(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 8))
    V = rng.normal(size=(n, 1)) * (rng.random((n, 1)) < 0.5)
    V[0] = 1.0
    A = rng.normal(size=(n, 1)) * 2
    model = ConvexClustering(A, FusionGraph.complete(n), float(rng.uniform(0.05, 0.4)))
    problem = MaxDeviation(model, Perturbation.shift(V), float(rng.uniform(0.2, 4)))
    check = find_violation(problem)
    found = by_property(check)
    assert check.exhaustive
    assert plain_scan(problem) == ("nondecreasing along a ray" in found, PROPERTIES[3] in found)
    for violation in found.values():
        verify(problem, violation)


def test_nothing_is_claimed_without_confirmation_by_a_double(monkeypatch, iris):
    """If no floating-point number lies in a site, neither a violation nor a proof is claimed."""
    monkeypatch.setattr(Site, "double_between", lambda *arguments: None)
    check = find_violation(iris(8.0))
    assert check.violations == ()
    assert not check.exact
    assert not check.exhaustive
    assert check.remark == "a violation that was seen could not be confirmed"
    assert check.remark in check.describe()


def test_many_parameters_with_exact_rays(plane):
    problem = plane(1)
    check = find_violation(problem, rays=6)
    assert (check.rays, check.exact, check.exhaustive) == (6, True, False)
    found = by_property(check)
    assert "nondecreasing in the norm" in found
    for violation in found.values():
        verify(problem, violation)


def test_many_parameters_with_samples(plane):
    problem = plane(2)
    check = find_violation(problem, rays=3, points=8)
    assert (check.rays, check.exact, check.exhaustive) == (3, False, False)
    assert check.evaluations >= 24
    found = by_property(check)
    assert "nondecreasing in the norm" in found
    for violation in found.values():
        verify(problem, violation)
    again = find_violation(problem, rays=3, points=8)
    assert [violation.describe() for violation in again.violations] == [
        violation.describe() for violation in check.violations
    ]


def test_small_perturbations_violate_nothing(plane):
    check = find_violation(plane(2, 1e-3), rays=2, points=3)
    assert check.violations == ()
    assert check.describe() == "No violation by 'delta' on samples of 2 rays."
    check = find_violation(plane(1, 1e-3), rays=2)
    assert check.describe() == "No violation by 'delta' on every eps of 2 rays."


def test_a_limit_on_solves(plane):
    check = find_violation(plane(2), rays=3, points=8, max_solves=5)
    assert check.remark == "solve limit"
    assert check.evaluations <= 5 + 5  # and the confirmations
    assert find_violation(plane(2), rays=3, max_solves=0).violations == ()


def test_given_directions(iris):
    one = find_violation(iris(8.0), rays=[[-3.0]])
    assert (one.rays, one.exact, one.exhaustive) == (1, True, False)
    assert list(by_property(one)) == ["nondecreasing along a ray"]
    both = find_violation(iris(8.0), rays=[[-3.0], [0.5]])
    assert both.exhaustive


def test_bounds_of_eps():
    """For edges 0 <= eps <= 1, so that there is only one direction."""
    data = np.array([[0.0], [1.0], [2.0]])
    graph = FusionGraph(3, [[0, 1], [1, 2]], [1.0, 1.0])
    model = ConvexClustering(data, graph, 0.6)
    one = find_violation(MaxDeviation(model, Perturbation.edges(graph, [0]), 1.0))
    assert (one.rays, one.exhaustive, one.violations) == (1, True, ())
    two = find_violation(MaxDeviation(model, Perturbation.edges(graph), 1.0), rays=4)
    assert (two.rays, two.exact, two.exhaustive) == (4, True, False)


def test_the_limit_of_bl2_is_the_range(iris):
    problem = iris(8.0)
    other = MinPerturbation(problem.model, problem.perturbation, 1200, limit=8.0)
    assert find_violation(other).violation.value == 4998


def test_a_black_box():
    rng = np.random.default_rng(0)
    data = 0.3 * rng.normal(size=(16, 2)) + 3.0 * (np.arange(16) % 2)[:, None]
    box = BlackBox(data, KMeans(2, n_init=1, random_state=0))
    shift = Perturbation.shift(np.outer(np.arange(16) < 3, [1.0, 1.0]))
    check = find_violation(MaxDeviation(box, shift, 8.0), "delta", points=16)
    assert (check.rays, check.exact) == (2, False)
    for violation in check.violations:
        assert violation.value > violation.other_value
        assert violation.norm < violation.other_norm
