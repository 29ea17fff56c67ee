"""Directions of eps that are likely to change a partition soon: by a merger, or by a split.

*Merger*: the gradient of the distance of two cluster means is J' applied to the difference of the
means, where J is the derivative of the solution with respect to the data. *Split*: by the cut
condition a part of a cluster leaves once the centred supplies of its points exceed the capacity of
the edges that join it to the rest. The supply of a point is its data minus the forces of other
clusters. These directions are heuristics, and no proof rests on them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem, steepest
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.derivative import SolutionDerivative
from bilad.solvers.clustering.result import Clustering

PAIRS = 3  # directions are computed for this many pairs of nearest clusters


def attack_directions(problem: BilevelProblem, clustering: Clustering) -> Iterator[FloatArray]:
    """Yield eps (k,) of norm 1 that are likely to cause a merger or a split.

    Parameters
    ----------
    problem : BilevelProblem
        Only the effect of eps on the data is used; without any there are no directions.
    clustering : Clustering
        At eps = 0.
    """
    for change in (*_mergers(clustering), *_splits(clustering)):
        slope = problem.operator("data").T @ change.ravel()
        direction = steepest(problem, np.zeros(len(slope)), slope)
        if direction.any():
            yield direction


def _mergers(clustering: Clustering) -> Iterator[FloatArray]:
    """Yield changes of the data (n, d) that move neighbouring clusters towards each other."""
    labels, sizes = clustering.labels, np.bincount(clustering.labels)
    y = np.array([clustering.X[labels == k].mean(axis=0) for k in range(len(sizes))])
    first, second = np.triu_indices(len(sizes), 1)
    distances = np.linalg.norm(y[first] - y[second], axis=1)
    order = np.argsort(distances / np.sqrt(1 / sizes[first] + 1 / sizes[second]))
    derivative = SolutionDerivative(clustering)
    for a, b in zip(first[order[:PAIRS]], second[order[:PAIRS]], strict=True):
        share = (labels == a) / sizes[a] - (labels == b) / sizes[b]
        yield derivative.apply(-share[:, None] * (y[a] - y[b]))


def _splits(clustering: Clustering) -> Iterator[FloatArray]:
    """Yield changes of the data (n, d) that separate a part of a cluster from the rest."""
    model, labels = clustering.model, clustering.labels
    apart = labels[model.graph.edges[:, 0]] != labels[model.graph.edges[:, 1]]
    supply = model.data - model.graph.adjoint(np.where(apart[:, None], clustering.Z, 0.0))
    for block in np.flatnonzero(np.bincount(labels) > 1):
        points = np.flatnonzero(labels == block)
        centred = supply[points] - supply[points].mean(axis=0)
        farthest = centred[row_norms(centred, 2).argmax()]
        for v in (np.linalg.svd(centred)[2][0], farthest):
            v = v / (np.linalg.norm(v) or 1.0)
            for sign in (1, -1):
                part = _loosest(clustering, points, sign * (centred @ v))
                change = np.zeros(model.data.shape)
                change[points] = -len(part) / len(points) * sign * v
                change[part] += sign * v
                yield change


def _loosest(clustering: Clustering, points: IntArray, pull: FloatArray) -> IntArray:
    """Return the points of largest pull, as many as give the cut condition its least slack."""
    model = clustering.model
    i, j = model.graph.edges.T
    order = points[np.argsort(-pull, kind="stable")]
    total = np.cumsum(-np.sort(-pull))
    slack = np.full(len(points) - 1, np.inf)
    for size in range(1, len(points)):
        part, rest = np.isin([i, j], order[:size]), np.isin([i, j], order[size:])
        cut = (part[0] & rest[1]) | (part[1] & rest[0])
        held = model.radii[cut].sum() - total[size - 1]
        slack[size - 1] = held / np.sqrt(size * (1 - size / len(points)))
    return order[: int(slack.argmin()) + 1]
