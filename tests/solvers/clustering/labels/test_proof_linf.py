"""Faces, ties and forces for p = inf, against brute force and dense linear algebra."""

import itertools

import numpy as np
import pytest
import scipy

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.labels.active_set import ActiveSet
from bilad.solvers.clustering.labels.proof import examine
from bilad.solvers.clustering.labels.proof_linf import (
    PolyhedralRestriction,
    _project_on_simplices,
)

INF = float("inf")


def nearest_on_simplex(value, allowed, total):
    """The projection: of all supports, that whose shifted entries are nonnegative and nearest."""
    found = []
    places = np.flatnonzero(allowed)
    for size in range(1, len(places) + 1):
        for support in map(list, itertools.combinations(places, size)):
            point = np.zeros(len(value))
            point[support] = value[support] + (total - value[support].sum()) / size
            if (point >= -1e-12).all():
                found.append((np.linalg.norm(point - value), point.tolist()))
    return min(found)[1]


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_flows_are_projected_on_their_faces(d):
    rng = np.random.default_rng(d)
    values, totals = rng.normal(size=(40, d)), rng.uniform(0.0, 2.0, 40)
    values[::4], totals[::5] = np.round(values[::4]), 0.0
    allowed = rng.random((40, d)) < 0.6
    allowed[np.arange(40), rng.integers(0, d, 40)] = True
    found = _project_on_simplices(values, allowed, totals)
    expected = list(map(nearest_on_simplex, values, allowed, totals))
    assert found == pytest.approx(np.array(expected), abs=1e-12)
    none = np.zeros((0, d))
    assert _project_on_simplices(none, none > 0, none[:, 0]).shape == (0, d)


def tied_pair(sizes=(1, 3), lead=2.0):
    """Two blocks of unequal sizes, joined by parallel edges, that tie in two of three features."""
    n = sum(sizes)
    blocks = np.repeat([0, 1], sizes)
    graph = FusionGraph.complete(n)
    graph = graph.with_weights(np.linspace(0.2, 0.9, graph.m))
    centroids = np.array([[0.0, 0.0, 0.0], [lead, -lead, lead - 1.0]])
    Z = np.zeros((graph.m, 3))
    i, j = graph.edges.T
    between = blocks[i] != blocks[j]
    Z[between] = graph.weights[between, None] * [-0.7, 0.3, 0.0]
    model = ConvexClustering(centroids[blocks] + graph.adjoint(Z), graph, 1.0, INF)
    return model, centroids[blocks], Z, ActiveSet(blocks, 0.5, 0.0), graph.weights[between]


@pytest.mark.parametrize("sizes", [(1, 3), (2, 2), (4, 1)])
def test_a_solution_is_kept_and_its_multipliers_are_those_of_the_edges(sizes):
    model, X, Z, candidate, radii = tied_pair(sizes)
    restriction = PolyhedralRestriction(model, X, Z, candidate)
    assert restriction.tied.tolist() == [[True, True, False]]
    assert restriction.signs.tolist() == [[-1.0, 1.0, -1.0]]
    assert pytest.approx(Z, abs=1e-15) == restriction.Z
    assert pytest.approx(X, abs=1e-14) == restriction.X
    assert restriction._multipliers()[0] == pytest.approx(radii.sum() * np.array([0.7, 0.3, 0.0]))
    assert restriction.offset < 1e-13
    proof = examine(model, restriction)
    assert proof.resolution < 1e-12


@pytest.mark.parametrize("sizes", [(1, 3), (2, 2), (4, 1)])
def test_a_moved_pair_is_centred_and_balanced_on_its_face(sizes):
    """From other multipliers and centroids off the tie, the solution is found in one step."""
    model, X, Z, candidate, _ = tied_pair(sizes)
    far = X + 0.05 * np.array([[1.0, 0.5, -0.25], [-0.5, 0.3, 1.0]])[candidate.blocks]
    other = Z.copy()
    between = Z.any(axis=1)
    other[between] = Z[between] @ np.diag([5 / 7, 5 / 3, 1.0])  # one half each
    restriction = PolyhedralRestriction(model, far, other, candidate)
    assert pytest.approx(Z, abs=1e-14) == restriction.Z
    assert pytest.approx(X, abs=1e-13) == restriction.X


