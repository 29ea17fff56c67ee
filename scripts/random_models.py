"""Random convex clustering problems, hard on purpose: ties, duplicates, every kind of graph."""

from __future__ import annotations

import numpy as np

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import NORMS
from bilad.models.validation import FloatArray


def random_model(rng: np.random.Generator) -> ConvexClustering:
    """Draw up to 60 points in up to 5 dimensions: no cluster to one, any norm, any graph."""
    points = _random_points(rng)
    tiny_to_huge = rng.random() < 0.4
    gamma = 10 ** (rng.uniform(-6, 2) if tiny_to_huge else rng.uniform(-2, 1))
    return ConvexClustering(points, _random_graph(rng, points), gamma, NORMS[rng.integers(3)])


def random_exact_model(rng: np.random.Generator) -> ConvexClustering:
    """Draw a model that the exact method takes: p = 1, complete with equal weights or a tree."""
    points = _random_points(rng)
    n = len(points)
    graph = FusionGraph.complete(n, 1 / n) if rng.random() < 0.5 else _tree(rng, n)
    return ConvexClustering(points, graph, 10 ** rng.uniform(-3, 1), 1)


def _random_points(rng: np.random.Generator) -> FloatArray:
    n, d = int(rng.integers(2, 61)), int(rng.integers(1, 6))
    points = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    if rng.random() < 0.25:
        points = np.round(points, 1)  # ties
    if rng.random() < 0.2:
        points = points[rng.integers(0, n, n)]  # duplicates
    return points


def _random_graph(rng: np.random.Generator, points: FloatArray) -> FusionGraph:
    """Complete, k nearest neighbours, a tree, or any pairs with weights that may be zero."""
    n = len(points)
    kind = rng.integers(4)
    if kind == 0 or n < 5:
        return FusionGraph.complete(n, 1 / n)
    if kind == 1:
        return FusionGraph.knn(points, min(n - 1, int(rng.integers(2, 9))))
    if kind == 2:
        return _tree(rng, n)
    pairs = np.column_stack(np.triu_indices(n, 1))
    pairs = pairs[rng.random(len(pairs)) < rng.uniform(0.02, 0.9)]
    return FusionGraph(n, pairs, rng.random(len(pairs)) * (rng.random(len(pairs)) < 0.8))


def _tree(rng: np.random.Generator, n: int) -> FusionGraph:
    edges = np.array([(rng.integers(0, j), j) for j in range(1, n)])
    return FusionGraph(n, edges, rng.random(n - 1))
