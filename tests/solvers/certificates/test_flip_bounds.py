"""Counts of pairs that can flip at once, against all partitions of a few points."""

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from bilad.solvers.certificates.flip_bounds import (
    flips_of_partitions,
    flips_within_motion,
    worth_within_budget,
)


def partitions(n):
    """All partitions of n points, as labels: a new label is the least not used before."""
    rows = [[0]]
    for _ in range(n - 1):
        rows = [[*row, label] for row in rows for label in range(max(row) + 2)]
    return np.array(rows)


ALL = {n: partitions(n) for n in range(1, 8)}


def settled_at_random(rng, n):
    """Clusters, blocks that stay together, and pairs of blocks of others that stay apart."""
    clusters = np.unique(rng.integers(0, 3, n), return_inverse=True)[1]
    blocks = np.unique(3 * rng.integers(0, rng.integers(1, 4), n) + clusters, return_inverse=True)[
        1
    ]
    blocks = blocks if rng.random() < 0.5 else np.arange(n)
    K = blocks.max() + 1
    apart = np.triu(rng.random((K, K)) < rng.choice([0.0, 0.3, 0.7]), 1)
    apart = (apart | apart.T)[np.ix_(blocks, blocks)]
    same = clusters[:, None] == clusters
    return clusters, blocks[:, None] == blocks, apart & ~same


def allowed(after, together, apart):
    """Whether a partition has what is settled."""
    same = after[:, None] == after
    return not (together & ~same).any() and not (apart & same).any()


def flips(clusters, after):
    before, then = clusters[:, None] == clusters, after[:, None] == after
    return int(np.count_nonzero(before != then)) // 2


def scatter(after, positions):
    parts = (positions[after == label] for label in range(after.max() + 1))
    return sum(((part - part.mean(axis=0)) ** 2).sum() for part in parts)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_no_partition_flips_more(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))
    clusters, together, apart = settled_at_random(rng, n)
    positions = rng.normal(size=(clusters.max() + 1, 2))[clusters]
    reach = rng.choice([0.0, 0.5, 1.0, 2.0])
    possible = [after for after in ALL[n] if allowed(after, together, apart)]
    assert max(flips(clusters, a) for a in possible) <= flips_of_partitions(
        clusters, together, apart
    )
    near = [flips(clusters, a) for a in possible if scatter(a, positions) <= reach**2]
    bound = flips_within_motion(clusters, together, apart, positions, reach)
    assert max(near, default=0) <= bound


@pytest.mark.parametrize("sizes", [(1, 1), (3, 3), (2, 5), (1, 6), (4,), (2, 2, 2)])
def test_partitions_of_open_clusters_attain_it(sizes):
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    n = len(clusters)
    bound = flips_of_partitions(clusters, np.eye(n, dtype=bool), np.zeros((n, n), dtype=bool))
    assert bound == max(flips(clusters, after) for after in ALL[n])


def test_clusters_that_nothing_links_add_up():
    """Three pairs that may all part, and points of different pairs stay apart."""
    clusters, together = np.repeat([0, 1, 2], 2), np.eye(6, dtype=bool)
    apart = clusters[:, None] != clusters
    assert flips_of_partitions(clusters, together, apart) == flips(clusters, np.arange(6)) == 3


