"""Directions of eps that change a partition soon: that bring clusters together, or tear them.

*Merging*: two clusters approach fastest along the gradient of the distance of their means, J' of
the lower level's derivative. *Tearing*: a part of a cluster is pulled off where its points' own
data, less the forces of the other clusters, exceed what the edges that hold it can carry.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.derivative import SolutionDerivative
from bilad.solvers.clustering.result import Clustering

PAIRS = 3  # of clusters, the nearest, that are aimed at


def aimed_directions(problem: BilevelProblem, clustering: Clustering) -> Iterator[FloatArray]:
    """Yield eps of size 1, (k,), that do most for a merger or a tear.

    Parameters
    ----------
    problem : BilevelProblem
        Only what eps does to the data is aimed; if nothing, there are no directions.
    clustering : Clustering
        At eps = 0.
    """
    for change in (*_approaches(clustering), *_pulls(clustering)):
        slope = problem.operator("data").T @ change.ravel()
        if not slope.any():
            continue
        if problem.norm == 2:
            yield slope / np.linalg.norm(slope)
        elif problem.norm == np.inf:
            yield np.sign(slope)
        else:
            yield np.where(np.arange(len(slope)) == np.abs(slope).argmax(), np.sign(slope), 0.0)


def _approaches(clustering: Clustering) -> Iterator[FloatArray]:
    """Yield the changes of data, (n, d), that bring near clusters together."""
    labels, sizes = clustering.labels, np.bincount(clustering.labels)
    if len(sizes) == 1:
        return
    y = np.array([clustering.X[labels == k].mean(axis=0) for k in range(len(sizes))])
    first, second = np.triu_indices(len(sizes), 1)
    distances = np.linalg.norm(y[first] - y[second], axis=1)
    order = np.argsort(distances / np.sqrt(1 / sizes[first] + 1 / sizes[second]))
    derivative = SolutionDerivative(clustering)
    for a, b in zip(first[order[:PAIRS]], second[order[:PAIRS]], strict=True):
        share = (labels == a) / sizes[a] - (labels == b) / sizes[b]
        yield derivative.apply(-share[:, None] * (y[a] - y[b]))


def _pulls(clustering: Clustering) -> Iterator[FloatArray]:
    """Yield the changes of data, (n, d), that pull a part off its cluster."""
    model, labels = clustering.model, clustering.labels
    apart = labels[model.graph.edges[:, 0]] != labels[model.graph.edges[:, 1]]
    forces = model.data - model.graph.adjoint(np.where(apart[:, None], clustering.Z, 0.0))
    for block in np.flatnonzero(np.bincount(labels) > 1):
        points = np.flatnonzero(labels == block)
        pulled = forces[points] - forces[points].mean(axis=0)
        farthest = pulled[row_norms(pulled, 2).argmax()]
        for v in (np.linalg.svd(pulled)[2][0], farthest):
            v = v / (np.linalg.norm(v) or 1.0)
            for sign in (1, -1):
                part = _loosest(clustering, points, sign * (pulled @ v))
                change = np.zeros(model.data.shape)
                change[points] = -len(part) / len(points) * sign * v
                change[part] += sign * v
                yield change


def _loosest(clustering: Clustering, points: np.ndarray, pull: FloatArray) -> np.ndarray:
    """Return the foremost points, as many as are held least for how they are pulled."""
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
