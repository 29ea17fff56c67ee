"""No eps shorter than a certified radius changes the partition, hard as one may try."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.solvers import cluster
from bilad.solvers.certificates.robustness import certified_radius

INSIDE = 0.999


def attack_inside(problem, rng, directions, contradicts):
    """Return the radius and the number of eps tried; fail if one changes the partition."""
    clustering = cluster(problem.model, tol=1e-10, refine=True)
    found = certified_radius(problem, clustering)
    if found.radius > 0:
        assert clustering.proved, "a radius without a partition"
    length = INSIDE * min(found.radius, 1e3)
    tried = 0
    for eps in directions(problem, clustering, rng) if length > 0 else ():
        assert not contradicts(problem, clustering, length * eps), (found, length * eps)
        tried += 1
    return found.radius, tried


@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_shorter_changes_the_partition(seed, random_problem, directions, contradicts):
    rng = np.random.default_rng(seed)
    attack_inside(random_problem(rng, largest=9), rng, directions, contradicts)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(5))
def test_nothing_shorter_changes_500_partitions(batch, random_problem, directions, contradicts):
    positive = 0
    for seed in range(100):
        rng = np.random.default_rng(1000 * batch + seed)
        radius, _ = attack_inside(random_problem(rng), rng, directions, contradicts)
        positive += radius > 0
    assert positive >= 75
