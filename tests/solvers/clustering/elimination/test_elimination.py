"""The block Cholesky factorisation against dense NumPy, and its order against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.solvers.clustering.elimination import elimination
from bilad.solvers.clustering.elimination.elimination import Cholesky, Elimination
from bilad.solvers.clustering.labels.components import components


def random_edges(rng, n, share):
    """A share of all pairs, in any direction, without repetitions."""
    lows, highs = np.triu_indices(n, 1)
    chosen = rng.permutation(len(lows))[: round(share * len(lows))]
    pairs = np.stack([lows[chosen], highs[chosen]])
    turned = rng.random(len(chosen)) < 0.5
    pairs[:, turned] = pairs[::-1, turned]
    return pairs


def factor_and_matrix(rng, n, edges, b):
    """Random definite edge blocks and diagonal; the dense matrix is in the order of the points."""
    order = Elimination(n, *edges)
    cholesky, matrix = Cholesky(order, b), np.zeros((n, b, n, b))
    root = rng.normal(size=(len(edges[0]), b, b))
    H, M = root @ root.transpose(0, 2, 1), rng.uniform(0.5, 2, n)
    for (i, j), block in zip(edges.T, H, strict=True):
        for row, column, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            matrix[row, :, column] += sign * block
    matrix[np.arange(n), :, np.arange(n)] += M[:, None, None] * np.eye(b)
    cholesky.H[:] = H[order.edges]
    cholesky.diagonal[:] = order.enter(matrix[np.arange(n), :, np.arange(n)])
    return order, cholesky, matrix.reshape(n * b, n * b)


@pytest.mark.parametrize("b", [1, 2, 3])
@pytest.mark.parametrize(
    ("n", "share"), [(1, 0), (2, 1), (40, 0), (40, 0.1), (40, 1), (100, 0.5), (320, 0.01)]
)
def test_solutions_are_those_of_the_dense_matrix(n, share, b):
    rng = np.random.default_rng(n + b)
    order, cholesky, matrix = factor_and_matrix(rng, n, random_edges(rng, n, share), b)
    assert order.is_dense == (n == 100)
    assert cholesky.factorise()
    for width in (1, 2, 3) if b == 1 else (b,):
        R = rng.normal(size=(n, width))
        X = order.enter(R)
        cholesky.solve(X)
        found = matrix @ order.leave(X).reshape(n * b, -1)
        np.testing.assert_allclose(found.reshape(R.shape), R, atol=1e-10)


def test_edges_without_conductance():
    """Whole components of L are zero, and a pivot that they leave alone is right."""
    rng, n = np.random.default_rng(4), 50
    edges = random_edges(rng, n, 0.1)
    order, cholesky, _ = factor_and_matrix(rng, n, edges, 1)
    cholesky.H[rng.random(len(cholesky.H)) < 0.7] = 0.0
    matrix, zeros = np.eye(n), cholesky.H[:, 0, 0].copy()
    for i, j, value in zip(order.lows, order.highs, zeros, strict=True):
        matrix[[i, j], [i, j]] += value
        matrix[[i, j], [j, i]] -= value
    for _ in range(2):  # the second after a factorisation without zeros
        cholesky.diagonal[:, 0, 0] = matrix.diagonal()
        assert cholesky.factorise()
        X = np.eye(n)
        cholesky.solve(X)
        np.testing.assert_allclose(matrix @ X, np.eye(n), atol=1e-12)
        cholesky.H[:, 0, 0], cholesky.diagonal[:, 0, 0] = 1.0, n
        assert cholesky.factorise()
        cholesky.H[:, 0, 0] = zeros


@pytest.mark.parametrize("n", [1, 5, 100, 320])
@pytest.mark.parametrize("value", [-1e3, 0.0, np.nan])
def test_a_matrix_that_is_not_definite_is_refused(n, value):
    rng = np.random.default_rng(n)
    edges = random_edges(rng, n, 1 if n < 300 else 0.01)
    _, cholesky, _ = factor_and_matrix(rng, n, edges, 2)
    cholesky.diagonal[n // 2, 1, 1] = value
    assert not cholesky.factorise()


@given(st.data())
def test_orders_are_permutations_and_can_be_left(data):
    n, d = data.draw(st.integers(1, 12)), 2
    graph = data.draw(problems.graphs(n)) if n > 1 else None
    edges = np.empty((2, 0), dtype=int) if graph is None else np.stack(graph.ends)
    order = Elimination(n, *edges)
    assert sorted(order.points) == list(range(n))
    X, Z = np.arange(n * d).reshape(n, d) + 0.5, np.arange(1.0, edges.size + 1).reshape(-1, d)
    assert order.leave(order.enter(X)).tolist() == X.tolist()
    entered = order.enter_flow(Z)
    assert order.leave_flow(entered).tolist() == Z.tolist()
    assert (order.lows < order.highs).all()
    balance, ordered = np.zeros((2, n, d))
    np.add.at(balance, edges[0], Z)
    np.add.at(balance, edges[1], -Z)
    np.add.at(ordered, order.lows, entered)
    np.add.at(ordered, order.highs, -entered)
    assert order.leave(ordered).tolist() == balance.tolist()


def fill(n, edges, points):
    """Return the number of entries of L below the diagonal, by elimination of sets."""
    neighbours = {i: set() for i in range(n)}
    for i, j in edges.T.tolist():
        neighbours[i].add(j)
        neighbours[j].add(i)
    entries = 0
    for point in points:
        around = neighbours.pop(point)
        entries += len(around)
        for i in around:
            neighbours[i] = (neighbours[i] | around) - {i, point}
    return entries


@pytest.mark.parametrize("few", [0, 300])
def test_the_order_has_little_fill(few, monkeypatch):
    """Trees have none; else close to the least of all orders, and mostly below that of the points.

    With `few` = 0 the order is that of QDLDL.
    """
    monkeypatch.setattr(elimination, "FEW_POINTS", few)
    rng, found, natural, least = np.random.default_rng(0), 0, 0, 0
    for _ in range(15):
        edges = random_edges(rng, 6, 0.5)
        order = Elimination(6, *edges)
        orders = itertools.permutations(range(6))
        assert order.entries == fill(6, edges, order.points.tolist())
        found += order.entries
        natural += fill(6, edges, range(6))
        least += min(fill(6, edges, points) for points in orders)
    assert least <= found <= 1.03 * least < natural
    tree = np.stack([np.arange(1, 50), rng.integers(0, np.arange(1, 50))])
    assert Elimination(50, *tree).entries == 49


def test_a_minimum_degree_order_takes_a_least_degree_every_time():
    rng = np.random.default_rng(0)
    edges = random_edges(rng, 30, 0.15)
    left = {i: set() for i in range(30)}
    for i, j in edges.T.tolist():
        left[i].add(j)
        left[j].add(i)
    for point in Elimination(30, *edges).points.tolist():
        assert len(left[point]) == min(map(len, left.values()))
        around = left.pop(point)
        for i in around:
            left[i] = (left[i] | around) - {i, point}


def pattern(order):
    """Return the pairs of points that are joined in L."""
    starts, rows = order._columns
    columns = np.repeat(np.arange(len(order.points)), np.diff(starts.astype(int)))
    return {frozenset(pair) for pair in order.points[np.stack([rows, columns])].T.tolist()}


@pytest.mark.parametrize("seed", range(5))
def test_an_inherited_order_joins_no_other_blocks(seed):
    """Against the pairs of blocks that hold a pair of points joined in L."""
    rng, n = np.random.default_rng(seed), 59
    edges = random_edges(rng, n, 0.07)
    order = Elimination(n, *edges)
    blocks = components(*edges, rng.random(edges.shape[1]) < 0.3, n)
    between = np.unique(np.sort(blocks[edges], axis=0), axis=1)
    between = between[:, between[0] != between[1]]
    inherited = order.contracted_order(blocks)
    K = len(inherited)
    contracted = Elimination(K, *between, inherited)
    assert contracted.points.tolist() == inherited.tolist()
    assert sorted(inherited) == list(range(K))
    joined = {frozenset(blocks[list(pair)].tolist()) for pair in pattern(order)}
    assert pattern(contracted) <= joined
    assert pattern(contracted) >= {frozenset(pair) for pair in between.T.tolist()}
