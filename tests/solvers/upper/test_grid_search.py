"""Grid search, compared with a loop over all points of the same grid."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bilad.models import (
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    between_clusters,
    chosen_pairs,
    deviation,
)
from bilad.models.validation import ArgumentError
from bilad.solvers import attack, cluster


def grid(a, step, k, norm):
    """Return the points -a, -a + step, .., a in k dimensions that are in the ball."""
    axis, steps = [], 0
    while -a + steps * step <= a + 1e-9:
        axis.append(min(-a + steps * step, a))
        steps += 1
    points = map(np.array, itertools.product(axis, repeat=k))
    return [eps for eps in points if np.linalg.norm(eps, norm) <= a]


def brute_force(model, perturbation, points, norm):
    """Return (norm, deviation) of all grid points whose labels are proved."""
    before = cluster(model, "exact").labels
    seen = []
    for eps in points:
        after = cluster(perturbation.apply(model, eps), "exact")
        if after.proved:
            seen.append((np.linalg.norm(eps, norm), deviation(before, after.labels)))
    return seen


def check(model, perturbation, a, step, norm, target):
    points = grid(a, step, perturbation.dim, norm)
    seen = brute_force(model, perturbation, points, norm)

    found = attack(
        MaxDeviation(model, perturbation, a, norm),
        "direct",
        step=step,
        bound="none",
        closing="none",
    )
    most = max((value for _, value in seen), default=0)
    assert found.deviation == most
    if most < model.n * (model.n - 1):  # else nothing can be better, and the walk may stop
        assert found.lower_solves in (len(points), len(points) - 1)  # eps = 0 may be known
    if most:
        least = min(size for size, value in seen if value == most)
        assert found.norm == pytest.approx(least, abs=1e-12)
    else:
        assert found.status == "no attack found"

    bl2 = MinPerturbation(model, perturbation, target, norm, limit=a)
    found = attack(bl2, "direct", step=step, bound="none", closing="none")
    enough = [size for size, value in seen if value >= target]
    if enough:
        assert found.norm == pytest.approx(min(enough), abs=1e-12)
        of_that_size = [v for size, v in seen if size <= min(enough) + 1e-12 and v >= target]
        assert found.deviation == max(of_that_size)
    else:
        assert (found.status, found.deviation) == ("no attack found", 0)


@settings(max_examples=6)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 8),
    k=st.integers(1, 2),
    norm=st.sampled_from([1, 2, np.inf]),
    step=st.sampled_from([0.5, 0.31]),
)
def test_equals_brute_force(seed, n, k, norm, step):
    rng = np.random.default_rng(seed)
    A = rng.integers(-12, 13, size=(n, 1)) / 4
    model = ConvexClustering(A, FusionGraph.complete(n), rng.choice([0.1, 0.25, 0.37]))
    perturbation = Perturbation.additive((n, 1), points=rng.choice(n, k, replace=False))
    check(model, perturbation, 3.0, step, norm, target=float(rng.integers(1, n)))


def test_equals_brute_force_in_the_plane(planar):
    perturbation = Perturbation.additive(planar.data.shape, points=[0])
    points = grid(4.0, 1.0, 2, 2)
    before = cluster(planar).labels
    values = [deviation(before, cluster(perturbation.apply(planar, e)).labels) for e in points]
    found = attack(
        MaxDeviation(planar, perturbation, 4.0), "direct", step=1.0, bound="none", closing="none"
    )
    assert found.deviation == max(values) > 0


def test_bl2_stops_early(groups):
    whole = attack(groups.bl1(), "direct", step=0.1, bound="none", closing="none")
    short = attack(groups.bl2(), "direct", step=0.1, bound="none", closing="none")
    assert whole.lower_solves >= 360
    # Out to the first step and back: the two points of that size, and none beyond.
    assert max(e.size for e in short.history) == pytest.approx(short.norm, abs=1e-9)
    assert short.norm == pytest.approx(groups.parts, abs=0.1 + 1e-9)


@pytest.mark.parametrize(("norm", "count"), [(1, 13), (2, 13), (np.inf, 25)])
def test_the_lattice_fills_the_ball(groups, norm, count):
    """In the plane 13 integer points have norm 1 or 2 at most 2, and 25 have norm inf at most 2."""
    problem = MaxDeviation(groups.model(), groups.each(), 2.0, norm=norm)
    found = attack(problem, "direct", step=1.0, bound="none", closing="none")
    seen = {tuple(e.eps) for e in found.history} | {(0.0, 0.0)}
    integers = itertools.product(range(-2, 3), repeat=2)
    assert seen == {v for v in integers if np.linalg.norm(v, norm) <= 2}
    assert len(seen) == count


def test_the_default_step_makes_about_a_thousand_points(groups):
    assert attack(groups.bl1(), "direct", closing="none").lower_solves in (1000, 1001)
    box = MaxDeviation(groups.model(), groups.each(), 2.0, norm=np.inf)
    assert 900 <= attack(box, "direct", bound="none", closing="none").lower_solves <= 1024


def test_both_ends_of_the_interval_are_tried(groups):
    """This holds even if the step divides it only up to rounding: 0.1 + 0.2 > 0.3."""
    found = attack(groups.bl1(budget=0.3), "direct", step=0.1, bound="none", closing="none")
    tried = sorted(float(e.eps[0]) for e in found.history if abs(e.eps[0]) > 1e-9)
    assert tried == pytest.approx([-0.3, -0.2, -0.1, 0.1, 0.2, 0.3])
    assert max(map(abs, tried)) <= 0.3


def edge_model(seed, n=5):
    """Return points on a line with pairwise different weights, and some edges to weaken."""
    rng = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    chosen = np.sort(rng.choice(len(pairs), 7, replace=False))
    graph = FusionGraph(n, pairs[chosen], rng.uniform(0.5, 2, 7))
    A = np.round(rng.normal(size=(n, 1)) * 2, 3)
    return ConvexClustering(A, graph, rng.uniform(0.2, 0.6)), rng


def corner_grid(radius, step, k, norm):
    """Return the points 0, step, .. up to the bound 1 or the radius that are in the ball."""
    end = min(1.0, radius)
    axis = [min(i * step, end) for i in range(int(end / step * (1 + 1e-9)) + 1)]
    points = map(np.array, itertools.product(axis, repeat=k))
    return [eps for eps in points if np.linalg.norm(eps, norm) <= radius]


@pytest.mark.parametrize(("seed", "norm", "radius"), [(0, 1, 1.25), (1, 2, 0.8), (0, np.inf, 1.0)])
def test_lowering_weights_equals_brute_force(seed, norm, radius):
    model, rng = edge_model(seed)
    perturbation = Perturbation.edges(model.graph, rng.choice(7, 2, replace=False))
    before = cluster(model, "clarabel", refine=True)
    seen = {}
    for eps in corner_grid(radius, 0.25, 2, norm):
        after = cluster(perturbation.apply(model, eps), "clarabel", refine=True)
        if after.proved:
            seen[tuple(eps)] = (np.linalg.norm(eps, norm), deviation(before.labels, after.labels))
    most = max(value for _, value in seen.values())

    found = attack(
        MaxDeviation(model, perturbation, radius, norm),
        "direct",
        step=0.25,
        bound="none",
        closing="none",
    )
    assert found.deviation == most
    assert {tuple(e.eps) for e in found.history} | {(0.0, 0.0)} >= set(seen)
    if most:
        least = min(size for size, value in seen.values() if value == most)
        assert found.norm == pytest.approx(least, abs=1e-12)

    bl2 = MinPerturbation(model, perturbation, 2.0, norm, limit=radius)
    found = attack(bl2, "direct", step=0.25, bound="none", closing="none")
    enough = [size for size, value in seen.values() if value >= 2]
    if enough:
        assert found.norm == pytest.approx(min(enough), abs=1e-12)
    else:
        assert (found.status, found.deviation) == ("no attack found", 0)


def test_some_of_these_weights_change_the_partition():
    """Otherwise the comparison with brute force would not test anything."""
    found = []
    for seed in range(4):
        model, rng = edge_model(seed)
        chosen = rng.choice(7, 2, replace=False)
        problem = MaxDeviation(model, Perturbation.edges(model.graph, chosen), 1.0, np.inf)
        found.append(attack(problem, "direct", step=0.25, closing="none").deviation)
    assert sum(value > 0 for value in found) >= 2


def test_weakening_the_edge_between_two_groups():
    """Two pairs of points are fused by one edge between them, and apart without it.

    Half the distance of their means is 1 and each pair has two points, so the edge has to carry the
    force 2. The pairs stay apart if and only if gamma w (1 - eps) < 2.
    """
    graph = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [9.0, 4.0, 9.0])
    model = ConvexClustering([[-1.0], [-1.0], [1.0], [1.0]], graph, 1.0)
    bridge = Perturbation.edges(graph, [1])
    found = attack(MinPerturbation(model, bridge, 8.0), "direct", step=1 / 64, closing="none")
    assert found.problem.radius == 1
    assert found.norm == 33 / 64  # the first beyond a half
    assert found.deviation == 8
    assert found.lower_solves == 33
    assert (
        attack(MaxDeviation(model, bridge, 0.5), "direct", step=0.125, closing="none").deviation
        == 0
    )
    wide = attack(MaxDeviation(model, bridge, 5.0), "direct", step=0.05, closing="none")
    assert (wide.deviation, wide.problem.box[1].tolist()) == (8, [1.0])
    assert wide.norm == pytest.approx(0.55)


def test_a_target_is_two_clusters(groups):
    """The moved points leave their group at one breakpoint and join the other at the next."""
    moved, first, second = range(2), range(2, 4), range(4, 7)
    parting, joining = between_clusters(moved, first), between_clusters(moved, second)
    for function, step in ((parting, groups.parts), (joining, groups.joins)):
        pairs = function.largest(groups.n)
        problem = groups.bl2(target=pairs, deviation=function)
        found = attack(problem, "direct", step=0.1, closing="none")
        assert found.deviation == pairs
        assert step - 1e-9 <= found.norm <= step + 0.1 + 1e-9
    assert (
        attack(
            groups.bl1(deviation=chosen_pairs([[0, 1]])), "direct", step=0.5, closing="none"
        ).deviation
        == 0
    )


@pytest.mark.parametrize("levels", [0, 1, 5, 12])
def test_refinement_bisects_between_neighbours_that_differ(groups, levels):
    """The smallest breakpoint is found up to the step halved as often as requested."""
    found = attack(groups.bl2(), "direct", step=1.0, refinements=levels, closing="none")
    assert groups.parts < found.norm <= groups.parts + 2.0**-levels + 1e-9
    assert found.lower_solves <= 6 + 4 * levels  # two sides, of which one is soon left


def test_intervals_with_equal_ends_are_not_refined(groups):
    found = attack(groups.bl1(budget=10.0), "direct", step=4.0, refinements=6, closing="none")
    steps = np.diff(sorted(float(e.eps[0]) for e in found.history))
    assert min(steps) == pytest.approx(4.0 / 2**6)
    assert np.sum(steps > 3.9) >= 2
    assert groups.parts < found.norm <= groups.parts + 4.0 / 2**6


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_cells_with_a_breakpoint_are_refined_in_the_plane(groups, norm):
    """Every new point has grid points with different deviations within one step."""
    problem = MaxDeviation(groups.model(), groups.each(), 6.0, norm)
    grid = attack(problem, "direct", step=2.0, closing="none")
    found = attack(problem, "direct", step=2.0, refinements=1, closing="none")
    known = {tuple(e.eps): e.deviation for e in grid.history} | {(0.0, 0.0): 0.0}
    new = [e for e in found.history if tuple(e.eps) not in known]
    assert {tuple(e.eps) for e in found.history} >= {tuple(e.eps) for e in grid.history}
    assert new
    for seen in new:
        assert seen.size <= 6.0
        assert (seen.eps - np.round(seen.eps) == 0).all()
        near = {v for eps, v in known.items() if np.abs(seen.eps - eps).max() <= 2.0}
        assert len(near) > 1


def test_refinement_in_the_plane_comes_closer(groups):
    problem = MinPerturbation(groups.model(), groups.each(), 1.0, np.inf, limit=6.0)
    sizes = [
        attack(problem, "direct", step=1.6, refinements=r, closing="none").norm for r in (0, 2, 4)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_refinement_between_bounds():
    """As in the test of the edge between two groups, the breakpoint is at half of the weight."""
    graph = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [9.0, 4.0, 9.0])
    model = ConvexClustering([[-1.0], [-1.0], [1.0], [1.0]], graph, 1.0)
    problem = MinPerturbation(model, Perturbation.edges(graph, [1]), 8.0)
    found = attack(problem, "direct", step=0.25, refinements=10, closing="none")
    assert 0.5 < found.norm <= 0.5 + 0.25 / 2**10
    assert found.lower_solves <= 3 + 2 * 10  # on both sides of a tie at the step itself


@pytest.mark.parametrize("refinements", [-1, 1.5, 41, None])
def test_refinements_that_are_refused(groups, refinements):
    with pytest.raises(ArgumentError, match="refinements"):
        attack(groups.bl1(), "direct", refinements=refinements)
