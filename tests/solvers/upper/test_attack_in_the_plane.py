"""Attacks for d = 2, p = 2 and four free entries, compared with random search.

No closed form is known for these problems. With eps = 0 as the only start, some methods find less
than 200 random points do. With five starts they use fewer lower-level solves for (BL1) than random
search, and are at least as good. A closing search is not counted: there is none.
"""

import numpy as np
import pytest

from bilad.models import MaxDeviation, MinPerturbation, Perturbation, deviation
from bilad.solvers import LowerLevel, attack, cluster

BUDGET = 2.0
STARTS = 5  # from one start, zero, both methods miss the best of some of these instances


def random_search(problem, solves, seed):
    """Evaluate points in uniform directions with uniform lengths."""
    lower, rng = LowerLevel(problem), np.random.default_rng(seed)
    for _ in range(solves):
        direction = rng.normal(size=problem.perturbation.dim)
        length = problem.radius * rng.random()
        lower.evaluate(length * direction / np.linalg.norm(direction))
    return lower.best


@pytest.mark.slow
@pytest.mark.parametrize(("method", "points"), [("kkt", (0, 1)), ("value-function", (3, 8))])
def test_bl1_is_at_least_as_good_as_random_search(planar, method, points):
    perturbation = Perturbation.additive(planar.data.shape, points)
    problem = MaxDeviation(planar, perturbation, BUDGET)
    rival = random_search(problem, 200, seed=0)
    found = attack(problem, method, starts=STARTS, closing="none")
    assert found.deviation >= 0.9 * rival.deviation > 0
    assert found.lower_solves < 200
    assert found.proved
    assert found.norm <= BUDGET
    # Another solver counts the same at eps.
    before = cluster(planar, "clarabel", tol=1e-10).labels
    after = cluster(perturbation.apply(planar, found.eps), "clarabel", tol=1e-10)
    assert deviation(before, after.labels) == found.deviation


@pytest.mark.slow
@pytest.mark.parametrize(("method", "points"), [("kkt", (3, 8)), ("value-function", (0, 1))])
def test_bl2_is_at_least_as_good_as_random_search(planar, method, points):
    perturbation = Perturbation.additive(planar.data.shape, points)
    problem = MinPerturbation(planar, perturbation, 1, limit=BUDGET)
    rival = random_search(problem, 200, seed=0)
    found = attack(problem, method, starts=STARTS, closing="none")
    assert found.norm <= 1.1 * rival.size
    assert found.deviation >= 1
    assert found.proved
