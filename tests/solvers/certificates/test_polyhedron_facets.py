"""The nearest facet in integers: against all facets, with unequal factors."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from bilad.solvers.certificates.polyhedron_facets import Line, nearest_facet


def squared_distance(line, norm, kind, high, low):
    """The slack over the dual norm of the normal, from means instead of sums."""
    means = [Fraction(sum(line.data[i] for i in part), len(part)) for part in (high, low)]
    reach = line.radius * (len(high) + len(low))
    slack = reach - means[0] + means[1] if kind == "split" else means[1] - means[0] - reach
    if norm == 2:
        sizes = [Fraction(line.factors[i], len(part) ** 2) for part in (high, low) for i in part]
        square = sum(sizes)
    else:
        sizes = [Fraction(line.factors[i], len(part)) for part in (high, low) for i in part]
        square = (max(sizes) if norm == 1 else sum(sizes)) ** 2
    assert slack >= 0
    return slack**2 / square if square else None


def all_distances(line, norm):
    blocks = line.blocks()
    for left, right in itertools.pairwise(blocks):
        yield squared_distance(line, norm, "merge", left, right)
    for block in blocks:
        for size in range(1, len(block)):
            for high in itertools.combinations(block, size):
                low = [i for i in block if i not in high]
                yield squared_distance(line, norm, "split", high, low)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_is_the_nearest_of_all_facets(norm):
    """One cluster or several; norm 2 with one factor in each cluster, and points that stay."""
    kinds = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 8))
        data = rng.integers(0, int(rng.choice([9, 40])), n).tolist()
        factors = rng.integers(0, int(rng.choice([2, 9])), n)
        if norm == 2:
            factors = np.where(factors > 0, 4, 0)
        line = Line(data, int(rng.integers(1, 9)), factors.tolist())
        facet = nearest_facet(line, float(norm))
        distances = [one for one in all_distances(line, norm) if one is not None]
        if not distances:
            assert facet is None
            continue
        assert facet.distance_squared(Fraction(1)) == min(distances)
        assert facet.distance_squared(Fraction(3, 2)) == Fraction(9, 4) * min(distances)
        own = squared_distance(line, norm, facet.kind, facet.high, facet.low)
        assert own == min(distances)
        kinds.append((facet.kind, len(facet.high) > len(facet.low)))
    assert len(set(kinds)) == 4
