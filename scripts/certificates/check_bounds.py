"""Proved radii for p = 2 in the plane and beyond: never above an attack, and how near to one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.certificates.certificate_figures import Figure
from bilad.solvers import certify
from bilad.solvers.lower.cluster import solve_lower

DIMENSIONS = (2, 3, 4, 5)
MOST_SOLVES = 150  # on attacks on one instance


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
        clustering = solve_lower(problem.white_box, tol=1e-12, refine=True)
        number += 1
        if clustering.proved and 1 < clustering.n_clusters < problem.model.n:
            done += 1
            found = certify(problem, MOST_SOLVES)
            yield Figure(
                check="proved radius, p = 2",
                group=f"d = {d}",
                instance=f"cloud {number - 1}",
                tried=1,
                wrong=int(found.lower > found.upper),
                undecided=int(found.attack is None),
                value=found.lower / found.upper if found.attack is not None else float("nan"),
                measure="lower / upper",
                seconds=found.seconds - (found.attack.seconds if found.attack is not None else 0.0),
            )
