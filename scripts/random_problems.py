"""Random problems of the lower level, by which `bilad verify` compares the methods.

They cover all norms, complete, neighbour and random graphs and forests, also disconnected ones,
equal weights and weights of many magnitudes or zero, ties and duplicates, and all scales. A problem
is determined by a seed and its index, so that each can be solved again alone.
"""

from __future__ import annotations

import numpy as np

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import NORMS, conjugate
from bilad.models.validation import FloatArray, IntArray

DIMENSIONS = (1, 2, 3, 5)
MOST_POINTS = 60
GRAPHS = ("complete", "neighbours", "forest", "random", "pairs")
WEIGHTS = ("equal", "gaussian", "uniform", "zeros", "magnitudes")


def random_model(seed: int, index: int) -> ConvexClustering:
    """Return the problem with this index among those of a seed."""
    return draw_model(np.random.default_rng([seed, index]))


def draw_model(rng: np.random.Generator, most: int = MOST_POINTS) -> ConvexClustering:
    """Draw a problem with 2 to `most` points."""
    points, p = _points(rng, most), float(rng.choice(NORMS))
    graph = FusionGraph(len(points), *_edges(rng, points))
    gamma = 10 ** rng.uniform(*((-6, 2) if rng.random() < 0.3 else (-2, 1)))
    if rng.random() < 0.2 and graph.weights.max(initial=0) > 0:
        gamma = _meeting(rng, points, graph, p) or gamma
    unit = 10.0 ** rng.uniform(-8, 8) if rng.random() < 0.3 else 1.0
    return ConvexClustering(unit * points, graph, unit * gamma, p)


def _points(rng: np.random.Generator, most: int) -> FloatArray:
    """Draw clouds of points; a lattice has ties, and points drawn twice coincide."""
    n, d = int(rng.integers(2, most + 1)), int(rng.choice(DIMENSIONS))
    points = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    if rng.random() < 0.3:
        points = np.round(points, int(rng.integers(0, 2)))
    return points[rng.integers(0, n, n)] if rng.random() < 0.2 else points


def _edges(rng: np.random.Generator, points: FloatArray) -> tuple[IntArray, FloatArray]:
    """Draw edges and weights."""
    n, kind = len(points), rng.choice(GRAPHS)
    if kind == "neighbours" and n > 2:
        graph = FusionGraph.knn(points, int(rng.integers(1, min(n, 9))), rng.choice([0.0, 0.5]))
        return graph.edges, graph.weights
    pairs = np.column_stack(np.triu_indices(n, 1))
    if kind == "forest":
        pairs = np.array([(rng.integers(0, j), j) for j in range(1, n) if rng.random() < 0.9])
    elif kind == "random":
        pairs = pairs[rng.random(len(pairs)) < rng.uniform(0.02, 0.9)]
    elif kind == "pairs":
        pairs = np.arange(n - n % 2).reshape(-1, 2)
    pairs = pairs.reshape(-1, 2)
    return pairs, _weights(rng, points, pairs)


def _weights(rng: np.random.Generator, points: FloatArray, pairs: IntArray) -> FloatArray:
    m, kind = len(pairs), rng.choice(WEIGHTS)
    if kind == "equal":
        return np.full(m, rng.choice([1.0, 1 / len(points)]))
    if kind == "gaussian":
        squares = ((points[pairs[:, 0]] - points[pairs[:, 1]]) ** 2).sum(axis=1)
        return np.exp(-0.5 * squares)
    if kind == "magnitudes":
        return 10 ** rng.uniform(-6, 0, m)
    return rng.random(m) * (rng.random(m) < (0.7 if kind == "zeros" else 1.0))


def _meeting(rng: np.random.Generator, points: FloatArray, graph: FusionGraph, p: float) -> float:
    """Return the gamma at which two neighbours would meet if they had no others; 0 for duplicates.

    It is a breakpoint of the problem for isolated pairs, and for neighbours on a line in a complete
    graph with equal weights.
    """
    edge = rng.choice(np.flatnonzero(graph.weights))
    difference = points[graph.edges[edge, 0]] - points[graph.edges[edge, 1]]
    return float(np.linalg.norm(difference, conjugate(p)) / 2 / graph.weights[edge])
