"""Random graphs, data and models."""

import itertools

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bilad.models import ConvexClustering, FusionGraph

NORMS = (1, 2, float("inf"))

# Quarters between -8 and 8: ties and duplicates are common, sums are exact.
quarters = st.integers(-32, 32).map(lambda k: k / 4)
# Squares of what is left do not underflow.
reals = st.floats(-100, 100).map(lambda value: value if abs(value) > 1e-100 else 0.0)
weights = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5])


def data(n, d, elements=quarters):
    return arrays(np.float64, (n, d), elements=elements)


@st.composite
def graphs(draw, n):
    """Any graph: empty, with zero weights, disconnected, complete."""
    pairs = list(itertools.combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True))
    return FusionGraph(n, np.array(chosen, dtype=int), [draw(weights) for _ in chosen])


@st.composite
def complete_graphs(draw, n):
    return FusionGraph.complete(n, draw(st.sampled_from([0.25, 1.0, 1 / 3])))


@st.composite
def models(draw, p=2, max_n=8, max_d=3, d=None, graph=graphs, gammas=None):
    """Models; `graph` makes a strategy from n."""
    n = draw(st.integers(2, max_n))
    d = draw(st.integers(1, max_d)) if d is None else d
    gamma = draw(st.floats(0.01, 4) if gammas is None else gammas)
    return ConvexClustering(draw(data(n, d)), draw(graph(n)), gamma, p)


def random_model(seed):
    """A model of 2 to 60 points: few or many clusters, rounded data, duplicates, both graphs."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 61)), int(rng.integers(1, 6))
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    if rng.random() < 0.3:
        A = np.round(A, 1)
    if rng.random() < 0.3:
        A[rng.integers(0, n, size=n // 3)] = A[0]
    if n < 5 or rng.random() < 0.5:
        graph, typical = FusionGraph.complete(n), 1 / n
    else:
        graph, typical = FusionGraph.knn(A, k=min(n - 1, int(rng.integers(2, 9)))), 0.3
    return ConvexClustering(A, graph, typical * 10 ** rng.uniform(-2, 0.7))


def same_partition(labels, other):
    """Whether two labellings group the points alike, whatever the numbers."""
    labels, other = np.asarray(labels), np.asarray(other)
    return np.array_equal(labels[:, None] == labels, other[:, None] == other)
