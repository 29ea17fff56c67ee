"""Check of exact radii by perturbations just inside and outside, and of proved ones by attacks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.norms import NORMS
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.certificates.check_rows import CheckRow
from bilad.solvers import certify
from bilad.solvers.certificates.exact_radius import ExactRadius, exact_radius, partition_at
from bilad.solvers.clustering.cluster import solve_lower

INSIDE, OUTSIDE = 0.999999, 1.000001  # multiples of the radius
DIMENSIONS = (2, 3, 4, 5)
MOST_SOLVES = 150  # lower-level solves of the attacks on one instance


def random_masked_line(rng: np.random.Generator) -> MaxDeviation:
    """Return points on a line, a random subset of which is perturbed individually."""
    n = int(rng.integers(10, 41))
    A = 2 * rng.normal(size=(n, 1)) + 3 * rng.integers(0, 2, size=(n, 1))
    model = ConvexClustering(A, FusionGraph.complete(n), 10 ** rng.uniform(-1.5, 0.5) / n)
    mask = rng.permutation(n)[: rng.integers(1, n + 1)]
    free = Perturbation.additive((n, 1), points=mask)
    return MaxDeviation(model, free, 1.0, NORMS[rng.integers(3)])


def check_radius(masks: int, perturbations: int, seed: int) -> Iterator[CheckRow]:
    """Perturb random lines just inside and just outside the exact radius; yield rows for each.

    Parameters
    ----------
    masks : int
        The number of lines.
    perturbations : int
        The total number of perturbations with 0.999999 times the radius.
    seed : int
    """
    for number in range(masks):
        rng = np.random.default_rng([seed, number])
        problem = random_masked_line(rng)
        began = time.perf_counter()
        found = exact_radius(problem)
        seconds = time.perf_counter() - began
        before = partition_at(problem, 0 * found.eps)
        share = perturbations // masks + (number < perturbations % masks)
        inside = INSIDE * min(found.radius, 1e6) * _sphere(problem, found, rng, share)
        moved = sum(_moved(problem, eps, before) for eps in inside)
        group, name = "just inside", f"mask {number}"
        yield _row(group, name, (share, moved), found.radius, seconds)
        if np.isfinite(found.radius):
            outside = OUTSIDE * found.radius * found.direction
            still = not (partition_at(problem, outside) != before).any()
            yield _row("just outside", name, (1, int(still)), found.radius, seconds)


def _row(group: str, name: str, counts: tuple[int, int], radius: float, seconds: float) -> CheckRow:
    return CheckRow("exact radius", group, name, *counts, 0, radius, "radius", seconds)


def _sphere(
    problem: BilevelProblem, found: ExactRadius, rng: np.random.Generator, count: int
) -> FloatArray:
    """Return eps of norm 1: random ones, random signs, and ones close to the worst direction."""
    k = problem.perturbation.dim
    anywhere = rng.normal(size=(count, k))
    noise = 10 ** rng.uniform(-6, 0, (count, 1)) * np.abs(found.direction).max()
    kinds = (anywhere, np.sign(anywhere), found.direction + noise * anywhere)
    eps = np.choose((np.arange(count) % len(kinds))[:, None], kinds)
    return np.asarray(eps / np.array([problem.size(row) for row in eps])[:, None])


def _moved(problem: BilevelProblem, eps: FloatArray, before: IntArray) -> bool:
    """Return whether the partition changes, in exact arithmetic if labels are not certified."""
    solved = solve_lower(problem.perturbation.apply(clustering_of(problem), eps), "exact")
    labels = solved.labels if solved.proved else partition_at(problem, eps)
    return bool((labels != before).any())


def random_cloud(rng: np.random.Generator, d: int) -> MaxDeviation:
    """Return up to three clouds with d features, complete graph or nearest neighbours, p = 2."""
    n = int(rng.integers(6, 16))
    A = rng.normal(size=(n, d))
    A[:, 0] += 5 * rng.integers(0, 3, n)
    if rng.random() < 0.5:
        graph, gamma = FusionGraph.complete(n, 1 / n), 10 ** rng.uniform(0.0, 0.6)
    else:
        graph, gamma = FusionGraph.knn(A, 4, 0.1), 10 ** rng.uniform(-0.5, 0.6)
    free = Perturbation.additive((n, d))
    return MaxDeviation(ConvexClustering(A, graph, gamma), free, 1.0)


def check_bounds(instances: int, seed: int) -> Iterator[CheckRow]:
    """Compare proved lower bounds on the radius with attacks; yield a row for each instance.

    Only instances whose partition is certified and neither trivial nor discrete are counted.
    """
    done, number = 0, 0
    while done < instances:
        d = DIMENSIONS[number % len(DIMENSIONS)]
        problem = random_cloud(np.random.default_rng([seed, number]), d)
        clustering = solve_lower(clustering_of(problem), tol=1e-12, refine=True)
        number += 1
        if clustering.proved and 1 < clustering.n_clusters < problem.model.n:
            done += 1
            found = certify(problem, MOST_SOLVES)
            yield CheckRow(
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
