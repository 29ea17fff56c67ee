"""Suggestions for gamma: the partitions of a path that stay the same over the longest ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models.representation import Represented
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.gamma_grid import distinct_points, is_coarsest, is_finest
from bilad.solvers.clustering.result import Clustering


@dataclass(frozen=True, repr=False)
class Suggestion(Represented):
    """A partition that is returned at one or more consecutive gammas of a path.

    Attributes
    ----------
    gamma : float
        The middle one of these gammas.
    n_clusters : int
    sizes : tuple of int
        The number of points in each cluster, the largest first.
    first, last : float
        The least and the largest of these gammas.
    lifetime : float
        last / first, at least 1. The finer the path, the better it measures the range of gammas
        over which the partition stays the same; it does not depend on the unit of the data.
    proved : bool
        Whether the labels are proved at every gamma from the first to the last. Between them
        nothing is proved.
    """

    gamma: float
    n_clusters: int
    sizes: tuple[int, ...]
    first: float
    last: float
    lifetime: float
    proved: bool


def suggest(
    gammas: FloatArray,
    clusterings: Sequence[Clustering],
    n_clusters: int | None = None,
    count: int = 5,
) -> list[Suggestion]:
    """Return the partitions of a path to look at first; `ClusterPath.suggest` explains them."""
    if not clusterings:
        return []
    found = []
    distinct = distinct_points(clusterings[0].model.data)
    for first, last in _runs(clusterings):
        graph, labels = clusterings[first].model.graph, clusterings[first].labels
        one = _suggestion(gammas[first : last + 1], clusterings[first : last + 1])
        distance = 0 if n_clusters is None else abs(one.n_clusters - n_clusters)
        mostly_single = 2 * one.sizes.count(1) > graph.n
        trivial = mostly_single or is_coarsest(graph, labels) or is_finest(distinct, labels)
        found.append((distance, trivial, one))
    nearest = min(distance for distance, _, _ in found)
    wanted = [
        (distance, -round(one.lifetime, 9), one.n_clusters, one)
        for distance, trivial, one in found
        if not trivial or (n_clusters is not None and distance == nearest)
    ]
    return [entry[-1] for entry in sorted(wanted, key=lambda entry: entry[:-1])[:count]]


def _runs(clusterings: Sequence[Clustering]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of consecutive clusterings with the same partition."""
    first = 0
    for k in range(1, len(clusterings) + 1):
        ends = k == len(clusterings)
        if ends or not np.array_equal(clusterings[k].labels, clusterings[first].labels):
            yield first, k - 1
            first = k


def _suggestion(gammas: FloatArray, clusterings: Sequence[Clustering]) -> Suggestion:
    first, last = float(gammas[0]), float(gammas[-1])
    sizes = np.sort(np.bincount(clusterings[0].labels))[::-1]
    lifetime = 1.0 if first == last else np.inf if first == 0 else last / first
    return Suggestion(
        gamma=float(gammas[len(gammas) // 2]),
        n_clusters=len(sizes),
        sizes=tuple(sizes.tolist()),
        first=first,
        last=last,
        lifetime=lifetime,
        proved=all(clustering.proved for clustering in clusterings),
    )
