"""Models that separate into lines: the sums are exact, and what is proved on them holds."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.learning.separable import line_signs
from bilad.solvers import certify, cluster
from bilad.solvers.certificates.bounds import (
    deviation_bound,
    fixed_pairs,
    norm_bound,
    optimum_bound,
)
from bilad.solvers.certificates.exact_radius import exact_radius
from bilad.solvers.certificates.separable import LineProblem, lines
from bilad.solvers.certificates.stable_blocks import certified_radius
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.errors import UnsupportedError

INSIDE = 0.999999
seeds = st.integers(0, 2**32 - 1)


def in_the_plane(rng, kind):
    """p = inf, far from the origin at times, so that sums of the features are rounded."""
    n = int(rng.integers(3, 8))
    A = rng.normal(size=(n, 2)) + 3 * rng.integers(0, 2, size=(n, 1))
    A += rng.choice([0.0, 1.0, 1e5])
    graph = FusionGraph.complete(n, 0.3) if rng.random() < 0.5 else FusionGraph.knn(A, 2, 0.1)
    model = ConvexClustering(A, graph, 10 ** rng.uniform(-1, 0.3), np.inf)
    perturbation = {
        "additive": lambda: Perturbation.additive((n, 2)),
        "masked": lambda: Perturbation.additive((n, 2), points=[0, 2], features=[0]),
        "shifts": lambda: Perturbation.linear((n, 2), sp.csr_array(rng.normal(size=(2 * n, 3)))),
        "edges": lambda: Perturbation.edges(graph),
    }[kind]()
    return MaxDeviation(model, perturbation, 1.0, rng.choice([1, 2, np.inf]))


KINDS = ["additive", "masked", "shifts", "edges"]


@given(seed=seeds, kind=st.sampled_from(KINDS))
def test_nothing_is_lost_when_sums_are_rounded(seed, kind):
    """The data of a line, in rational arithmetic, are those of the features at the same eps."""
    rng = np.random.default_rng(seed)
    problem = in_the_plane(rng, kind)
    model, k = problem.model, problem.perturbation.dim
    eps = rng.normal(size=k)
    T = problem.operator("data").toarray().reshape(model.n, 2, k)
    moved = exact(model.data) + exact(T) @ exact(eps)
    for row, line in zip(line_signs(model), lines(problem, cluster(model)), strict=True):
        own = line.problem.perturbation
        rounded = int(line.offset > 0) + k * int(line.stretch > 1)
        assert own.dim == k + rounded
        more = [[line.offset]] * (line.offset > 0) + [(line.stretch - 1) * eps] * (line.stretch > 1)
        wide = np.concatenate([eps, *more])
        moves = own.operators["data"].toarray()
        seen = exact(line.problem.model.data[:, 0]) + exact(moves) @ exact(wide)
        assert (seen == moved @ exact(row)).all()
        assert problem.size(wide) <= line.reach(problem.size(eps)) * (1 + 1e-15)
        assert line.certified(line.reach(1.0)) == pytest.approx(1.0, rel=1e-14)
        assert line.certified(line.reach(1.0)) <= 1.0


def exact(values):
    return np.vectorize(lambda value: Fraction(float(value)), otypes=[object])(values)


def directions_of(problem, rng, count=4):
    """Eps of size 1; of weights, that only fade."""
    for _ in range(count):
        eps = rng.normal(size=problem.perturbation.dim)
        eps = rng.choice([-1.0, 1.0], len(eps)) if rng.random() < 0.5 else eps
        eps = np.abs(eps) if (problem.perturbation.lower >= 0).all() else eps
        yield eps / problem.size(eps)


@settings(max_examples=15)
@given(seed=seeds, kind=st.sampled_from(KINDS))
def test_no_ray_has_a_step_within_a_radius(seed, kind):
    """By the parametric path in rational arithmetic, and by the exact radius if there is one."""
    rng = np.random.default_rng(seed)
    problem = in_the_plane(rng, kind)
    clustering = cluster(problem.model, tol=1e-10, refine=True)
    radii = [certified_radius(problem, clustering)]
    try:
        found = exact_radius(problem)
        radii.append(found.radius)
        assert radii[0] <= found.radius * (1 + 1e-6)
    except UnsupportedError:
        found = None
    largest = min(problem.size(problem.perturbation.upper), 1e3)
    for direction in directions_of(problem, rng):
        steps = steps_along(problem, direction, largest)
        assert INSIDE * max(radii) <= steps
    if found is not None and np.isfinite(found.radius) and found.exact:
        assert (
            steps_along(problem, found.direction, 2 * found.radius + 1) <= found.radius * 1.000001
        )


def steps_along(problem, direction, largest):
    """The first change of the partition along a ray."""
    upper = problem.perturbation.upper
    reach = 0.999999 * min([largest, *(upper[direction > 0] / direction[direction > 0])])
    ray = problem.perturbation.along(direction, 0.0, reach)
    stairs = parametric_path(problem.model, ray, 0.0, reach)
    changed = [
        float(stairs.breakpoints[k])
        for k, labels in enumerate(stairs.between)
        if (labels != stairs.labels_at(0)).any()
    ]
    return min(changed, default=np.inf)


@settings(max_examples=15)
@given(seed=seeds, kind=st.sampled_from(["additive", "masked", "shifts"]))
def test_the_parametric_path_has_the_partitions_of_the_solver(seed, kind):
    """p = inf in the plane, by sums and differences and by SSNAL."""
    rng = np.random.default_rng(seed)
    problem = in_the_plane(rng, kind)
    direction = next(directions_of(problem, rng))
    ray = problem.perturbation.along(direction, -3.0, 3.0)
    stairs = parametric_path(problem.model, ray, -3.0, 3.0)
    for eps in (-2.5, -0.75, 0.5, 2.0):
        found = cluster(ray.apply(problem.model, eps), "ssnal", tol=1e-10)
        if found.proved:
            np.testing.assert_array_equal(found.labels, stairs.labels_at(eps))


def test_in_space_nothing_is_claimed_for_the_largest_norm():
    A = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [9.0, 0.0, 1.0]])
    model = ConvexClustering(A, FusionGraph.complete(3), 0.5, np.inf)
    free = Perturbation.additive(A.shape)
    problem, least = MaxDeviation(model, free, 0.01), MinPerturbation(model, free, 2.0)
    clustering = cluster(model)
    for refused in (
        lambda: certified_radius(problem, clustering),
        lambda: fixed_pairs(problem, clustering, 0.01),
        lambda: exact_radius(problem),
    ):
        with pytest.raises(UnsupportedError, match="lines"):
            refused()
    assert norm_bound(least, clustering) == 0.0
    assert deviation_bound(problem, clustering, 0.01) == problem.deviation.largest(3)
    assert optimum_bound(problem, clustering) is None
    assert optimum_bound(least, clustering) is None
    proof = certify(problem, max_solves=5)
    assert (proof.status, proof.lower) == ("unknown", 0.0)
    assert certify(MaxDeviation(model, free, 9.0), max_solves=50).status == "attacked"


@pytest.mark.parametrize(("stretch", "offset"), [(1.0, 0.0), (1.1, 0.0), (1.0, 0.3), (1.1, 0.3)])
def test_radii_are_converted_down_and_up(stretch, offset):
    """Against r stretch + offset in rational arithmetic, to within some roundings."""
    line = LineProblem(None, None, stretch, offset)
    assert line.is_exact == (stretch == 1 and offset == 0)
    most, t = Fraction(1, 10**14), Fraction(offset)
    for radius in np.random.default_rng(0).uniform(0.4, 9, 50).tolist():
        up = Fraction(radius) * Fraction(stretch) + t
        assert up <= Fraction(line.reach(radius)) <= up * (1 + most)
        down = max(Fraction(radius) - t, 0) / Fraction(stretch)
        assert down * (1 - 10 * most) <= Fraction(line.certified(radius)) <= down