def test_the_forces_of_a_tie_change_by_twice_the_imbalance_over_sigma():
    model, X, Z, candidate, radii = tied_pair()
    restriction = PolyhedralRestriction(model, X, Z, candidate)
    sigma = np.sqrt(2 / 1 + 2 / 3)
    change = restriction.force_error(0.0, 0.0, 0.1)
    assert change == pytest.approx([0.2 / sigma] * 2, rel=1e-12)
    least = 0.3 * radii.sum()  # with room for ties with both other features
    for share in (1 - 1e-9, 1 + 1e-9):
        found = restriction.force_error(0.0, 0.0, share * least * sigma / np.sqrt(3))
        assert np.isfinite(found).all() == (share < 1)


def test_the_tied_features_lead_within_the_error():
    model, X, Z, candidate, _ = tied_pair()
    restriction = PolyhedralRestriction(model, X, Z, candidate)
    assert restriction._lead() == pytest.approx([1.0], abs=1e-13)
    for share in (1 - 1e-9, 1 + 1e-9):
        error = share / (2 * np.sqrt(2))
        assert restriction._leads(error).tolist() == [share < 1]
        for given in ((error, 0.0), (0.0, error)):  # the larger one counts
            found = restriction.force_error(*given, 0.0)
            assert np.isfinite(found).all() == (share < 1)
    assert np.isinf(restriction.force_error(np.inf, 0.0, 0.0)).all()
    restriction.left_out = True
    assert np.isinf(restriction.force_error(0.0, 0.0, 0.0)).all()
    assert restriction._distance_from_manifold() == np.inf


@pytest.mark.parametrize("seed", range(6))
def test_the_tangent_norm_is_that_of_the_projection_on_the_manifold(seed):
    """By a null space, for random blocks of unequal sizes and the ties of all their pairs."""
    rng = np.random.default_rng(seed)
    blocks = np.repeat(np.arange(3), rng.integers(1, 4, 3))
    signs = rng.choice([-1.0, 1.0], 2)
    centroids = np.array([0.0, 1.0, 3.0])[:, None] * signs
    graph = FusionGraph.complete(len(blocks))
    model = ConvexClustering(centroids[blocks], graph, 0.01, INF)
    Z = model.project_dual(graph.differences(model.data))
    guess = ActiveSet(blocks, 1e-3, 1.0)
    restriction = PolyhedralRestriction(model, model.data, Z, guess)
    assert restriction.tied.all()
    root = np.repeat(np.sqrt(restriction.masses), 2)
    ties = np.zeros((2, 6))
    ties[0, :4], ties[1, 2:] = (
        [signs[0], -signs[1], -signs[0], signs[1]],
        [signs[0], -signs[1], -signs[0], signs[1]],
    )
    space = scipy.linalg.null_space(ties / root)
    means = rng.normal(size=(3, 2))
    expected = np.linalg.norm(space.T @ (root * means.ravel()))
    assert restriction.tangent_norm(means) == pytest.approx(expected, rel=1e-12)
    assert restriction.tangent_norm(means) >= expected * (1 - 1e-15)
    moved = restriction._tangent(means).ravel()
    assert root * moved == pytest.approx(space @ space.T @ (root * means.ravel()), abs=1e-13)


def test_a_pair_whose_order_is_open_leaves_its_blocks_open_and_no_others():
    """Blocks 0 and 1 differ clearly; 2 and 3 in a feature that hardly leads."""
    A = np.array([[0.0, 0.0], [9.0, 1.0], [90.0, 0.0], [91.0, 0.99]])
    graph = FusionGraph(4, [[0, 1], [2, 3]], [1.0, 1.0])
    model = ConvexClustering(A, graph, 0.001, INF)
    guess = ActiveSet(np.arange(4), 0.0, 0.0)
    restriction = PolyhedralRestriction(model, A, np.array([[-0.001, 0.0]] * 2), guess)
    change = restriction.force_error(0.1, 0.0, 0.0)
    assert change.tolist() == [0.0, 0.0, INF, INF]
