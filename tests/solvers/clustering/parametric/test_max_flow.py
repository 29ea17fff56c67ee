"""Minimum cuts on integers against all cuts."""

from itertools import combinations

import numpy as np
import pytest

from bilad.solvers.clustering.parametric.max_flow import minimum_cut


def best_cuts(supplies, edges, capacities):
    """Return the largest supply(S) - cut(S), and all S that have it."""
    best, cuts = 0, [set()]
    for size in range(1, len(supplies)):
        for points in combinations(range(len(supplies)), size):
            value = sum(supplies[i] for i in points) - sum(
                c
                for (i, j), c in zip(edges, capacities, strict=True)
                if (i in points) != (j in points)
            )
            if value > best:
                best, cuts = value, []
            if value == best:
                cuts.append(set(points))
    return best, cuts


@pytest.mark.parametrize("unit", [1, 10**40])
@pytest.mark.parametrize("seed", range(60))
def test_the_smallest_of_the_best_cuts(seed, unit):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))
    pairs = [pair for pair in combinations(range(n), 2) if rng.random() < 0.6]
    capacities = [int(c) * unit for c in rng.integers(0, 5, len(pairs))]
    supplies = [int(s) * unit for s in rng.integers(-6, 7, n)]
    supplies[-1] -= sum(supplies)
    best, cuts = best_cuts(supplies, pairs, capacities)
    found = minimum_cut(supplies, pairs, capacities)
    if best == 0:
        assert found is None
    else:
        assert set(found) == set.intersection(*cuts)
