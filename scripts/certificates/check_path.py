"""Check of the parametric path against independent solutions on a grid of eps.

The lower level at each eps of the grid is solved by isotonic regression, by dynamic programming on
a tree, or by SSNAL with certified labels. If the labels cannot be certified in floating point, or
eps is within rounding of a jump, problems with equal weights are solved again in integers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.validation import IntArray
from bilad.scripts.certificates.check_rows import CheckRow
from bilad.scripts.settings import Setting
from bilad.solvers.certificates.exact_radius import partition_at
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath, parametric_path

CHECK = "parametric path"
NEAR = 1e-9  # within this distance of a jump, rounding of the data may lead to its other side
GRAIN = 2.0**-30  # the grid consists of multiples of it, so that eps V has no rounding error
KINDS = ("data, equal weights", "data, tree", "weights, tree", "data and weights, graph")


@dataclass(frozen=True)
class Ray:
    """A model along a ray, and a name."""

    name: str
    model: ConvexClustering
    perturbation: Perturbation
    low: float
    high: float


def check_settings(settings: dict[str, Setting], points: int) -> Iterator[CheckRow]:
    """Check the paths of the settings on grids with so many points; yield a row for each."""
    for name, setting in settings.items():
        ray = Ray(name, setting.model(), setting.shift(), -setting.budget, setting.budget)
        yield _compare(ray, "settings", points)


def check_rays(rays: int, points: int, seed: int) -> Iterator[CheckRow]:
    """Check paths along random directions in the data, in the weights, and in both.

    Parameters
    ----------
    rays : int
        The number of directions; half of them have equal weights on the complete graph.
    points : int
        Points of each grid.
    seed : int
    """
    for number in range(rays):
        kind = KINDS[0] if number % 2 else KINDS[1 + number // 2 % 3]
        rng = np.random.default_rng([seed, number])
        yield _compare(random_ray(rng, kind, f"ray {number}"), kind, points)


def random_ray(rng: np.random.Generator, kind: str, name: str) -> Ray:
    """Return a ray of one of `KINDS`; rays with unequal weights have few points."""
    n = int(rng.integers(20, 61)) if kind == KINDS[0] else int(rng.integers(5, 9))
    data = (rng.normal(size=n) + 3 * rng.integers(0, 2, n))[:, None]
    graph = _graph(rng, kind, n)
    degree = n if kind == KINDS[0] else 2.0
    model = ConvexClustering(data, graph, 10 ** rng.uniform(-1.0, 0.3) / degree)
    V, s = _sixteenths(rng, (n, 1)), np.maximum(_sixteenths(rng, (graph.m, 1)), -1.0) / 2
    if kind.startswith("data,"):
        return Ray(name, model, Perturbation.shift(V), -2.0, 2.0)
    moved = sp.csr_array(V) if kind == KINDS[3] else None
    both = Perturbation.linear((n, 1), moved, graph, sp.csr_array(s), -1.0, 1.0)
    return Ray(name, model, both, -1.0, 1.0)


def _graph(rng: np.random.Generator, kind: str, n: int) -> FusionGraph:
    if kind == KINDS[0]:
        return FusionGraph.complete(n)
    if kind == KINDS[3]:
        pairs = np.column_stack(np.triu_indices(n, 1))
        pairs = np.vstack([pairs[:1], pairs[1:][rng.random(len(pairs) - 1) < 0.6]])
    else:
        pairs = np.column_stack([[int(rng.integers(j)) for j in range(1, n)], np.arange(1, n)])
    return FusionGraph(n, pairs, rng.uniform(0.2, 2.0, len(pairs)))


def _sixteenths(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    numbers = rng.integers(-32, 33, shape) / 16
    numbers[0] = 1.0
    return np.asarray(numbers)


def _compare(ray: Ray, group: str, points: int) -> CheckRow:
    began = time.perf_counter()
    path = parametric_path(ray.model, ray.perturbation, ray.low, ray.high)
    seconds = time.perf_counter() - began
    grid = np.round(np.linspace(ray.low, ray.high, points) / GRAIN) * GRAIN
    wrong = undecided = 0
    for eps in grid.tolist():
        labels = _labels(ray, path, eps)
        undecided += labels is None
        wrong += labels is not None and bool((labels != path.labels_at(eps)).any())
    steps = float(len(path.inner_breakpoints))
    return CheckRow(CHECK, group, ray.name, points, wrong, undecided, steps, "steps", seconds)


def _labels(ray: Ray, path: ParametricPath, eps: float) -> IntArray | None:
    """Return the labels at eps, computed independently of the path; None if not certified."""
    near = bool(len(path.inner_breakpoints)) and np.abs(path.inner_breakpoints - eps).min() <= NEAR
    if not near:
        solved = solve_lower(ray.perturbation.apply(ray.model, eps), tol=1e-10)
        if solved.proved:
            return solved.labels
    if ray.model.graph.uniform_weight is None or "weights" in ray.perturbation.operators:
        return None
    each = MaxDeviation(ray.model, Perturbation.additive(ray.model.data.shape), 1.0)
    return partition_at(each, ray.perturbation.changes(eps)["data"].ravel())
