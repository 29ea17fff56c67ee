"""Random problems of every kind, and eps that try to break what is claimed of them."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.solvers import cluster

NORMS = (1, 2, np.inf)
KINDS = ("additive", "masked", "multiplicative", "shift", "edges")


def _random_problem(rng, kinds=KINDS, complete=False, largest=14):
    n, d = int(rng.integers(3, largest)), int(rng.integers(1, 4))
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    if rng.random() < 0.15:
        A = np.round(2 * A) / 2  # ties, duplicates
    graph = _random_graph(rng, A, complete)
    p = NORMS[rng.integers(3 if d < 3 else 2)]
    model = ConvexClustering(A, graph, 10 ** rng.uniform(-1, 0.8), p)
    perturbation = _random_perturbation(rng, model, kinds[rng.integers(len(kinds))])
    return MaxDeviation(model, perturbation, 1.0, NORMS[rng.integers(3)])


def _random_graph(rng, A, complete):
    n, kind = len(A), 0 if complete else rng.integers(3)
    if kind == 0:
        return FusionGraph.complete(n, float(rng.choice([1 / n, 0.25])))
    if kind == 1:
        return FusionGraph.knn(A, k=min(n - 1, 3), phi=0.3)
    pairs = np.column_stack(np.triu_indices(n, 1))
    pairs = np.vstack([pairs[:1], pairs[1:][rng.random(len(pairs) - 1) < 0.6]])
    weights = (rng.random(len(pairs)) * 3 / n) * (rng.random(len(pairs)) < 0.9)
    return FusionGraph(n, pairs, weights)


def _random_perturbation(rng, model, kind):
    n, d = model.data.shape
    some = rng.permutation(n)[: int(rng.integers(1, n + 1))]
    if kind == "additive":
        return Perturbation.additive((n, d))
    if kind == "masked":
        return Perturbation.additive((n, d), points=some, features=[0])
    if kind == "multiplicative" and model.data[some].any():
        return Perturbation.multiplicative(model.data, points=some)
    if kind == "edges":
        return Perturbation.edges(model.graph)
    return Perturbation.shift(rng.normal(size=(n, d)))


def _unit(slope, norm, lower):
    """The eps of size 1, within its signs, that does most along a slope; None if none does."""
    slope = np.where((slope < 0) & (lower >= 0), 0.0, slope)
    if not slope.any():
        return None
    if norm == 2:
        return slope / np.linalg.norm(slope)
    if norm == np.inf:
        return np.sign(slope)
    unit = np.zeros_like(slope)
    unit[np.abs(slope).argmax()] = np.sign(slope[np.abs(slope).argmax()])
    return unit


def _directions(problem, clustering, rng, aimed=2):
    """Eps of size 1: random ones, corners, and such as bring near pairs together or tear blocks."""
    k, lower = problem.perturbation.dim, problem.perturbation.lower
    for eps in (rng.normal(size=k), rng.choice([-1.0, 1.0], k), np.eye(k)[rng.integers(k)]):
        allowed = np.where(lower >= 0, np.abs(eps), eps)
        yield allowed / problem.size(allowed)
    for slope in _slopes(problem, clustering, rng, aimed):
        unit = _unit(slope, problem.norm, lower)
        if unit is not None:
            yield unit


def _slopes(problem, clustering, rng, aimed):
    model, labels = clustering_of(problem), clustering.labels
    sizes = np.bincount(labels)
    apart = labels[model.graph.edges[:, 0]] != labels[model.graph.edges[:, 1]]
    between = np.where(apart[:, None], clustering.Z, 0.0)
    unit = between / np.where(model.radii > 0, model.radii, 1.0)[:, None]
    T = problem.operator("data").toarray().reshape(model.n, model.d, -1)
    S = edge_operator(problem).toarray()
    weakening = [model.graph.incidence.T @ ((model.radii * z)[:, None] * S) for z in unit.T]
    felt = T + np.stack(weakening, axis=1)
    y = np.array([clustering.X[labels == k].mean(axis=0) for k in range(len(sizes))])
    first, second = np.triu_indices(len(sizes), 1)
    distances = np.linalg.norm(y[first] - y[second], axis=1)
    reach = distances / np.sqrt(1 / sizes[first] + 1 / sizes[second])
    for pair in np.argsort(reach)[:aimed]:
        left, right = first[pair], second[pair]
        means = felt[labels == left].mean(axis=0) - felt[labels == right].mean(axis=0)
        yield -((y[left] - y[right]) / distances[pair]) @ means
    forces = model.data - model.graph.adjoint(between)
    for block in np.flatnonzero(sizes > 1):
        points = np.flatnonzero(labels == block)
        for _ in range(aimed):
            v = rng.normal(size=model.d)
            v = v if rng.random() < 0.5 else np.eye(model.d)[rng.integers(model.d)]
            v /= np.linalg.norm(v)
            part = points[np.argsort(-forces[points] @ v)][: int(rng.integers(1, len(points)))]
            share = len(part) / len(points)
            pull = v @ (felt[part].sum(axis=0) - share * felt[points].sum(axis=0))
            ends = np.isin(model.graph.edges, part) & np.isin(model.graph.edges, points)
            rest = np.isin(model.graph.edges, np.setdiff1d(points, part))
            cut = (ends.any(axis=1) & rest.any(axis=1)).astype(float)
            yield pull + (model.radii * cut) @ S


def _contradicts(problem, clustering, eps):
    """Whether a solution at eps disproves that the partition is the same as at 0."""
    inside = np.clip(eps, problem.perturbation.lower, problem.perturbation.upper)
    found = cluster(problem.perturbation.apply(problem.model, inside), tol=1e-10, refine=True)
    before = clustering.labels[:, None] == clustering.labels
    after = found.labels[:, None] == found.labels
    # Labels that differ are proved to; undecided pairs are labelled together.
    return bool((before & ~after).any() or (found.proved and (before != after).any()))


@pytest.fixture(scope="session")
def random_problem():
    return _random_problem


@pytest.fixture(scope="session")
def directions():
    return _directions


@pytest.fixture(scope="session")
def contradicts():
    return _contradicts
