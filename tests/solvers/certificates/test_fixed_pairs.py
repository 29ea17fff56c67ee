"""No eps within the radius flips a fixed pair, hard as one may try."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.black_box import BlackBox
from bilad.models.validation import ArgumentError
from bilad.solvers import cluster
from bilad.solvers.certificates import stable_blocks
from bilad.solvers.certificates.bounds import fixed_pairs


def contradicted(problem, fixed, eps):
    """Whether the solution at eps disproves what is fixed; undecided pairs say nothing."""
    inside = np.clip(eps, problem.perturbation.lower, problem.perturbation.upper)
    found = cluster(problem.perturbation.apply(problem.model, inside), tol=1e-10, refine=True)
    same = found.labels[:, None] == found.labels
    # Labels that differ are proved to; undecided pairs are labelled together.
    return bool((fixed.together & ~same).any() or (found.proved and (fixed.apart & same).any()))


def attack_fixed(problem, rng, directions, radius, tight=False):
    """Return the share of pairs that are fixed; fail if one of them is flipped."""
    clustering = cluster(problem.model, tol=1e-10, refine=True)
    fixed = fixed_pairs(problem, clustering, radius, tight)
    for eps in directions(problem, clustering, rng):
        for length in (1.0, 0.5):
            assert not contradicted(problem, fixed, length * radius * eps), (length, eps)
    return float((fixed.together | fixed.apart).mean())


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_within_the_radius_flips_a_fixed_pair(seed, random_problem, directions):
    rng = np.random.default_rng(seed)
    attack_fixed(random_problem(rng, largest=9), rng, directions, 10 ** rng.uniform(-2, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(2))
def test_nothing_flips_a_fixed_pair_of_80_problems(batch, random_problem, directions):
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(10_000 + 1000 * batch + seed)
        problem, radius = random_problem(rng), 10 ** rng.uniform(-2, 0.7)
        shares.append(attack_fixed(problem, rng, directions, radius, tight=seed % 5 == 0))
    assert 0.2 < np.mean(shares) < 1


def fixed_of(model, perturbation, radius, norm=2, tight=False):
    return fixed_pairs(MaxDeviation(model, perturbation, 1.0, norm), cluster(model), radius, tight)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize(("norm", "share"), [(1, 1.0), (2, 0.5**0.5), (np.inf, 0.5)])
def test_two_points_in_closed_form(p, norm, share):
    """Three apart: with r = 1 they are one from meeting, with r = 2 one from parting.

    At that distance they meet, and beyond it they part: the next double is too far.
    """
    A = np.array([[0.0, 0.0], [3.0, 0.0]])
    everything = Perturbation.additive((2, 2), features=[0])
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0, p)
    assert fixed_of(model, everything, (1 - 1e-6) * share, norm).apart[0, 1]
    assert not fixed_of(model, everything, share, norm).apart[0, 1]
    model = ConvexClustering(A, FusionGraph.complete(2), 2.0, p)
    assert fixed_of(model, everything, (1 - 1e-9) * share, norm).together[0, 1]
    assert not fixed_of(model, everything, np.nextafter(share, 2), norm).together[0, 1]


@pytest.mark.parametrize("p", [1, 2])
def test_points_that_cannot_move_stay_together_when_others_leave(p):
    """Nine points in one place, one of them free to go anywhere; three others far away."""
    A = np.r_[np.zeros((9, 2)), np.full((3, 2), 1000.0)]
    model = ConvexClustering(A, FusionGraph.complete(12), 0.1, p)
    free = Perturbation.additive(A.shape, points=[0])
    fixed = fixed_of(model, free, 100.0)
    assert fixed.together[1:9, 1:9].all()
    assert fixed.apart[:9, 9:].all()
    assert not fixed.together[0, 1:].any()
    assert not fixed.apart[0, 1:9].any()


def test_a_line_of_two_groups_of_which_one_point_travels():
    """The point may join either group or none, the groups never meet: the line's monotonicity."""
    A = np.r_[np.zeros(6), np.full(6, 10.0)][:, None]
    model = ConvexClustering(A, FusionGraph.complete(12), 0.2)
    fixed = fixed_of(model, Perturbation.additive(A.shape, points=[0]), 50.0)
    assert fixed.apart[1:6, 6:].all()
    assert fixed.together[1:6, 1:6].all()
    assert fixed.together[6:, 6:].all()
    assert not (fixed.together | fixed.apart)[0, 1:].any()


def test_no_work_settles_no_blocks_but_points(monkeypatch):
    monkeypatch.setattr(stable_blocks, "QUICK_WORK", 0.0)
    model = ConvexClustering([[0.0], [0.1], [50.0]], FusionGraph.complete(3), 1.0)
    fixed = fixed_of(model, Perturbation.additive((3, 1)), 0.5)
    assert not fixed.together[0, 1]
    assert fixed.apart[:2, 2].all()


def test_a_partition_without_proof_settles_nothing():
    """Two points that touch exactly, in the plane."""
    model = ConvexClustering([[0.0, 0.0], [2.0, 0.0]], FusionGraph.complete(2), 1.0)
    clustering = cluster(model)
    assert not clustering.proved
    fixed = fixed_of(model, Perturbation.additive((2, 2)), 0.1)
    assert not fixed.together[0, 1]
    assert not fixed.apart[0, 1]


def test_a_tie_of_which_no_room_is_left_and_no_eps():
    model = ConvexClustering([[0.0], [2.0], [50.0], [52.0]], FusionGraph.complete(4), 1.0)
    fixed = fixed_of(model, Perturbation.additive((4, 1), points=[0, 3]), 0.0)
    assert fixed.apart[:2, 2:].all()


def test_black_boxes_are_refused():
    A = np.array([[0.0], [1.0], [9.0]])
    box = BlackBox(A, KMeans(2, n_init=1, random_state=0))
    problem = MaxDeviation(box, Perturbation.additive(A.shape), 1.0)
    clustering = cluster(ConvexClustering(A, FusionGraph.complete(3), 0.1))
    with pytest.raises(ArgumentError, match="ConvexClustering"):
        fixed_pairs(problem, clustering, 1.0)
