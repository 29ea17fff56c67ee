"""p = inf, tied features: forces between clusters turn by no more than the totals let them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.norms import row_norms
from bilad.solvers import attack, cluster
from bilad.solvers.certificates.robustness import certified_radius
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.faces import Faces
from bilad.solvers.certificates.robustness.motion import Motion
from bilad.solvers.certificates.robustness.structure import Structure

seeds = st.integers(0, 2**32 - 1)


def unequal(rng, n, d, gamma, share=0.8):
    """Groups on the complete graph, of unequal and zero weights."""
    A = rng.normal(size=(n, d)) + 4 * rng.integers(0, 3, size=(n, 1))
    pairs = np.column_stack(np.triu_indices(n, 1))
    weights = rng.uniform(0.2, 1, len(pairs)) / n * (rng.random(len(pairs)) < share)
    return ConvexClustering(A, FusionGraph(n, pairs, weights), gamma, np.inf)


def solved(model):
    return cluster(model, tol=1e-11, refine=True)


def additive(model, norm=2):
    return MaxDeviation(model, Perturbation.additive(model.data.shape), 1.0, norm)


def motion_of(problem, found):
    structure = Structure.of(problem.model, found.labels, found.X, found.Z)
    return Motion(structure, Drift.of(problem, structure))


def pair_forces(structure, found):
    """The forces of each pair in a solution, over its strength."""
    _, owner, signs, between = structure._joins
    total = np.zeros((len(structure.pairs), structure.model.d))
    np.add.at(total, owner, signs[:, None] * found.Z[between])
    return total / structure.pair_sums(structure.model.radii)[:, None]


def two_tied_clusters():
    """Each of two points; u is on the diagonal, and a perturbation of the mean moves the split."""
    A = np.array([[0.0, 0.0], [0.2, 0.1], [5.0, 5.1], [5.1, 5.3]])
    pairs = np.column_stack(np.triu_indices(4, 1))
    weights = [1.0, 0.1, 0.3, 0.2, 0.4, 1.0]
    return ConvexClustering(A, FusionGraph(4, pairs, weights), 1.0, np.inf)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_two_tied_clusters_in_closed_form(norm):
    """W (1 / n_1 + 1 / n_2) dzeta = de_1 - de_2 across the diagonal, as long as the tie holds."""
    problem = additive(two_tied_clusters(), norm)
    found = solved(problem.model)
    assert found.labels.tolist() == [0, 0, 1, 1]
    motion = motion_of(problem, found)
    radius, strength = 0.01, 1.0
    across = np.array([1.0, -1.0]) / 4  # of each point, in each of two features
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    worst = np.linalg.norm(np.tile(across, 4), dual) * radius / strength
    turn = motion.turns(radius)[0]
    assert worst * 0.999 < turn < 2 * worst * 1.5 + 1e-4
    assert certified_radius(problem, found).radius > 0.05


@settings(max_examples=12, deadline=None)
@given(seed=seeds, d=st.integers(2, 3), norm=st.sampled_from([1, 2, np.inf]))
def test_turns_bound_what_solutions_show(seed, d, norm):
    """Of points that stay apart; a pair's forces are unique where the totals determine them."""
    rng = np.random.default_rng(seed)
    model = unequal(rng, int(rng.integers(2, 7)), d, 0.5)
    problem, found = additive(model, norm), solved(model)
    motion = motion_of(problem, found)
    for radius in 10 ** rng.uniform(-3, -0.5, 2):
        turns = motion.turns(radius)
        eps = rng.normal(size=model.data.size)
        eps *= radius / problem.size(eps)
        moved = solved(problem.perturbation.apply(model, eps))
        if moved.n_clusters != found.n_clusters or (moved.labels != found.labels).any():
            continue
        turned = pair_forces(motion.structure, moved) - motion.structure.zeta
        assert (row_norms(turned, 1) <= turns + 1e-6).all()


@settings(max_examples=25, deadline=None)
@given(seed=seeds, d=st.integers(2, 3), norm=st.sampled_from([1, 2, np.inf]))
def test_nothing_shorter_changes_the_partition(seed, d, norm, directions, contradicts):
    rng = np.random.default_rng(seed)
    model = unequal(rng, int(rng.integers(4, 9)), d, 10 ** rng.uniform(-0.3, 0.7))
    problem, found = additive(model, norm), solved(model)
    radius = 0.999 * min(certified_radius(problem, found).radius, 1e3)
    for eps in directions(problem, found, rng) if radius > 0 else ():
        assert not contradicts(problem, found, radius * eps)