def test_what_is_out_of_reach_does_not_merge():
    """Two whole clusters of two points: to merge them takes 4 * 1, no less."""
    clusters, positions = np.array([0, 0, 1, 1]), np.array([[0.0], [0.0], [2.0], [2.0]])
    whole, none = clusters[:, None] == clusters, np.zeros((4, 4), dtype=bool)
    assert flips_within_motion(clusters, whole, none, positions, 2.0) == pytest.approx(4.0)
    assert flips_within_motion(clusters, whole, none, positions, 0.0) == pytest.approx(0.0)
    assert flips_within_motion(clusters, whole, none, positions, 1.0) < 2.0


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_no_leavers_within_the_budget_are_worth_more(seed):
    rng = np.random.default_rng(seed)
    n, norm = int(rng.integers(1, 8)), rng.choice([1.0, 2.0, np.inf])
    worth, costs = rng.integers(0, 9, n).astype(float), rng.integers(0, 5, n) / 2
    costs[rng.random(n) < 0.2] = np.inf
    budget = rng.choice([0.5, 1.0, 2.0, 3.0])
    sets = chain.from_iterable(combinations(range(n), size) for size in range(n + 1))
    best = max(
        worth[list(chosen)].sum()
        for chosen in sets
        if not chosen or np.linalg.norm(costs[list(chosen)], norm) <= budget
    )
    assert 7 + best <= worth_within_budget(worth, 7.0, costs, norm, budget)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_partitions_that_need_the_whole_motion_are_counted(seed):
    """The motion is in turn the least that each partition needs; and no bound is below the dual."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    clusters, together, apart = settled_at_random(rng, n)
    positions = rng.normal(size=(clusters.max() + 1, 2))[clusters]
    for after in ALL[n]:
        if allowed(after, together, apart):
            reach = float(np.sqrt(scatter(after, positions)))
            bound = flips_within_motion(clusters, together, apart, positions, reach)
            assert flips(clusters, after) <= bound


def dual_of_motion(clusters, together, apart, positions, motion, t):
    """The bound of the docstring for one multiplier, over all h and o in turn."""
    n, total = len(clusters), t * motion**2
    for i in range(n):
        nearest = sorted(
            float(((positions[i] - positions[j]) ** 2).sum())
            for j in range(n)
            if clusters[j] != clusters[i] and not apart[i, j]
        )
        size, least = int((clusters == clusters[i]).sum()), int(together[i].sum())
        held = np.linspace(least, size, 2001)
        total += max(
            float((size - held + o - t * sum(nearest[:o]) / (2 * (held + o))).max())
            for o in range(len(nearest) + 1)
        )
    return total / 2


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_the_motion_bounds_by_its_best_multiplier(seed):
    rng = np.random.default_rng(seed)
    clusters, together, apart = settled_at_random(rng, 6)
    positions = rng.normal(size=(clusters.max() + 1, 2))[clusters]
    motion = rng.uniform(0.2, 2.0)
    args = clusters, together, apart, positions, motion
    best = min(dual_of_motion(*args, t) for t in (0.0, *10.0 ** np.linspace(-3, 4, 57)))
    assert flips_within_motion(*args) == pytest.approx(best, rel=0.03)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_worth_is_the_lesser_of_two_relaxations(seed):
    """A linear program with fractions of points, and as many points as the cheapest allow."""
    rng = np.random.default_rng(seed)
    n, norm = int(rng.integers(1, 8)), rng.choice([1.0, 2.0, np.inf])
    worth, costs = rng.integers(0, 9, n).astype(float), rng.integers(0, 5, n) / 2
    costs[rng.random(n) < 0.2] = np.inf
    budget = rng.choice([0.5, 1.0, 2.0, 3.0])
    can = costs <= budget
    expected = worth[can].sum()
    if norm < np.inf and can.any():
        powers = costs[can] ** norm
        program = linprog(-worth[can], powers[None], [budget**norm], bounds=(0, 1))
        count = np.count_nonzero(np.cumsum(np.sort(powers)) <= budget**norm)
        expected = min(-program.fun, np.sort(worth[can])[::-1][:count].sum())
    found = worth_within_budget(worth, 7.0, costs, norm, budget)
    assert found == pytest.approx(7 + expected, rel=1e-8)


@pytest.mark.parametrize("norm", [1, 2])
def test_points_whose_costs_are_just_the_budget_leave(norm):
    """Costs and a budget whose powers are rounded: 0.1 + 0.2 is more than 0.3 for doubles."""
    costs = np.array([0.1, 0.2]) ** (1 / norm)
    assert worth_within_budget(np.ones(2), 0.0, costs, norm, 0.3 ** (1 / norm)) >= 2
    free = np.array([0.0, 1e-200, 0.5])
    assert worth_within_budget(np.full(3, 2.0), 1.0, free, norm, 0.5) == pytest.approx(7.0)
    assert worth_within_budget(np.full(3, 2.0), 1.0, free, norm, 0.25) == pytest.approx(5.0)
