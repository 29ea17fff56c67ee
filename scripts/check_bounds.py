"""Proved radii for p = 2 in the plane and beyond: never above an attack, and how near to one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.aimed_attacks import shortest_flip
from bilad.scripts.certificate_figures import Figure
from bilad.solvers import cluster
from bilad.solvers.certificates.robustness import certified_radius

DIMENSIONS = (2, 3, 4, 5)


def random_cloud(rng: np.random.Generator, d: int) -> MaxDeviation:
    """Return two or three clouds of points, complete graph or nearest neighbours, p = 2.

    Parameters
    ----------
    rng : Generator
    d : int
        Features.
    """
    n = int(rng.integers(6, 16))
    A = rng.normal(size=(n, d))
    A[:, 0] += 5 * rng.integers(0, 3, n)
    if rng.random() < 0.5:
        graph, gamma = FusionGraph.complete(n, 1 / n), 10 ** rng.uniform(0.0, 0.6)
    else:
        graph, gamma = FusionGraph.knn(A, 4, 0.1), 10 ** rng.uniform(-0.5, 0.6)
    free = Perturbation.additive((n, d))
    return MaxDeviation(ConvexClustering(A, graph, gamma), free, 1.0)


def check_bounds(instances: int, seed: int) -> Iterator[Figure]:
    """Compare proved lower bounds with attacks; yield a row for each instance.

    Parameters
    ----------
    instances : int
        Whose data are proved to have a partition; others are passed over.
    seed : int
    """
    done, number = 0, 0
    while done < instances:
        d = DIMENSIONS[number % len(DIMENSIONS)]
        problem = random_cloud(np.random.default_rng([seed, number]), d)
        clustering = cluster(problem.white_box, tol=1e-12, refine=True)
        number += 1
        if clustering.proved and 1 < clustering.n_clusters < problem.model.n:
            done += 1
            began = time.perf_counter()
            lower = certified_radius(problem, clustering).radius
            seconds = time.perf_counter() - began
            flip = shortest_flip(problem, clustering, lower)
            ratio = lower / flip[1] if flip is not None else float("nan")
            yield Figure(
                check="proved radius, p = 2",
                group=f"d = {d}",
                instance=f"cloud {number - 1}",
                tried=1,
                wrong=int(ratio > 1),
                undecided=int(flip is None),
                value=ratio,
                measure="lower / upper",
                seconds=seconds,
            )
